"""Bulk scoring: `framing score --to` on JSON Lines of articles, 15 paragraphs of 90 words each.

Compares a process with the scorer alone, two processes and two Dask workers with a single worker, and memory as the
input grows. Times are of whole commands.
"""

import json
import os
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from benchmarks.documents import show
from benchmarks.speed.scorer_speed import paragraphs_per_second
from tests.support.articles import PARAGRAPHS, as_paragraphs, write_bodies
from tests.support.paths import ROOT
from tests.support.procfs import peak_memory
from tests.support.servers import LOAD_CORE, PROGRAM, SERVER_CORE, train
from training.reports.tables import table

_POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Scoring:
    """Seconds of a command that scored `paragraphs` paragraphs, and peak memory (MiB) of its first process."""

    name: str
    paragraphs: int
    seconds: float
    memory: float

    @property
    def per_second(self) -> float:
        return self.paragraphs / self.seconds


def measure(largest: int) -> tuple[list[Scoring], list[Scoring], list[float]]:
    """Ways to score the largest input, a single process on growing inputs, and paragraphs per second of the scorer.

    The last are of a scorer alone and of two at once, each on its own core: the most that the machine can do.
    """
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        train(folder)
        inputs = {size: _input(folder, size) for size in (largest // 100, largest // 10, largest)}
        growing = [_score(folder, "1 process", path, []) for path in inputs.values()]
        ways = {
            "2 processes": ["--workers", "2"],
            "Dask, 1 worker": ["--cluster", "local", "--workers", "1"],
            "Dask, 2 workers": ["--cluster", "local", "--workers", "2"],
        }
        others = [_score(folder, name, inputs[largest], options) for name, options in ways.items()]
        alone = paragraphs_per_second(folder)
        with ThreadPoolExecutor(2) as pool:
            together = sum(pool.map(lambda core: paragraphs_per_second(folder, core), (SERVER_CORE, LOAD_CORE)))
        return [growing[-1], *others], growing, [alone, together]


def _input(folder: Path, size: int) -> Path:
    """Writes `size` paragraphs, and an article of names whose language is hard to detect.

    A real folder always contains such a text, and the language detector that it needs takes most of the memory.
    """
    path = write_bodies(folder / f"{size}.jsonl", size // PARAGRAPHS, as_paragraphs())
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"paragraphs": ["Vessa Oramin, Talu Bekkeri, Ossip Drava and Iru Mendavar."]}) + "\n")
    return path


def _score(folder: Path, name: str, path: Path, options: list[str]) -> Scoring:
    command = [*PROGRAM, "score", str(path), *options, "--json"]
    with tempfile.TemporaryDirectory(dir=folder) as output:
        began = time.perf_counter()
        process = subprocess.Popen(
            [*command, "--to", f"{output}/scores"],
            cwd=ROOT,
            env={**os.environ, "FRAMING_DATA_DIR": str(folder)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        memory = 0.0
        while process.poll() is None:
            memory = max(memory, peak_memory(process.pid))
            time.sleep(_POLL_SECONDS)
        seconds = time.perf_counter() - began
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} failed.")
    show(f"{name}: {path.stem} paragraphs in {seconds:.1f} s")
    return Scoring(name, int(path.stem) // PARAGRAPHS * PARAGRAPHS, seconds, memory)


def report(ways: list[Scoring], growing: list[Scoring], scorers: list[float]) -> str:
    """The ratios, then the figures of each command."""
    single, double, dask_single, dask_double = ways
    scorer, two_scorers = scorers
    memory = [scoring.memory for scoring in growing]
    ratios = [
        ["a process, against the scorer alone", f"{single.per_second / scorer:.0%}", "90%"],
        ["two processes against a single process", f"{double.per_second / single.per_second:.2f}×", "1.8×"],
        ["two scorers against a single scorer, the most that two cores allow", f"{two_scorers / scorer:.2f}×", ""],
        ["Dask: two workers against one", f"{dask_double.per_second / dask_single.per_second:.2f}×", "1.8×"],
        ["memory from the smallest input to the largest", f"{max(memory) / min(memory) - 1:+.0%}", "±10%"],
    ]
    rows = [
        [each.name, f"{each.paragraphs:,}", f"{each.seconds:.1f}", f"{each.per_second:,.0f}", f"{each.memory:.0f}"]
        for each in [*growing[:-1], *ways]
    ]
    head = ["bulk scoring", "paragraphs", "seconds", "paragraphs per second", "memory MiB of the first process"]
    return f"{table(['measure', 'result', 'aim'], ratios)}\n\n{table(head, rows)}"
