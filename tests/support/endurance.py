"""Hours of work in minutes: a mixed load of words that never occur twice, and the memory and files that a server uses.

python -m tests.support.endurance --minutes 480
"""

import argparse
import json
import random
import statistics
import tempfile
import threading
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2

from tests.support.articles import TWO_PARAGRAPHS
from tests.support.crew import Crew
from tests.support.ledger import Figures, Progress, milliseconds, silent
from tests.support.procfs import open_files, own_memory
from tests.support.servers import Running, product, running, train

_CLIENTS = 4
_WORDS = 300
_SAMPLES = 100
_BURST = 16
_PAGES = ("/", "/articles", "/v1/prevalence?by=week", "/v1/scores?format=csv", "/metrics", "/v1/coding-queue?coder=ana")


class _Clients(Crew):
    """Clients that classify, store and read pages."""

    def __init__(self, address: str) -> None:
        super().__init__(_CLIENTS)
        self.words = self.failed = 0
        self.times: dict[str, list[float]] = defaultdict(list)
        self._address = address
        self._lock = threading.Lock()

    def work(self, number: int) -> None:
        chance, count = random.Random(number), 0
        with httpx2.Client(base_url=self._address, timeout=60) as client:
            while not self.stop.is_set():
                count += 1
                began = time.perf_counter()
                kind, status, words = self._send(client, chance.random(), f"{number}x{count}")
                with self._lock:
                    self.times[kind].append(time.perf_counter() - began)
                    self.words += words
                    self.failed += status >= 400

    @staticmethod
    def _send(client: httpx2.Client, chance: float, name: str) -> tuple[str, int, int]:
        """Returns what was asked, the status, and the number of words sent that no earlier request contained."""
        if chance < 0.02:
            return "page", client.get(_PAGES[int(chance * 50 * len(_PAGES))]).status_code, 0
        made_up = " ".join(f"q{name}z{word}" for word in range(_WORDS))
        body = {"text": f"{TWO_PARAGRAPHS}\n\n{TWO_PARAGRAPHS} {made_up}", "force_language": "en"}
        kind, path = ("store", "/v1/articles") if chance < 0.1 else ("classification", "/v1/classify")
        return kind, client.post(path, json=body).status_code, _WORDS


def endure(folder: Path, seconds: float, progress: Progress = silent) -> Figures:
    """Counts requests and failures, with their times; reports memory and open files, as medians of two fifths.

    The process that makes the files of the charts, once per installation, is not counted.
    """
    samples: list[tuple[float, int]] = []
    # The burst below reads more exports at once than a caller usually may.
    with running(product(folder, streams_per_key=str(2 * _BURST))) as server, _Clients(server.address) as clients:
        _open_all_connections(server)
        for sample in range(_SAMPLES):
            time.sleep(seconds / _SAMPLES)
            samples.append((own_memory(server.process.pid), open_files(server.process.pid)))
            progress((sample + 1) / _SAMPLES)
    fifth = _SAMPLES // 5
    parts = {"in the second fifth": samples[fifth : 2 * fifth], "in the last fifth": samples[-fifth:]}
    return {
        "requests": sum(map(len, clients.times.values())),
        "failed": clients.failed,
        "words never sent twice": clients.words,
        **{label: ms for kind in clients.times for label, ms in milliseconds(f"a {kind}", clients.times[kind]).items()},
        **{f"MiB {when}": round(statistics.median(mib for mib, _ in part)) for when, part in parts.items()},
        **{f"open files {when}": round(statistics.median(files for _, files in part)) for when, part in parts.items()},
    }


def _open_all_connections(server: Running) -> None:
    """Has the server open all the connections to its database that it keeps.

    Otherwise it opens another when requests happen to coincide, which looks like a file left open.
    """
    before, now = 0, open_files(server.process.pid)
    with httpx2.Client(base_url=server.address, timeout=60) as client, ThreadPoolExecutor(_BURST) as burst:
        while now > before:
            for status in burst.map(lambda _: client.get("/v1/scores?format=csv").status_code, range(8 * _BURST)):
                if status != 200:
                    raise RuntimeError(f"/v1/scores answered {status}.")
            before, now = now, open_files(server.process.pid)


def _show(share: float) -> None:
    print(f"{share:.0%}", end="\r", flush=True)


def main() -> None:
    """Prints the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        train(Path(place))
        print(json.dumps(endure(Path(place), arguments.minutes * 60, _show), indent=1))


if __name__ == "__main__":
    main()
