"""How many articles a second the service classifies over HTTP, beside what people build with the same model.

Every server runs on core 0, the load on core 1. An article has 15 paragraphs, about 1,350 words; none is sent twice.
The peers get paragraphs that were cut before and only score them; the service cuts the article itself, tells its
language, decides, rolls up and, where asked, finds the evidence. Rounds are interleaved; medians are printed.
"""

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from benchmarks.articles import PARAGRAPHS, write_bodies
from benchmarks.server import ROOT
from training.card_markdown import table

ARTICLES = 3000
DOCUMENT = ROOT / "docs" / "performance.md"
_SERVER_CORE, _LOAD_CORE = 0, 1


@dataclass(frozen=True, slots=True)
class Subject:
    """A server to measure: how it starts, where it is ready, and what is sent where."""

    name: str
    command: Sequence[str]
    environment: dict[str, str]
    ready: str
    path: str
    bodies: Path


@dataclass(frozen=True, slots=True)
class Found:
    """One round of one subject; times in milliseconds, start in seconds, memory (PSS) in MiB."""

    per_second: float
    p50: float
    p99: float
    p99_at_half: float
    p50_at_half: float
    start: float
    memory: float


def measure(rounds: int, seconds: float) -> tuple[dict[str, Found], float]:
    """Medians of each subject, and the paragraphs a second that the scorer does in process."""
    with tempfile.TemporaryDirectory() as place:
        subjects = _subjects(Path(place))
        found: dict[str, list[Found]] = {subject.name: [] for subject in subjects}
        scorer = []
        for number in range(rounds):
            for subject in subjects:
                found[subject.name].append(_round(subject, seconds))
                print(f"round {number + 1} of {rounds}: {subject.name}", file=sys.stderr)
            scorer.append(_in_process(Path(place)))
        return {name: _median(results) for name, results in found.items()}, statistics.median(scorer)


def _median(results: Sequence[Found]) -> Found:
    names = Found.__dataclass_fields__
    return Found(**{name: statistics.median(getattr(result, name) for result in results) for name in names})


def _subjects(place: Path) -> list[Subject]:
    environment = {**os.environ, "FRAMING_DATA_DIR": str(place)}
    train = [sys.executable, "-m", "service.cli", "train", "--json"]
    subprocess.run(train, cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)
    cut = write_bodies(place / "cut.jsonl", ARTICLES, as_text=False, seed=1)
    silent = write_bodies(place / "silent.jsonl", ARTICLES, as_text=True, seed=2, explain=False)
    explained = write_bodies(place / "explained.jsonl", ARTICLES, as_text=True, seed=3)
    product = [sys.executable, "-m", "service.cli", "serve"]
    own = {"FRAMING_DATA_DIR": str(place), "FRAMING_WORKER": "false", "FRAMING_LOG_LEVEL": "warning"}
    plain = [sys.executable, "-m", "uvicorn", "benchmarks.peers.plain_fastapi:app", "--log-level", "warning", "--port"]
    pipeline = {"PIPELINE": str(place / "models" / "versions" / "v1" / "pipeline.joblib")}
    return [
        Subject("this service, without evidence", product, own, "/readyz", "/v1/classify", silent),
        Subject("this service, with evidence", product, own, "/readyz", "/v1/classify", explained),
        Subject("plain FastAPI and `predict_proba`", plain, pipeline, "/ready", "/predict", cut),
        Subject("FastAPI echo, no model", plain, {}, "/ready", "/echo", cut),
    ]


def _round(subject: Subject, seconds: float) -> Found:
    with _running(subject) as (address, process, start):
        url = f"{address}{subject.path}"
        _load(url, subject.bodies, 1.0, 8)  # whatever is loaded with the first requests
        peak, single = _load(url, subject.bodies, seconds, 8), _load(url, subject.bodies, seconds, 1)
        half = _load(url, subject.bodies, seconds, 8, rate=peak["per_second"] / 2)
        return Found(
            peak["per_second"], single["p50"], single["p99"], half["p99"], half["p50"], start, _memory(process.pid)
        )


@contextmanager
def _running(subject: Subject) -> Iterator[tuple[str, subprocess.Popen[bytes], float]]:
    """The subject on a core of its own, with its address and the seconds until it was ready."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [*subject.command, str(port)] if subject.command[-1] == "--port" else list(subject.command)
    began = time.perf_counter()
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, "FRAMING_PORT": str(port), **subject.environment},
        preexec_fn=_pinned(_SERVER_CORE),  # noqa: PLW1509 - there are no threads here
    )
    address = f"http://127.0.0.1:{port}"
    try:
        while True:
            try:
                if httpx2.get(f"{address}{subject.ready}").status_code == 200:
                    break
            except httpx2.TransportError:
                time.sleep(0.01)
        yield address, process, time.perf_counter() - began
    finally:
        process.terminate()
        process.wait()


def _pinned(core: int) -> Callable[[], None]:
    cores = sorted(os.sched_getaffinity(0))
    return lambda: os.sched_setaffinity(0, {cores[core % len(cores)]})


def _load(url: str, bodies: Path, seconds: float, connections: int, rate: float | None = None) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.load", url, str(bodies), "--json"]
    command += ["--seconds", str(seconds), "--connections", str(connections)]
    command += ["--rate", str(rate)] if rate else []
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, preexec_fn=_pinned(_LOAD_CORE))
    answer: dict[str, float] = json.loads(done.stdout)
    return answer


def _memory(process: int) -> float:
    for line in Path(f"/proc/{process}/smaps_rollup").read_text(encoding="ascii").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("The kernel does not tell the memory of processes.")


def _in_process(place: Path) -> float:
    """Paragraphs a second of the scorer alone, an article at a time, on the server's core."""
    command = [sys.executable, "-m", "benchmarks.scorer_speed", "--json"]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "FRAMING_DATA_DIR": str(place)},
        check=True,
        capture_output=True,
        preexec_fn=_pinned(_SERVER_CORE),
    )
    return float(json.loads(done.stdout)["per_second"])


def report(found: dict[str, Found], scorer: float) -> str:
    """Ratios first, then what each server did."""
    silent, explained, plain, echo = found.values()
    ratios = [
        ["requests a second, against plain FastAPI", f"{silent.per_second / plain.per_second:.1f}×", "6×"],
        ["the same with evidence", f"{explained.per_second / plain.per_second:.1f}×", "4×"],
        ["requests a second, of an echo without a model", f"{silent.per_second / echo.per_second:.0%}", "35%"],
        [
            "paragraphs a second over HTTP, of the scorer's own",
            f"{silent.per_second * PARAGRAPHS / scorer:.0%}",
            "60%",
        ],
        ["p99 over the median at half of peak load", f"{silent.p99_at_half / silent.p50_at_half:.1f}", "under 3"],
        ["start to ready", f"{silent.start:.2f} s", "under 0.7 s"],
        ["memory of a server that has classified", f"{silent.memory:.0f} MiB", "under 110 MiB"],
    ]
    rows = [
        [
            name,
            f"{f.per_second:.0f}",
            f"{f.p50:.2f}",
            f"{f.p99:.2f}",
            f"{f.p50_at_half:.2f}",
            f"{f.p99_at_half:.2f}",
            f"{f.start:.2f}",
            f"{f.memory:.0f}",
        ]
        for name, f in found.items()
    ]
    head = ["server", "requests/s", "p50 ms", "p99 ms", "p50 at half load", "p99 at half load", "start s", "memory MiB"]
    return (
        f"{table(['measure', 'found', 'aim'], ratios)}\n\n{table(head, rows)}\n\n"
        f"The scorer alone, in process, an article at a time: {scorer:,.0f} paragraphs a second.\n"
    )


def main() -> None:
    """Prints the tables, or writes the document."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--write", action="store_true", help=f"write {DOCUMENT.relative_to(ROOT)}")
    asked = parser.parse_args()
    text = report(*measure(asked.rounds, asked.seconds))
    print(text)
    if asked.write:
        DOCUMENT.write_text(f"{_head(asked.rounds)}\n\n{text}", encoding="utf-8")


def _head(rounds: int) -> str:
    what = (__doc__ or "").strip().replace("\n\n", "\n").replace("\n", " ")
    return (
        f"# Performance\n\nMade by `make bench`, medians of {rounds} interleaved rounds. {what} Absolute figures "
        "belong to the machine; the ratios are what counts."
    )


if __name__ == "__main__":
    main()
