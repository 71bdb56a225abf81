"""Servers to measure, each on loopback and an own folder, on a core of its own where asked."""

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

ROOT = Path(__file__).parents[1]
SERVER_CORE, LOAD_CORE = 0, 1
PORT = "{port}"
_START_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Command:
    """How a server is started, where `{port}` stands for its port, and where it says that it is ready."""

    arguments: Sequence[str]
    ready: str
    environment: dict[str, str] = field(default_factory=dict)
    folder: Path = ROOT


@dataclass(frozen=True, slots=True)
class Running:
    """A server that answers at `address`, `start` seconds after it was started."""

    address: str
    process: subprocess.Popen[bytes]
    start: float


def train(folder: Path) -> None:
    """Trains the default model into a data folder."""
    command = [sys.executable, "-m", "service.cli", "train", "--json"]
    environment = {**os.environ, "FRAMING_DATA_DIR": str(folder)}
    subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)


def product(folder: Path, **settings: str) -> Command:
    """This service on a data folder, without a worker unless the settings say so."""
    said = {"data_dir": str(folder), "log_level": "warning", "worker": "false", "port": PORT, **settings}
    environment = {f"FRAMING_{name.upper()}": value for name, value in said.items()}
    return Command([sys.executable, "-m", "service.cli", "serve"], "/readyz", environment)


@contextmanager
def running(command: Command, core: int | None = None) -> Iterator[Running]:
    """Starts a server and ends it afterwards; raises `RuntimeError` where it does not get ready."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    began = time.perf_counter()
    process = subprocess.Popen(
        [argument.replace(PORT, port) for argument in command.arguments],
        cwd=command.folder,
        env={**os.environ, **{name: value.replace(PORT, port) for name, value in command.environment.items()}},
        preexec_fn=pinned(core),  # noqa: PLW1509 - there are no threads here
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        while not _answers(f"{address}{command.ready}"):
            if process.poll() is not None or time.perf_counter() - began > _START_SECONDS:
                raise RuntimeError(f"{' '.join(command.arguments)} did not get ready.")
        yield Running(address, process, time.perf_counter() - began)
    finally:
        process.terminate()
        process.wait()


def _answers(url: str) -> bool:
    try:
        return httpx2.get(url).status_code < 400
    except httpx2.TransportError:
        time.sleep(0.01)
        return False


def pinned(core: int | None) -> Callable[[], None] | None:
    """For a new process: stay on a core."""
    cores = sorted(os.sched_getaffinity(0))
    return None if core is None else lambda: os.sched_setaffinity(0, {cores[core % len(cores)]})


def memory(process: int) -> float:
    """MiB (PSS: shared pages count in part) of a process and all that it started."""
    return own_memory(process) + sum(memory(child) for child in children(process))


def own_memory(process: int) -> float:
    """MiB (PSS) of a process alone."""
    return _mib(process, "smaps_rollup", "Pss")


def peak_memory(process: int) -> float:
    """The most MiB that a process has had.

    What `wait4` tells counts in those of the process that started it.
    """
    return _mib(process, "status", "VmHWM")


def _mib(process: int, file: str, name: str) -> float:
    """What the kernel says of a process, in MiB; 0 where it has ended."""
    try:
        said = Path(f"/proc/{process}/{file}").read_text(encoding="ascii")
    except OSError:
        return 0.0
    found = re.search(rf"^{name}:\s+(\d+)", said, re.MULTILINE)
    return int(found[1]) / 1024 if found else 0.0


def children(process: int) -> list[int]:
    """The processes that a process started; none where it has ended."""
    try:
        return [
            int(child)
            for thread in Path(f"/proc/{process}/task").iterdir()
            for child in (thread / "children").read_text(encoding="ascii").split()
        ]
    except OSError:
        return []
