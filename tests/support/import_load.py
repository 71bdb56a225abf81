"""A large file of annotations is imported while others store and read: how long they wait."""

import threading
import time
from pathlib import Path
from typing import Any

import httpx2

from tests.support.articles import TWO_PARAGRAPHS
from tests.support.crew import Crew
from tests.support.ledger import Figures, Progress, milliseconds, silent
from tests.support.servers import product, running

_CLIENTS = 4
_TEXT = "The army moved into valley {number} at dawn and the council was silent about it."


class StoringAndReading(Crew):
    """Clients that store an article and read it again, without a pause, and note how long each answer takes."""

    def __init__(self, address: str) -> None:
        super().__init__(_CLIENTS)
        self.seconds: dict[str, list[float]] = {"store": [], "read": []}
        self.failed = 0
        self._address = address
        self._lock = threading.Lock()

    def work(self, number: int) -> None:
        count = 0
        with httpx2.Client(base_url=self._address, timeout=60) as client:
            while not self.stop.is_set():
                count += 1
                text = f"{TWO_PARAGRAPHS} {number}-{count}."
                article = self._timed("store", client, "POST", "/v1/articles", {"text": text})
                if article is not None:
                    self._timed("read", client, "GET", f"/v1/articles/{article['id']}")

    def figures(self) -> Figures:
        """How many requests failed, and how long stores and reads took."""
        return {
            "failed": self.failed,
            **milliseconds("a store meanwhile", self.seconds["store"]),
            **milliseconds("a read meanwhile", self.seconds["read"]),
        }

    def _timed(self, kind: str, client: httpx2.Client, method: str, path: str, body: Any = None) -> Any:
        began = time.perf_counter()
        answer = client.request(method, path, json=body)
        with self._lock:
            self.seconds[kind].append(time.perf_counter() - began)
            self.failed += answer.status_code >= 400
        return answer.json() if answer.status_code < 400 else None


def file_of(annotations: int) -> bytes:
    """A CSV file of that many annotations by a single coder, each of another text."""
    rows = (f"mira,{_TEXT.format(number=number)},Courier,foreign_hand,reported" for number in range(annotations))
    return "\n".join(["coder,text,source,frame,stance", *rows]).encode()


def import_under_load(folder: Path, annotations: int, progress: Progress = silent) -> Figures:
    """Imports a file twice, so that the second replaces the first, while clients store and read."""
    imported: list[int] = []
    command = product(folder, max_body_mib="64")
    with running(command) as server, httpx2.Client(base_url=server.address, timeout=None) as client:
        content = file_of(annotations)
        with StoringAndReading(server.address) as clients:
            for turn in (1, 2):
                answer = client.post("/v1/annotations/import?format=csv-long", content=content)
                imported.append(answer.json().get("annotations", 0))
                progress(turn / 2)
    return {
        "annotations imported": sum(imported),
        "articles stored meanwhile": len(clients.seconds["store"]),
        **clients.figures(),
    }
