"""An article of 1,900 paragraphs, with and without the processes that help with such, and small ones beside it.

The server has both cores. A small article has three paragraphs; the huge ones come one after the other meanwhile.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import httpx2

from benchmarks.articles import paragraphs
from benchmarks.crew import Crew
from benchmarks.server import memory, product, running, train
from training.reports.card import table

_SIZE, _SMALL, _ARTICLES = 1900, 3, 12
_HELPERS = {"none": "0", "one a core": "2"}


@dataclass(frozen=True, slots=True)
class Found:
    """Milliseconds of a huge article alone, median and 99th percentile of small ones beside it, and MiB (PSS)."""

    huge: float
    p50: float
    p99: float
    memory: float


class _Sender(Crew):
    """Sends huge articles one after the other."""

    def __init__(self, address: str, bodies: list[bytes]) -> None:
        super().__init__(1)
        self._address, self._bodies = address, bodies

    def work(self, _number: int) -> None:
        with httpx2.Client(base_url=self._address, timeout=60) as client:
            count = 0
            while not self.stop.is_set():
                _milliseconds(client, self._bodies[count % len(self._bodies)])
                count += 1


def _milliseconds(client: httpx2.Client, body: bytes) -> float:
    began = time.perf_counter()
    client.post("/v1/classify", content=body, headers={"Content-Type": "application/json"}).raise_for_status()
    return (time.perf_counter() - began) * 1000


def measure(seconds: float) -> dict[tuple[str, bool], Found]:
    """By helpers and whether there is evidence."""
    texts = list(paragraphs(_SIZE * _ARTICLES))
    found = {}
    with tempfile.TemporaryDirectory() as place:
        train(Path(place))
        for name, helpers in _HELPERS.items():
            for explain in (False, True):
                starts = range(0, len(texts), _SIZE)
                bodies = [_body(texts[start : start + _SIZE], explain=explain) for start in starts]
                with running(product(Path(place), helpers=helpers)) as server:
                    small = _body(texts[:_SMALL], explain=explain)
                    found[name, explain] = _one(server.address, server.process.pid, bodies, small, seconds)
                print(f"huge articles, helpers: {name}, evidence: {explain}", file=sys.stderr)
    return found


def _one(address: str, process: int, bodies: list[bytes], small: bytes, seconds: float) -> Found:
    with httpx2.Client(base_url=address, timeout=60) as client:
        for body in bodies:  # helpers start meanwhile
            _milliseconds(client, body)
        huge = [_milliseconds(client, body) for body in bodies]
        times = []
        with _Sender(address, bodies):
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                times.append(_milliseconds(client, small))
        times.sort()
        return Found(statistics.median(huge), statistics.median(times), times[int(len(times) * 0.99)], memory(process))


def _body(texts: list[str], *, explain: bool) -> bytes:
    return json.dumps({"paragraphs": texts, "explain": explain}).encode()


def report(found: dict[tuple[str, bool], Found]) -> str:
    """Ratios first."""
    ratios = [
        [
            f"a huge article {'with' if explain else 'without'} evidence, helped by a process a core",
            f"{found['none', explain].huge / found['one a core', explain].huge:.2f}× as fast",
        ]
        for explain in (False, True)
    ]
    rows = [
        [name, "yes" if explain else "no", f"{of.huge:.0f}", f"{of.p50:.1f}", f"{of.p99:.1f}", f"{of.memory:.0f}"]
        for (name, explain), of in found.items()
    ]
    head = ["helpers", "evidence", "huge ms", "small beside, p50 ms", "small beside, p99 ms", "memory MiB"]
    return f"{table(['measure', 'found'], ratios)}\n\n{table(head, rows)}\n"


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5)
    print(report(measure(parser.parse_args().seconds)))


if __name__ == "__main__":
    main()
