"""Faults done to a running service, and the ledger that says whether anything acknowledged was lost or doubled.

The tests run these for seconds, `make soak` for minutes.
"""

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
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from benchmarks.crew import Crew
from benchmarks.server import Command, children, product, running

TEXT = (
    "The government ignored repeated warnings and failed to protect the province, and no minister has resigned.\n\n"
    "Officials accused the neighbouring state of arming and training the gunmen through its intelligence service."
)
_RETRY_SECONDS = 0.05
_WRITERS = 4
_CHECK_SECONDS = 60

Figures = dict[str, int]
Progress = Callable[[float], None]


def silent(_share: float) -> None:
    """For callers that show no progress."""


@dataclass(slots=True)
class Ledger:
    """What was acknowledged: articles by their own id, codes by the article that they are of."""

    articles: dict[str, str] = field(default_factory=dict)
    codes: dict[str, str] = field(default_factory=dict)
    models: set[str] = field(default_factory=set)

    def check(self, client: httpx2.Client) -> Figures:
        """How many of the acknowledged are lost, changed or there twice."""
        stored = list(_all(client, "/v1/articles", "articles"))
        by_own: dict[str, list[str]] = {}
        for article in stored:
            by_own.setdefault(article["external_id"], []).append(article["id"])
        codes = Counter(annotation["article_id"] for annotation in _all(client, "/v1/annotations", "annotations"))
        return {
            "articles acknowledged": len(self.articles),
            "codes acknowledged": len(self.codes),
            "lost": sum(by_own.get(own) != [identifier] for own, identifier in self.articles.items())
            + sum(codes[article] == 0 for article in self.codes),
            "doubled": sum(len(identifiers) > 1 for identifiers in by_own.values())
            + sum(codes[article] > 1 for article in self.codes),
        }


def _all(client: httpx2.Client, address: str, name: str) -> Any:
    cursor = None
    while True:
        page = client.get(address, params={"limit": 200, **({"cursor": cursor} if cursor else {})}).json()
        yield from page[name]
        cursor = page.get("next")
        if cursor is None:
            return


class Insistent(Crew):
    """They send a request again until it is answered otherwise than by "come back later"."""

    def __init__(self, size: int, address: str = "") -> None:
        super().__init__(size)
        self.address = address
        self.refused = 0
        self._lock = threading.Lock()

    def insist(self, client: httpx2.Client, method: str, path: str, body: Any = None, key: str = "") -> Any:
        """The answer, under one key however often it was asked for; None where they were told to stop before."""
        headers = {"Idempotency-Key": key} if key else {}
        while not self.stop.is_set():
            with suppress(httpx2.TransportError):
                answer = client.request(method, f"{self.address}{path}", json=body, headers=headers)
                if answer.status_code < 400:
                    return answer.json()
                if answer.status_code != 503:
                    raise RuntimeError(f"{path} answered {answer.status_code}: {answer.text[:300]}")
                with self._lock:
                    self.refused += 1
            self.stop.wait(_RETRY_SECONDS)
        return None


class Writers(Insistent):
    """They store articles and code them, and write into the ledger what was acknowledged."""

    def __init__(self, ledger: Ledger, name: str = "w", address: str = "") -> None:
        super().__init__(_WRITERS, address)
        self.ledger = ledger
        self._name = name

    def work(self, number: int) -> None:
        count = 0
        with httpx2.Client(timeout=20) as client:
            while not self.stop.is_set():
                own = f"{self._name}{number}-{count}"
                body = {"text": f"{TEXT} {own}.", "external_id": own, "outlet": f"Outlet {number}"}
                stored = self.insist(client, "POST", "/v1/articles", body, own)
                if stored is not None:
                    self.ledger.articles[own] = stored["id"]
                    self.ledger.models.add(stored["model"]["version"])
                    code = {"coder": "ana", "article_id": stored["id"], "paragraph": 0, "frames": {}}
                    if self.insist(client, "POST", "/v1/annotations", code, own) is not None:
                        self.ledger.codes[stored["id"]] = own
                count += 1


def kill_again_and_again(folder: Path, times: int, progress: Progress = silent) -> Figures:
    """Kills the server, or its worker, the hard way at random moments under load; what the ledger says afterwards."""
    chance, ledger, kills, slowest = random.Random(1), Ledger(), 0, 0.0  # noqa: S311 - no secret
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
                server.process.kill()
                kills += 1
            progress(min(1.0, kills / times))
    with running(command) as server, httpx2.Client(base_url=server.address, timeout=60) as client:
        found = ledger.check(client)
    damaged = int(_integrity(folder) != "ok")
    return {"kills": kills, **found, "database damaged": damaged, "slowest start in ms": round(slowest * 1000)}


def _integrity(folder: Path) -> str:
    program = (
        "import sys; from pysqlite3 import dbapi2; "
        "print(dbapi2.connect(sys.argv[1]).execute('PRAGMA integrity_check').fetchone()[0])"
    )
    command = [sys.executable, "-c", program, str(folder / "framing.sqlite3")]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def stop_and_start(folder: Path, seconds: float, progress: Progress = silent) -> Figures:
    """Ends the server by SIGTERM under load again and again; each request in flight has to be answered."""
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
    """Holds the write lock of SQLite for seconds under load; classifying goes on, nothing acknowledged is lost."""
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
                    failed += client.post("/v1/classify", json={"text": TEXT}).status_code != 200
                other.execute("COMMIT")
                other.close()
                progress((number + 1) / times)
        return {
            "times locked": times,
            "classified meanwhile": classified,
            "of these failed": failed,
            **ledger.check(client),
        }


def servers_on_one_file(folder: Path, seconds: float, servers: int = 2, progress: Progress = silent) -> Figures:
    """Server processes, each unaware of the others, on one SQLite file and one folder of models."""
    ledger, damaged = Ledger(), 0
    command: Command = product(folder)
    began, checks = time.monotonic(), max(1, round(seconds / _CHECK_SECONDS))
    with ExitStack() as stack:
        addresses = [stack.enter_context(running(command)).address for _ in range(servers)]
        with ExitStack() as at_work:
            crews = [Writers(ledger, f"{number}-", address) for number, address in enumerate(addresses)]
            for crew in crews:
                at_work.enter_context(crew)
            for check in range(1, checks + 1):
                time.sleep(max(0.0, began + seconds * check / checks - time.monotonic()))
                damaged += _integrity(folder) != "ok"
                progress(check / checks)
        with httpx2.Client(base_url=addresses[-1], timeout=60) as client:
            found = ledger.check(client)
    refused = sum(crew.refused for crew in crews)
    return {**found, "told to come back": refused, "integrity checks": checks, "of these failed": damaged}


class _Askers(Crew):
    """They classify as fast as they are answered, and count the answers by status."""

    def __init__(self, size: int, address: str) -> None:
        super().__init__(size)
        self.counts: Counter[int] = Counter()
        self._address = address
        self._lock = threading.Lock()

    def work(self, _number: int) -> None:
        with httpx2.Client(base_url=self._address, timeout=60) as client:
            while not self.stop.is_set():
                status = client.post("/v1/classify", json={"text": TEXT}).status_code
                with self._lock:
                    self.counts[status] += 1


def overload(folder: Path, seconds: float, connections: int = 64) -> Figures:
    """Many more connections than a process takes at once: some are told to come back, none fails otherwise."""
    with running(product(folder, max_requests="16")) as server:
        with _Askers(connections, server.address) as askers:
            time.sleep(seconds)
        with httpx2.Client(base_url=server.address, timeout=10) as client:
            afterwards = client.post("/v1/classify", json={"text": TEXT}).status_code
    counts = askers.counts
    other = counts.total() - counts[200] - counts[503]
    return {
        "answered": counts[200],
        "told to come back": counts[503],
        "failed otherwise": other + (afterwards != 200),
    }


_BODIES: dict[str, dict[str, Any]] = {
    "/v1/classify": {"text": TEXT, "thresholds": {"foreign_hand": 0.5}, "operating_point": "balanced"},
    "/v1/articles": {"text": TEXT, "outlet": "Outlet", "published_at": "2026-03-01", "url": "https://example.org/a"},
    "/v1/annotations": {
        "coder": "ana",
        "text": "The army left.",
        "source": "radio",
        "frames": {"foreign_hand": "reported"},
    },
    "/v1/training-runs": {"note": "", "hyperparameters": {"regularisation": 1.0}},
    "/v1/models/rollback": {"reason": "worse"},
    "/v1/articles:batch": {"text": TEXT, "external_id": "a"},
    "/v1/annotations/import?format=label-studio&coder=ana": {"data": {"text": "a"}, "annotations": []},
}
_ODD = (b"\\", b"[" * 40, b"{", b"null", b"\0", b"\xff", b"-1e999", b"\\ud800", b"1" * 400, b"\r\n", "İ\u202e".encode())


def bad_inputs(folder: Path, count: int, progress: Progress = silent) -> Figures:
    """Bodies that were right until pieces were put in, taken out or doubled: none may end in a 500."""
    chance, statuses = random.Random(3), dict[int, int]()  # noqa: S311 - no secret
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
        alive = client.post("/v1/classify", json={"text": TEXT}).status_code == 200
    refused = sum(n for status, n in statuses.items() if 400 <= status < 500)
    failed = sum(n for status, n in statuses.items() if status >= 500) + (not alive)
    return {"bad inputs": count, "refused": refused, "answered with 500": failed}
