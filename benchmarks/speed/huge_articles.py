"""An article of 1,900 paragraphs, with and without a pool of scoring processes, and small articles beside it.

The server has both cores. A small article has three paragraphs; huge articles are sent without a pause beside it.
"""

import json
import statistics
import tempfile
import time
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import httpx2

from benchmarks.documents import show
from benchmarks.speed.timing import milliseconds, percentile
from tests.support.articles import paragraphs
from tests.support.crew import Crew
from tests.support.procfs import memory
from tests.support.servers import Running, product, running, train
from training.reports.tables import table

_SIZE, _SMALL, _ARTICLES = 1900, 3, 12
_PROCESSES = {"none": "0", "per core": "2"}


@dataclass(frozen=True, slots=True)
class Times:
    """Milliseconds of a huge article alone, median and 99th percentile of small ones beside it, and MiB (PSS)."""

    huge: float
    p50: float
    p99: float
    memory: float


class _Sender(Crew):
    """A client that sends huge articles without a pause."""

    def __init__(self, address: str, bodies: list[bytes]) -> None:
        super().__init__(1)
        self._address, self._bodies = address, bodies

    def work(self, _number: int) -> None:
        with httpx2.Client(base_url=self._address, timeout=60) as client:
            for body in cycle(self._bodies):
                if self.stop.is_set():
                    return
                _classify(client, body)


def _classify(client: httpx2.Client, body: bytes) -> float:
    headers = {"Content-Type": "application/json"}
    return milliseconds(lambda: client.post("/v1/classify", content=body, headers=headers))


def measure(seconds: float) -> dict[tuple[str, bool], Times]:
    """Times by scoring processes and whether evidence was requested."""
    texts = list(paragraphs(_SIZE * _ARTICLES))
    times = {}
    with tempfile.TemporaryDirectory() as folder:
        train(Path(folder))
        for name, processes in _PROCESSES.items():
            for explain in (False, True):
                starts = range(0, len(texts), _SIZE)
                bodies = [_body(texts[start : start + _SIZE], explain=explain) for start in starts]
                with running(product(Path(folder), scoring_processes=processes)) as server:
                    small = _body(texts[:_SMALL], explain=explain)
                    times[name, explain] = _times(server, bodies, small, seconds)
                show(f"huge articles, scoring processes: {name}, evidence: {explain}")
    return times


def _times(server: Running, bodies: list[bytes], small: bytes, seconds: float) -> Times:
    with httpx2.Client(base_url=server.address, timeout=60) as client:
        for body in bodies:  # the pool starts during these
            _classify(client, body)
        huge = statistics.median(_classify(client, body) for body in bodies)
        times = []
        with _Sender(server.address, bodies):
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                times.append(_classify(client, small))
        return Times(huge, percentile(times, 0.5), percentile(times, 0.99), memory(server.process.pid))


def _body(texts: list[str], *, explain: bool) -> bytes:
    return json.dumps({"paragraphs": texts, "explain": explain}).encode()


def report(times: dict[tuple[str, bool], Times]) -> str:
    """The ratios, then the times."""
    ratios = [
        [
            f"a huge article {'with' if explain else 'without'} evidence, with a scoring process per core",
            f"{times['none', explain].huge / times['per core', explain].huge:.2f}× as fast",
        ]
        for explain in (False, True)
    ]
    rows = [
        [name, "yes" if explain else "no", f"{of.huge:.0f}", f"{of.p50:.1f}", f"{of.p99:.1f}", f"{of.memory:.0f}"]
        for (name, explain), of in times.items()
    ]
    head = ["scoring processes", "evidence", "huge ms", "small beside, p50 ms", "small beside, p99 ms", "memory MiB"]
    return f"{table(['measure', 'result'], ratios)}\n\n{table(head, rows)}"
