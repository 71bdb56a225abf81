"""Bulk scoring: `framing score --to` on JSON Lines of articles that were cut before, 15 paragraphs of 90 words each.

One process against the scorer alone, two processes and two Dask workers against one, and memory as the input grows.
Times are of whole commands, from start to end.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from benchmarks.articles import PARAGRAPHS, as_paragraphs, write_bodies
from benchmarks.http_speed import in_process
from benchmarks.server import LOAD_CORE, ROOT, SERVER_CORE, peak_memory, train
from training.reports.card import table

_LOOK_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Found:
    """One command: paragraphs scored, seconds, and the most memory (MiB) that one of its processes had."""

    what: str
    paragraphs: int
    seconds: float
    memory: float

    @property
    def per_second(self) -> float:
        return self.paragraphs / self.seconds


def measure(largest: int) -> tuple[list[Found], list[Found], list[float]]:
    """Ways to score the largest input, one process on growing inputs, and the scorer's own paragraphs a second.

    The last is of one scorer and of two together, each on a core of its own: what the machine can do at most.
    """
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        train(folder)
        inputs = {size: _input(folder, size) for size in (largest // 100, largest // 10, largest)}
        grown = [_score(folder, "one process", path, []) for path in inputs.values()]
        ways = {
            "two processes": ["--workers", "2"],
            "Dask, one worker": ["--cluster", "local", "--workers", "1"],
            "Dask, two workers": ["--cluster", "local", "--workers", "2"],
        }
        others = [_score(folder, what, inputs[largest], options) for what, options in ways.items()]
        alone = in_process(folder)
        with ThreadPoolExecutor(2) as pool:
            together = sum(pool.map(lambda core: in_process(folder, core), (SERVER_CORE, LOAD_CORE)))
        return [grown[-1], *others], grown, [alone, together]


def _input(folder: Path, size: int) -> Path:
    """So many paragraphs, and a last article that no model of English words is sure about.

    Any real folder has one, and the language detector that it calls for takes more memory than all else.
    """
    path = write_bodies(folder / f"{size}.jsonl", size // PARAGRAPHS, as_paragraphs())
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"paragraphs": ["Vessa Oramin, Talu Bekkeri, Ossip Drava and Iru Mendavar."]}) + "\n")
    return path


def _score(folder: Path, what: str, path: Path, options: list[str]) -> Found:
    command = [sys.executable, "-m", "service.cli", "score", str(path), *options, "--json"]
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
            time.sleep(_LOOK_SECONDS)
        seconds = time.perf_counter() - began
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} failed.")
    print(f"{what}: {path.stem} paragraphs in {seconds:.1f} s", file=sys.stderr)
    return Found(what, int(path.stem) // PARAGRAPHS * PARAGRAPHS, seconds, memory)


def report(ways: list[Found], grown: list[Found], scorers: list[float]) -> str:
    """Ratios first."""
    one, two, dask_one, dask_two = ways
    scorer, two_scorers = scorers
    memory = [found.memory for found in grown]
    ratios = [
        ["one process, of the scorer's own speed", f"{one.per_second / scorer:.0%}", "90%"],
        ["two processes against one", f"{two.per_second / one.per_second:.2f}×", "1.8×"],
        ["two bare scorers against one, the most that two cores give", f"{two_scorers / scorer:.2f}×", ""],
        ["Dask: two workers against one", f"{dask_two.per_second / dask_one.per_second:.2f}×", "1.8×"],
        ["memory from the smallest input to the largest", f"{max(memory) / min(memory) - 1:+.0%}", "±10%"],
    ]
    rows = [
        [found.what, f"{found.paragraphs:,}", f"{found.seconds:.1f}", f"{found.per_second:,.0f}", f"{found.memory:.0f}"]
        for found in [*grown[:-1], *ways]
    ]
    head = ["bulk scoring", "paragraphs", "seconds", "paragraphs a second", "memory MiB of the first process"]
    return f"{table(['measure', 'found', 'aim'], ratios)}\n\n{table(head, rows)}\n"


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--paragraphs", type=int, default=1_000_000)
    print(report(*measure(parser.parse_args().paragraphs)))


if __name__ == "__main__":
    main()
