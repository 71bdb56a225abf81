"""Clients that write while faults happen, and the ledger that shows whether a write was lost or doubled."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import httpx2
import numpy as np

from tests.support.articles import TWO_PARAGRAPHS
from tests.support.crew import Crew

_RETRY_SECONDS = 0.05
_WRITERS = 4

# What a fault led to, each count under its description.
Figures = dict[str, int]
# Called with the share (0 to 1) that is done.
Progress = Callable[[float], None]


def milliseconds(label: str, seconds: Sequence[float]) -> Figures:
    """The median and the 99th percentile of what took so many seconds."""
    median, slow = 1000 * np.percentile(list(seconds), (50, 99))
    return {f"ms for {label} (median)": round(median), f"ms for {label} (p99)": round(slow)}


def silent(_share: float) -> None:
    """For callers that show no progress."""


@dataclass(slots=True)
class Ledger:
    """What the service has acknowledged.

    `articles` maps external ids to ids, `annotations` ids of articles to the external ids; `models` are the versions
    that scored them.
    """

    articles: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    models: set[str] = field(default_factory=set)

    def check(self, client: httpx2.Client) -> Figures:
        """Counts what was acknowledged, and how much of that is lost (or changed) or stored twice."""
        ids: dict[str, list[str]] = {}
        for article in _all(client, "/v1/articles", "articles"):
            ids.setdefault(article["external_id"], []).append(article["id"])
        stored = Counter(annotation["article_id"] for annotation in _all(client, "/v1/annotations", "annotations"))
        return {
            "articles acknowledged": len(self.articles),
            "annotations acknowledged": len(self.annotations),
            "lost": sum(ids.get(external) != [identifier] for external, identifier in self.articles.items())
            + sum(stored[article] == 0 for article in self.annotations),
            "doubled": sum(len(identifiers) > 1 for identifiers in ids.values())
            + sum(stored[article] > 1 for article in self.annotations),
        }


def _all(client: httpx2.Client, path: str, name: str) -> Iterator[Any]:
    cursor = None
    while True:
        page = client.get(path, params={"limit": 200, **({"cursor": cursor} if cursor else {})}).json()
        yield from page[name]
        cursor = page.get("next")
        if cursor is None:
            return


class Insistent(Crew):
    """Clients that repeat a request until the answer is not 503."""

    def __init__(self, size: int, address: str = "") -> None:
        super().__init__(size)
        self.address = address
        self.refused = 0
        self._lock = threading.Lock()

    def insist(self, client: httpx2.Client, method: str, path: str, body: Any = None, key: str = "") -> Any:
        """Returns the answer, all attempts under the same Idempotency-Key; None if the crew is stopped before."""
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
    """Clients that store articles, annotate them, and record what has been acknowledged."""

    def __init__(self, ledger: Ledger, name: str = "w", address: str = "") -> None:
        super().__init__(_WRITERS, address)
        self.ledger = ledger
        self._name = name

    def work(self, number: int) -> None:
        count = 0
        with httpx2.Client(timeout=20) as client:
            while not self.stop.is_set():
                external = f"{self._name}{number}-{count}"
                body = {
                    "text": f"{TWO_PARAGRAPHS} {external}.",
                    "external_id": external,
                    "outlet": f"Outlet {number}",
                }
                article = self.insist(client, "POST", "/v1/articles", body, external)
                if article is not None:
                    self.ledger.articles[external] = article["id"]
                    self.ledger.models.add(article["model"]["version"])
                    annotation = {"coder": "ana", "article_id": article["id"], "paragraph": 0, "frames": {}}
                    if self.insist(client, "POST", "/v1/annotations", annotation, external) is not None:
                        self.ledger.annotations[article["id"]] = external
                count += 1
