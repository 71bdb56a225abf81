"""Servers and workers as separate processes, on loopback.

`environment`, `running_server` and `running_worker` are what tests use: processes see the packages that a user has.
`product` and `running` start any server, this service or a peer, also on a chosen core.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from tests.support.paths import ROOT

PROGRAM = (sys.executable, "-m", "service.cli")
SERVER_CORE, LOAD_CORE = 0, 1
# Stands for the port in the arguments and in the environment of a command.
PORT = "{port}"
_START_SECONDS = 90
_POLL_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class Command:
    """How to start a server, and the path that answers once it is ready."""

    arguments: Sequence[str]
    ready: str
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    folder: Path = ROOT


@dataclass(frozen=True, slots=True)
class Running:
    """A server that is ready; `start` is the seconds that it took to get there."""

    address: str
    process: subprocess.Popen[bytes]
    start: float


def train(folder: Path) -> None:
    """Trains a model of words into a data folder."""
    variables = {**os.environ, "FRAMING_DATA_DIR": str(folder), "FRAMING_KIND": "words"}
    subprocess.run([*PROGRAM, "train", "--json"], cwd=ROOT, env=variables, check=True, stdout=subprocess.DEVNULL)


def product(folder: Path, **settings: str) -> Command:
    """This service on a data folder, without a worker unless the settings name it."""
    settings = {"data_dir": str(folder), "log_level": "warning", "worker": "false", "port": PORT, **settings}
    variables = {f"FRAMING_{name.upper()}": value for name, value in settings.items()}
    return Command([*PROGRAM, "serve"], "/readyz", {**os.environ, **variables})


@contextmanager
def running(command: Command, core: int | None = None, *, silent: bool = True) -> Iterator[Running]:
    """Starts a server, waits until it is ready, and stops it at the end; raises `RuntimeError` if it does not start."""
    port = str(free_port())
    output = subprocess.DEVNULL if silent else None
    began = time.perf_counter()
    process = subprocess.Popen(
        [argument.replace(PORT, port) for argument in command.arguments],
        cwd=command.folder,
        env={name: value.replace(PORT, port) for name, value in command.environment.items()},
        preexec_fn=pinned(core),  # noqa: PLW1509 - no threads run here yet
        stdout=output,
        stderr=output,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        with httpx2.Client(base_url=address, timeout=30) as client:
            while not _is_ready(client, command.ready):
                if process.poll() is not None or time.perf_counter() - began > _START_SECONDS:
                    raise RuntimeError(f"{' '.join(command.arguments)} did not start ({process.returncode}).")
                time.sleep(_POLL_SECONDS)
        yield Running(address, process, time.perf_counter() - began)
    finally:
        stop(process)


def _is_ready(client: httpx2.Client, path: str) -> bool:
    try:
        return bool(client.get(path).status_code < 400)
    except httpx2.TransportError:
        return False


def pinned(core: int | None) -> Callable[[], None] | None:
    """Returns a function for `preexec_fn` that keeps a new process on a core."""
    cores = sorted(os.sched_getaffinity(0))
    return None if core is None else lambda: os.sched_setaffinity(0, {cores[core % len(cores)]})


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def stop(process: subprocess.Popen[bytes]) -> None:
    """Stops a process by SIGTERM; kills it and raises `TimeoutExpired` if it takes longer than 20 s."""
    process.terminate()
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        kill(process)
        raise


def kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def environment(**variables: str | Path) -> dict[str, str]:
    """Environment of a process that sees only what a user installs; each keyword becomes a `FRAMING_` variable."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("FRAMING_")}
    # A worker that yields its core to others would wait for the other tests.
    settings = {"worker_yields": "false", "kind": "words", **variables}
    if settings["kind"] == "words":
        settings.setdefault("start", "nothing")
    return {
        **inherited,
        "PYTHONPATH": f"{ROOT / 'tests' / 'support' / 'as_installed'}:{ROOT}",
        "COLUMNS": "200",
        "NO_COLOR": "1",
        # The tests run side by side: threads and helpers for each core would only get in each other's way.
        "OPENBLAS_NUM_THREADS": "1",
        "LOKY_MAX_CPU_COUNT": "1",
        **{f"FRAMING_{name.upper()}": str(value) for name, value in settings.items()},
    }


@contextmanager
def running_server(data_dir: Path, **variables: str) -> Iterator[tuple[httpx2.Client, subprocess.Popen[bytes]]]:
    """A server of this service on a data folder, without a worker unless the settings name it, and a client of it."""
    settings = {"log_level": "warning", "worker": "false", **variables}
    command = Command([*PROGRAM, "serve"], "/livez", environment(data_dir=data_dir, port=PORT, **settings), data_dir)
    with running(command, silent=False) as server, httpx2.Client(base_url=server.address, timeout=30) as client:
        yield client, server.process


@contextmanager
def running_worker(data_dir: Path, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
    """A worker on a data folder; it is killed at the end."""
    process = subprocess.Popen(
        [*PROGRAM, "worker"],
        cwd=data_dir,
        env=environment(data_dir=data_dir, log_level="warning", **variables),
    )
    try:
        yield process
    finally:
        kill(process)
