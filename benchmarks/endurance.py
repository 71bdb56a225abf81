"""Hours of work in minutes: a mixed load of words that no request has twice, and what the server holds meanwhile.

python -m benchmarks.endurance --minutes 480
"""

import argparse
import json
import random
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2

from benchmarks.crew import Crew
from benchmarks.faults import TEXT, Figures, Progress, silent
from benchmarks.server import Running, own_memory, product, running, train

_CLIENTS = 4
_WORDS = 300
_SAMPLES = 100
_BURST = 16
_PAGES = ("/", "/articles", "/v1/prevalence?by=week", "/v1/scores?format=csv", "/metrics", "/v1/coding-queue?coder=ana")


class _Clients(Crew):
    """They classify, store and look."""

    def __init__(self, address: str) -> None:
        super().__init__(_CLIENTS)
        self.requests = self.words = self.failed = 0
        self._address = address
        self._lock = threading.Lock()

    def work(self, number: int) -> None:
        chance, asked = random.Random(number), 0  # noqa: S311 - no secret
        with httpx2.Client(base_url=self._address, timeout=60) as client:
            while not self.stop.is_set():
                asked += 1
                status, words = self._ask(client, chance.random(), f"{number}x{asked}")
                with self._lock:
                    self.requests += 1
                    self.words += words
                    self.failed += status >= 400

    @staticmethod
    def _ask(client: httpx2.Client, chance: float, name: str) -> tuple[int, int]:
        """The status, and how many words were sent that no request had before."""
        if chance < 0.02:
            return client.get(_PAGES[int(chance * 50 * len(_PAGES))]).status_code, 0
        made_up = " ".join(f"q{name}z{word}" for word in range(_WORDS))
        body = {"text": f"{TEXT}\n\n{TEXT} {made_up}", "force_language": "en"}
        path = "/v1/articles" if chance < 0.1 else "/v1/classify"
        return client.post(path, json=body).status_code, _WORDS


def endure(folder: Path, seconds: float, progress: Progress = silent) -> Figures:
    """Requests made and failed; memory and open files of the server, medians of the second and of the last fifth.

    What makes the files of the charts, once an installation, is a process of its own and not counted.
    """
    held: list[tuple[float, int]] = []
    with running(product(folder)) as server, _Clients(server.address) as clients:
        _open_all_connections(server)
        for sample in range(_SAMPLES):
            time.sleep(seconds / _SAMPLES)
            held.append((own_memory(server.process.pid), _open_files(server.process.pid)))
            progress((sample + 1) / _SAMPLES)
    fifth = _SAMPLES // 5
    parts = {"in the second fifth": held[fifth : 2 * fifth], "in the last fifth": held[-fifth:]}
    return {
        "requests": clients.requests,
        "failed": clients.failed,
        "words never sent twice": clients.words,
        **{f"MiB {when}": round(statistics.median(mib for mib, _ in part)) for when, part in parts.items()},
        **{f"open files {when}": round(statistics.median(files for _, files in part)) for when, part in parts.items()},
    }


def _open_all_connections(server: Running) -> None:
    """Has the server open and keep the connections to its database that it would otherwise open when they are needed.

    Requests that meet by chance would look like files left open.
    """
    held, now = 0, _open_files(server.process.pid)
    with httpx2.Client(base_url=server.address, timeout=60) as client, ThreadPoolExecutor(_BURST) as burst:
        while now > held:
            for status in burst.map(lambda _: client.get("/v1/scores?format=csv").status_code, range(8 * _BURST)):
                if status != 200:
                    raise RuntimeError(f"/v1/scores answered {status}.")
            held, now = now, _open_files(server.process.pid)


def _open_files(process: int) -> int:
    return len(list(Path(f"/proc/{process}/fd").iterdir()))


def main() -> None:
    """Prints the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5)
    asked = parser.parse_args()
    say: Callable[[float], None] = lambda share: print(f"{share:.0%}", end="\r", flush=True)  # noqa: E731
    with tempfile.TemporaryDirectory() as place:
        train(Path(place))
        print(json.dumps(endure(Path(place), asked.minutes * 60, say), indent=1))


if __name__ == "__main__":
    main()
