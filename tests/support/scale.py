"""A service that has much: keys by the ten thousand, annotations by the million. The tests take fewer of both."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import numpy as np

from service.access.secrets import NewKey, create_key
from service.settings import Settings
from service.store import keys as store
from service.store.sql.database import Database
from tests.support import filled_database
from tests.support.articles import TWO_PARAGRAPHS
from tests.support.import_load import StoringAndReading
from tests.support.ledger import Figures, Progress, milliseconds, silent
from tests.support.procfs import own_memory, peak_memory
from tests.support.servers import Running, product, running
from training.registry.versions import Registry

_CLIENTS = 4
_ROUNDS = 2
_REVOKED = 20
# The gate trusts what it read of a key for a second.
_TRUSTED_SECONDS = 1.2
_PARAGRAPHS, _CODERS = 10, 10
_LINES_AT_ONCE = 5000


def many_keys(folder: Path, count: int, progress: Progress = silent) -> Figures:
    """Sends two requests with each of many keys, then revokes some, which must be refused a second later."""
    database = Database(Settings(data_dir=folder).store_url)
    database.migrate()
    with database.write() as connection:
        keys = [create_key(connection, f"key {number}", "submitter") for number in range(count)]
    with running(product(folder)) as server, ThreadPoolExecutor(_CLIENTS) as pool:
        before, failed = own_memory(server.process.pid), 0
        times: list[float] = []
        for turn in range(_ROUNDS):
            shares = [keys[start::_CLIENTS] for start in range(_CLIENTS)]
            for seconds, faults in pool.map(lambda share: _classified(server.address, share), shares):
                times += seconds
                failed += faults
            progress((turn + 1) / (_ROUNDS + 1))
        after, let_in = own_memory(server.process.pid), _let_in_after_revoking(database, server, keys[:_REVOKED])
    database.close()
    return {
        "keys": count,
        "requests": len(times),
        "failed": failed,
        **milliseconds("a request", times),
        "revoked keys let in": let_in,
        "MiB before": round(before),
        "MiB after": round(after),
    }


def _classified(address: str, keys: list[NewKey]) -> tuple[list[float], int]:
    """Classifies with each key; returns the seconds that each request took, and how many failed."""
    times, failed = [], 0
    with httpx2.Client(base_url=address, timeout=60) as client:
        for key in keys:
            began = time.perf_counter()
            answer = client.post("/v1/classify", json={"text": TWO_PARAGRAPHS}, headers=_authorised(key))
            times.append(time.perf_counter() - began)
            failed += answer.status_code != 200
    return times, failed


def _let_in_after_revoking(database: Database, server: Running, keys: list[NewKey]) -> int:
    with database.write() as connection:
        for key in keys:
            store.revoke(connection, key.id)
    time.sleep(_TRUSTED_SECONDS)
    with httpx2.Client(base_url=server.address, timeout=60) as client:
        statuses = [
            client.post("/v1/classify", json={"text": TWO_PARAGRAPHS}, headers=_authorised(key)).status_code
            for key in keys
        ]
    return sum(status != 401 for status in statuses)


def _authorised(key: NewKey) -> dict[str, str]:
    return {"Authorization": f"Bearer {key.shown}"}


def many_annotations(folder: Path, count: int, progress: Progress = silent) -> Figures:
    """Imports many annotations of stored paragraphs while others store and read; then asks for what they lead to."""
    settings = Settings(data_dir=folder)
    articles = max(1, count // (_PARAGRAPHS * _CODERS))
    filled_database.fill(settings, articles, _PARAGRAPHS, lambda _done: None)
    frames = Registry(settings.models_location).load_champion()[0].card.frame_keys
    with running(product(folder)) as server, httpx2.Client(base_url=server.address, timeout=3600) as client:
        imported, began = 0, time.perf_counter()
        with StoringAndReading(server.address) as others:
            for body, share in _corpora(articles, frames[0]):
                answer = client.post("/v1/annotations/import?format=corpus", content=body).raise_for_status()
                imported += answer.json()["annotations"]
                progress(0.8 * share)
            seconds = time.perf_counter() - began
        after = _times_of(client, frames[0])
        progress(1.0)
        return {
            "annotations": imported,
            "s for each 100,000": round(seconds / max(imported, 1) * 100_000),
            **others.figures(),
            **after,
            "MiB at most": round(peak_memory(server.process.pid)),
        }


def _corpora(articles: int, frame: str) -> Iterator[tuple[bytes, float]]:
    """Files of annotations by ten coders, who mostly agree, of each paragraph; with the share that is then done."""
    chance, lines, total = np.random.default_rng(1), [], articles * _PARAGRAPHS
    for unit in range(total):
        article, index = divmod(unit, _PARAGRAPHS)
        has_frame = bool(chance.random() < 0.3)
        frames = [{frame: "advanced"} if has_frame != (chance.random() < 0.1) else {} for _ in range(_CODERS)]
        row: dict[str, Any] = {
            "article": f"{article + 1:032x}",
            "index": index,
            "source": f"Outlet {(article + 1) % filled_database.OUTLETS + 1}",
            "text": f"Paragraph {index} of an invented article.",
            "annotations": [{"coder": f"coder {number}", "frames": own} for number, own in enumerate(frames)],
        }
        lines.append(json.dumps(row))
        if len(lines) == _LINES_AT_ONCE or unit == total - 1:
            yield "\n".join(lines).encode(), (unit + 1) / total
            lines = []


def _times_of(client: httpx2.Client, frame: str) -> Figures:
    """The milliseconds of what annotations lead to, each from a cold start and to the end of the answer."""
    requests = {
        "a page of annotations": ("GET", "/v1/annotations?limit=200", None),
        "an annotation": ("POST", "/v1/annotations", _annotation(frame)),
        "a draw for a coder": ("POST", "/v1/coding-queue", {"coder": "a new coder", "n": 20}),
        "agreement": ("GET", "/v1/agreement", None),
        "disagreements": ("GET", "/v1/disagreements", None),
        "progress of coders": ("GET", "/v1/coders", None),
        "corrected shares": ("GET", "/v1/prevalence?by=week", None),
        "an export of all": ("GET", "/v1/annotations/export?format=corpus", None),
    }
    figures: Figures = {}
    for label, (method, path, body) in requests.items():
        began = time.perf_counter()
        client.request(method, path, json=body).raise_for_status()
        figures[f"ms for {label}"] = round(1000 * (time.perf_counter() - began))
    return figures


def _annotation(frame: str) -> dict[str, Any]:
    return {"coder": "a new coder", "text": "The rain went on.", "source": "radio", "frames": {frame: "reported"}}
