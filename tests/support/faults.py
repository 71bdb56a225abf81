"""Faults that are inflicted on a running service. The tests do so for seconds, `make soak` for minutes."""

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import httpx2

from tests.support.articles import TWO_PARAGRAPHS
from tests.support.crew import Crew
from tests.support.ledger import Figures, Ledger, Progress, Writers, silent
from tests.support.procfs import children
from tests.support.servers import Command, kill, product, running

_CHECK_SECONDS = 60


def kill_again_and_again(folder: Path, times: int, progress: Progress = silent) -> Figures:
    """Kills the server, or its worker, by SIGKILL at random moments under load."""
    chance, ledger, kills, slowest = random.Random(1), Ledger(), 0, 0.0
    command = product(folder, worker="true")
    with Writers(ledger) as writers:
        while kills < times:
            with running(command) as server:
                writers.address, slowest = server.address, max(slowest, server.start)
                time.sleep(chance.uniform(0.3, 2.0))
                workers = children(server.process.pid)
                if workers and chance.random() < 0.3:
                    with suppress(ProcessLookupError):
                        os.kill(workers[0], signal.SIGKILL)
                    kills += 1
                    time.sleep(chance.uniform(0.1, 1.0))
                kill(server.process)
                kills += 1
            progress(min(1.0, kills / times))
    with running(command) as server, httpx2.Client(base_url=server.address, timeout=60) as client:
        figures = ledger.check(client)
    damaged = int(_integrity(folder) != "ok")
    return {"kills": kills, **figures, "database damaged": damaged, "slowest start in ms": round(slowest * 1000)}


def _integrity(folder: Path) -> str:
    program = (
        "import sys; from pysqlite3 import dbapi2; "
        "print(dbapi2.connect(sys.argv[1]).execute('PRAGMA integrity_check').fetchone()[0])"
    )
    command = [sys.executable, "-c", program, str(folder / "framing.sqlite3")]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def stop_and_start(folder: Path, seconds: float, progress: Progress = silent) -> Figures:
    """Stops the server by SIGTERM under load, again and again; each request in flight must be answered."""
    ledger, stops = Ledger(), 0
    command, end = product(folder), time.monotonic() + seconds
    with Writers(ledger, "s") as writers:
        while time.monotonic() < end:
            with running(command) as server:
                writers.address = server.address
                time.sleep(1.0)
            stops += 1
            progress(1 - (end - time.monotonic()) / seconds)
    with running(command) as server, httpx2.Client(base_url=server.address, timeout=60) as client:
        return {"stops": stops, **ledger.check(client)}


def lock_the_database(folder: Path, times: int, progress: Progress = silent) -> Figures:
    """Holds the write lock of SQLite for seconds under load; the service must still classify, and lose nothing."""
    ledger, classified, failed = Ledger(), 0, 0
    with running(product(folder)) as server, httpx2.Client(base_url=server.address, timeout=60) as client:
        with Writers(ledger, "l", server.address):
            for number in range(times):
                time.sleep(0.5)
                other = sqlite3.connect(folder / "framing.sqlite3", isolation_level=None, timeout=30)
                other.execute("BEGIN IMMEDIATE")
                held = time.monotonic() + 1.5
                while time.monotonic() < held:
                    classified += 1
                    failed += client.post("/v1/classify", json={"text": TWO_PARAGRAPHS}).status_code != 200
                other.execute("COMMIT")
                other.close()
                progress((number + 1) / times)
        return {
            "times locked": times,
            "classified during that time": classified,
            "of these failed": failed,
            **ledger.check(client),
        }


def servers_on_the_same_file(folder: Path, seconds: float, servers: int = 2, progress: Progress = silent) -> Figures:
    """Runs servers that do not know of each other on the same SQLite file and folder of models."""
    ledger, damaged = Ledger(), 0
    command: Command = product(folder)
    began, checks = time.monotonic(), max(1, round(seconds / _CHECK_SECONDS))
    with ExitStack() as stack:
        addresses = [stack.enter_context(running(command)).address for _ in range(servers)]
        with ExitStack() as working:
            crews = [Writers(ledger, f"{number}-", address) for number, address in enumerate(addresses)]
            for crew in crews:
                working.enter_context(crew)
            for check in range(1, checks + 1):
                time.sleep(max(0.0, began + seconds * check / checks - time.monotonic()))
                damaged += _integrity(folder) != "ok"
                progress(check / checks)
        with httpx2.Client(base_url=addresses[-1], timeout=60) as client:
            figures = ledger.check(client)
    refused = sum(crew.refused for crew in crews)
    return {**figures, "rejected with 503": refused, "integrity checks": checks, "of these failed": damaged}


class _Readers(Crew):
    """Clients that classify without a pause, and count the answers by status."""

    def __init__(self, size: int, address: str) -> None:
        super().__init__(size)
        self.counts: Counter[int] = Counter()
        self._address = address
        self._lock = threading.Lock()

    def work(self, _number: int) -> None:
        with httpx2.Client(base_url=self._address, timeout=60) as client:
            while not self.stop.is_set():
                status = client.post("/v1/classify", json={"text": TWO_PARAGRAPHS}).status_code
                with self._lock:
                    self.counts[status] += 1


def overload(folder: Path, seconds: float, connections: int = 64) -> Figures:
    """Opens many more connections than a process accepts: some are rejected with 503, none fails otherwise."""
    with running(product(folder, max_requests="16")) as server:
        with _Readers(connections, server.address) as readers:
            time.sleep(seconds)
        with httpx2.Client(base_url=server.address, timeout=10) as client:
            afterwards = client.post("/v1/classify", json={"text": TWO_PARAGRAPHS}).status_code
    counts = readers.counts
    other = counts.total() - counts[200] - counts[503]
    return {
        "answered": counts[200],
        "rejected with 503": counts[503],
        "failed otherwise": other + (afterwards != 200),
    }


_BODIES: dict[str, dict[str, Any]] = {
    "/v1/classify": {"text": TWO_PARAGRAPHS, "thresholds": {"foreign_hand": 0.5}, "operating_point": "balanced"},
    "/v1/articles": {
        "text": TWO_PARAGRAPHS,
        "outlet": "Outlet",
        "published_at": "2026-03-01",
        "url": "https://example.org/a",
    },
    "/v1/annotations": {
        "coder": "ana",
        "text": "The army left.",
        "source": "radio",
        "frames": {"foreign_hand": "reported"},
    },
    "/v1/training-runs": {"note": "", "hyperparameters": {"regularisation": 1.0}},
    "/v1/models/rollback": {"reason": "worse"},
    "/v1/articles:batch": {"text": TWO_PARAGRAPHS, "external_id": "a"},
    "/v1/annotations/import?format=label-studio&coder=ana": {"data": {"text": "a"}, "annotations": []},
}
_ODD = (b"\\", b"[" * 40, b"{", b"null", b"\0", b"\xff", b"-1e999", b"\\ud800", b"1" * 400, b"\r\n", "İ\u202e".encode())


def bad_inputs(folder: Path, count: int, progress: Progress = silent) -> Figures:
    """Sends valid bodies with pieces inserted, removed or doubled: none may be answered with 500."""
    chance, statuses = random.Random(3), dict[int, int]()
    with running(product(folder)) as server, httpx2.Client(base_url=server.address, timeout=60) as client:
        for number in range(count):
            address, body = chance.choice(list(_BODIES.items()))
            content = bytearray(json.dumps(body).encode())
            for _ in range(chance.randrange(1, 5)):
                place = chance.randrange(len(content) + 1)
                if chance.random() < 0.4:
                    del content[place : place + chance.randrange(1, 12)]
                else:
                    content[place:place] = chance.choice((*_ODD, bytes(content[: chance.randrange(60)])))
            answer = client.post(address, content=bytes(content), headers={"Content-Type": "application/json"})
            statuses[answer.status_code] = statuses.get(answer.status_code, 0) + 1
            progress((number + 1) / count)
        alive = client.post("/v1/classify", json={"text": TWO_PARAGRAPHS}).status_code == 200
    refused = sum(n for status, n in statuses.items() if 400 <= status < 500)
    failed = sum(n for status, n in statuses.items() if status >= 500) + (not alive)
    return {"bad inputs": count, "refused": refused, "answered with 500": failed}
