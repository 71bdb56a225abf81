"""Articles of files put into the service: into its database, or by requests to a running server.

An interrupted run is given again: articles that are stored are recognised without being scored.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Literal, Protocol
from urllib.parse import urlsplit

from labels.errors import FramingError
from service.articles.ingest import (
    Scored,
    Submission,
    metadata_of,
    require_no_conflict,
    scored_unless_stored,
    store_articles,
)
from service.bulk.inputs import Dialect, find_files, plan
from service.bulk.records import Columns, Record, delimiters_of, pieces, require_columns
from service.bulk.requests import request_of
from service.errors import ConflictError
from service.outbound.client import Bounds, Outbound
from service.schemas.articles import ArticleRequest
from service.settings import Settings
from service.store.articles import Placement
from service.store.callers import COMMAND_LINE
from service.store.sql.database import Database
from training.errors import OutboundError, OutboundRefusedError
from training.outbound.policy import policy_of_place
from training.scoring.frame_model import FrameModel

_AT_ONCE = 32
_EXAMPLES = 20
_SERVER_BOUNDS = Bounds(seconds=600, size=256 * 2**20)
_TRIES = 8
_BUSY = (429, 503)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an article; `detail` says why it was not stored."""

    kind: Literal["stored", "same", "replaced", "conflict", "problem"]
    detail: str = ""


class Store(Protocol):
    """Where articles are put."""

    def store(self, requests: Sequence[ArticleRequest]) -> Sequence[Outcome]:
        """Stores articles; what is returned as stored is stored."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How files are read: columns of the fields, encoding and delimiter, and the outlet of articles that name none.

    `hosts` are those to which the URL of a file may lead on.
    """

    columns: Columns
    dialect: Dialect
    outlet: str | None = None
    hosts: tuple[str, ...] = ()


@dataclass(slots=True)
class Ingested:
    """Numbers of articles by what became of them, and the first that were not stored, with the reason.

    `encodings` counts the articles by the encoding of their file, and `delimiters` says of tables what separates their
    cells where it is no comma.
    """

    stored: int = 0
    same: int = 0
    replaced: int = 0
    conflict: int = 0
    problem: int = 0
    files_passed_over: int = 0
    examples: list[str] = field(default_factory=list)
    encodings: dict[str, int] = field(default_factory=dict)
    delimiters: list[str] = field(default_factory=list)

    @property
    def is_in_vain(self) -> bool:
        """Whether no article is stored, by this run or before."""
        return self.stored + self.same + self.replaced == 0

    @property
    def seen(self) -> int:
        """Number of articles so far."""
        return self.stored + self.same + self.replaced + self.conflict + self.problem

    def count(self, record: Record, outcome: Outcome) -> None:
        """Counts an article."""
        if record.encoding is not None:
            self.encodings[record.encoding] = self.encodings.get(record.encoding, 0) + 1
        setattr(self, outcome.kind, getattr(self, outcome.kind) + 1)
        if outcome.detail and len(self.examples) < _EXAMPLES:
            self.examples.append(f"{record.name}: {outcome.detail}")


def ingest(
    inputs: Sequence[str], reading: Reading, store: Store, progress: Callable[[Ingested, float], None]
) -> Ingested:
    """Stores the articles of files; `progress` gets the numbers so far and the share of the input."""
    files, passed_over = find_files(inputs, reading.hosts)
    parts = list(plan(files, dialect=reading.dialect))
    total, size = sum(part.size for part in parts), 0
    require_columns(parts, reading.columns)
    ingested = Ingested(files_passed_over=len(passed_over), delimiters=list(delimiters_of(parts)))
    for part in parts:
        records = (record for piece in pieces(part, reading.columns) for record in piece.records)
        while batch := list(islice(records, _AT_ONCE)):
            _store(batch, reading, store, ingested)
            progress(ingested, size / max(total, 1))
        size += part.size
    progress(ingested, 1.0)
    return ingested


def _store(records: Sequence[Record], reading: Reading, store: Store, ingested: Ingested) -> None:
    requests: list[tuple[Record, ArticleRequest]] = []
    for record in records:
        try:
            requests.append((record, request_of(record, outlet=reading.outlet)))
        except FramingError as error:
            ingested.count(record, Outcome("problem", str(error)))
    outcomes = store.store([request for _, request in requests]) if requests else ()
    for (record, _), outcome in zip(requests, outcomes, strict=True):
        ingested.count(record, outcome)


class IntoDatabase:
    """Scores articles with a model and stores them in the database."""

    def __init__(self, database: Database, model: FrameModel, settings: Settings, *, replace: bool) -> None:
        self._database, self._model, self._settings, self._replace = database, model, settings, replace

    def store(self, requests: Sequence[ArticleRequest]) -> Sequence[Outcome]:
        scored = [self._scored(request) for request in requests]
        submissions = [
            Submission(article.new, COMMAND_LINE, replace=self._replace)
            for article in scored
            if isinstance(article, Scored)
        ]
        placements = iter(self._placements(submissions) if submissions else ())
        return [
            article if isinstance(article, Outcome) else _outcome(request, _placed(article, placements))
            for request, article in zip(requests, scored, strict=True)
        ]

    def _placements(self, submissions: Sequence[Submission]) -> list[Placement]:
        with self._database.write() as connection:
            receipts = store_articles(connection, submissions, hours=self._settings.idempotency_hours)
        return [receipt.placement for receipt in receipts]

    def _scored(self, request: ArticleRequest) -> Scored | Placement | Outcome:
        try:
            return scored_unless_stored(self._database, request, self._model, self._settings, replace=self._replace)
        except FramingError as error:
            return Outcome("problem", str(error))


def _placed(article: Scored | Placement, placements: Iterator[Placement]) -> Placement:
    """What became of an article: known before it was scored, or the next of those that were stored."""
    return next(placements) if isinstance(article, Scored) else article


def _outcome(request: ArticleRequest, placement: Placement) -> Outcome:
    try:
        require_no_conflict(placement, metadata_of(request))
    except ConflictError as error:
        return Outcome("conflict", str(error))
    return Outcome(placement.outcome)


class ServerError(FramingError):
    """The server cannot be reached, or refuses the request as a whole."""


class IntoServer:
    """Sends articles to a running server, which scores and stores them; waits while it is busy."""

    def __init__(self, url: str, key: str | None, *, replace: bool) -> None:
        address = urlsplit(url if "://" in url else f"http://{url}")
        if address.scheme not in ("http", "https") or not address.hostname:
            raise ServerError(f"'{url}' is not the address of a server, such as http://127.0.0.1:8000.")
        self._place = f"{address.scheme}://{address.netloc.rpartition('@')[2]}"
        path = f"{address.path.rstrip('/')}/v1/articles:batch{'?replace=true' if replace else ''}"
        self._url = f"{self._place}{path}"
        try:
            self._outbound = Outbound(policy_of_place(self._place), _SERVER_BOUNDS)
        except OutboundRefusedError as error:
            raise ServerError(str(error)) from error
        self._headers = {"Content-Type": "application/x-ndjson"}
        if key:
            self._headers["Authorization"] = f"Bearer {key}"

    def store(self, requests: Sequence[ArticleRequest]) -> Sequence[Outcome]:
        lines = [request.model_dump_json(exclude_none=True, exclude_defaults=True) for request in requests]
        answers = self._answers("".join(f"{line}\n" for line in lines).encode())
        if len(answers) != len(requests):
            raise ServerError("The server did not answer every article; give the same command again to resume.")
        return [_answered(answer) for answer in answers]

    def _answers(self, body: bytes) -> list[dict[str, Any]]:
        for attempt in range(_TRIES):
            status, content, wait = self._sent(body)
            if status == 200:
                return [json.loads(line) for line in content.split(b"\n") if line.strip()]
            if status not in _BUSY or attempt == _TRIES - 1:
                break
            time.sleep(min(wait or 2.0**attempt, 60))
        raise ServerError(f"The server refuses the articles ({status}): {_detail(content)}")

    def _sent(self, body: bytes) -> tuple[int, bytes, float | None]:
        try:
            answer = self._outbound.post(self._url, body, self._headers)
        except OutboundError as error:
            raise ServerError(f"The server at {self._place} cannot be reached: {error}") from error
        wait = answer.headers.get("retry-after", "")
        return answer.status, answer.content, float(wait) if wait.isdecimal() else None


def _answered(answer: Mapping[str, Any]) -> Outcome:
    if "problem" in answer:
        kind: Literal["conflict", "problem"] = "conflict" if answer["status"] == 409 else "problem"
        return Outcome(kind, answer["problem"]["detail"])
    if answer["status"] == 201:
        return Outcome("stored")
    return Outcome("replaced" if answer.get("replaced") else "same")


def _detail(content: bytes) -> str:
    try:
        return str(json.loads(content)["detail"])
    except (ValueError, KeyError, TypeError):
        return content.decode(errors="replace")[:200]
