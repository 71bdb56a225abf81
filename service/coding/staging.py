"""The annotations of a file on their way into the database: checked, staged, then stored all at once.

Everything that takes long comes before the lock of writers: what the file says is checked, the paragraphs are looked
up, and the rows are brought into a temporary table. Under the lock, a few statements remain, whatever the file.
"""

import json
import secrets
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Float,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    cast,
    insert,
    literal,
    or_,
    select,
    update,
)

from labels.codebook import Codebook
from labels.errors import CodebookError, ExchangeError
from labels.exchange import ExchangedAnnotation
from service.errors import require_frames
from service.schemas.annotations import AnnotationRequest
from service.store.annotations import CodingUnit, NewAnnotation, text_unit
from service.store.sql.database import Database
from service.store.sql.insertion import UtcDateTime
from service.store.sql.staging import writing_with
from service.store.tables import annotations, articles, paragraphs

_ARTICLES_AT_ONCE = 500

# Not among the tables of the database: it lives on a connection, and holds the rows of a single import.
_STAGED = Table(
    "staged_annotations",
    MetaData(),
    # The order of the file. As the key, it spares sorting under the lock.
    Column("place", Integer, primary_key=True, autoincrement=False),
    Column("id", String(32), nullable=False),
    Column("coder", String(128), nullable=False),
    Column("role", String(16), nullable=False),
    Column("unit", String(64), nullable=False),
    Column("article_number", BigInteger),
    # Digest of the text that the paragraph was looked up in.
    Column("article_sha256", String(64)),
    Column("paragraph", Integer),
    Column("source", String(256), nullable=False),
    Column("text", Text),
    Column("frames", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("codebook_version", Integer, nullable=False),
    Column("covered", Text),
    Column("unsure", Boolean, nullable=False),
    Column("selection", String(16), nullable=False),
    Column("inclusion_probability", Float),
    prefixes=["TEMPORARY"],
)
_COPIED = tuple(column.name for column in _STAGED.columns if column.name in annotations.columns)
_IN_JSON = ("frames", "covered")


class ArticlesChangedError(Exception):
    """An article that the rows were prepared for has been deleted, or has another text."""


@dataclass(frozen=True, slots=True)
class Place:
    """What an annotation of a file belongs to; `article_sha256` identifies the text of the stored article."""

    unit: CodingUnit
    article_sha256: str | None = None


def require_storable(read: Iterable[ExchangedAnnotation], codebook: Codebook) -> None:
    """Raises `ExchangeError` with every annotation that `POST /v1/annotations` would not accept."""
    faults = [f"{annotation.where}: {fault}" for annotation in read if (fault := _fault(annotation, codebook))]
    if faults:
        raise ExchangeError("The file", faults)


def _fault(annotation: ExchangedAnnotation, codebook: Codebook) -> str | None:
    covered = None if annotation.covered is None else sorted(annotation.covered)
    try:
        request = AnnotationRequest(
            coder=annotation.coder,
            role=annotation.role,
            text=annotation.text,
            source=annotation.source,
            frames=dict(annotation.frames),
            covered=covered,
            note=annotation.note,
        )
        require_frames([*request.frames, *(covered or ())], codebook.keys, "frames", owner="codebook")
    except ValidationError as error:
        fault = error.errors(include_input=False)[0]
        return f"'{'/'.join(map(str, fault['loc']))}': {fault['msg'].removeprefix('Value error, ')}"
    except CodebookError as error:
        return str(error).rstrip(".")
    return None


def places_of(connection: Connection, read: Sequence[ExchangedAnnotation]) -> list[Place]:
    """What each annotation belongs to: the stored paragraph that it names, if that has its text; else its own text.

    Raises `ExchangeError` for paragraphs of former versions that a stored article does not have.
    """
    named = [(a.article_id, a.paragraph) for a in read if a.article_id is not None and a.paragraph is not None]
    stored = _stored_paragraphs(connection, {_key(*name) for name in named}, dict.fromkeys(name for name, _ in named))
    former = _former_paragraphs(connection, {_key(*name) for name in named if name[1] < 0})
    places, faults = [], []
    for annotation in read:
        article, paragraph = annotation.article_id, annotation.paragraph
        known = None
        if article is not None and paragraph is not None and article in stored:
            known = (former if paragraph < 0 else stored[article]).get(_key(article, paragraph))
            if known is None and paragraph < 0:
                faults.append(f"{annotation.where}: the article {article} has no paragraph {paragraph}")
        if known is not None and known[1] == annotation.text:
            places.append(known[0])
        else:
            places.append(Place(text_unit(annotation.source, annotation.text)))
    if faults:
        raise ExchangeError("The file", faults)
    return places


# A paragraph with its text, by the key of its unit.
_Known = Mapping[str, tuple[Place, str]]


def _key(article_id: str, paragraph: int) -> str:
    return f"{article_id}:{paragraph}"


def _stored_paragraphs(
    connection: Connection, keys: Collection[str], identifiers: Collection[str]
) -> Mapping[str, _Known]:
    """The paragraphs with these keys, by article; an article without any of them has an entry if it is stored."""
    known: dict[str, _Known] = {}
    waiting = list(identifiers)
    for begin in range(0, len(waiting), _ARTICLES_AT_ONCE):
        known |= _paragraphs_of(connection, keys, waiting[begin : begin + _ARTICLES_AT_ONCE])
    return known


def _paragraphs_of(connection: Connection, keys: Collection[str], identifiers: Sequence[str]) -> Mapping[str, _Known]:
    columns = (articles.c.number, articles.c.id, articles.c.outlet, articles.c.text, articles.c.content_sha256)
    rows = {row.number: row for row in connection.execute(select(*columns).where(articles.c.id.in_(identifiers)))}
    known: dict[str, dict[str, tuple[Place, str]]] = {row.id: {} for row in rows.values()}
    for piece in connection.execute(select(paragraphs).where(paragraphs.c.article_number.in_(list(rows)))):
        row = rows[piece.article_number]
        key = _key(row.id, piece.paragraph)
        if key in keys:  # the texts of all others would fill the memory
            unit = CodingUnit(key, row.outlet or "stored", row.number, row.id, piece.paragraph)
            known[row.id][key] = (Place(unit, row.content_sha256), row.text[piece.start_offset : piece.end_offset])
    return known


def _former_paragraphs(connection: Connection, keys: Collection[str]) -> _Known:
    """Paragraphs of former versions, which annotations hold with their text (`service.store.replacement`)."""
    known: dict[str, tuple[Place, str]] = {}
    waiting = list(keys)
    for begin in range(0, len(waiting), _ARTICLES_AT_ONCE):
        query = (
            select(annotations, articles.c.id.label("article_id"), articles.c.content_sha256)
            .join(articles, articles.c.number == annotations.c.article_number)
            .where(annotations.c.unit.in_(waiting[begin : begin + _ARTICLES_AT_ONCE]))
        )
        for row in connection.execute(query):
            unit = CodingUnit(row.unit, row.source, row.article_number, row.article_id, row.paragraph, row.text)
            known[row.unit] = (Place(unit, row.content_sha256), row.text)
    return known


@contextmanager
def storing(database: Database, new: Iterable[tuple[NewAnnotation, Place]]) -> Iterator[Connection]:
    """Stores annotations at once, and the rest of the transaction with them; raises `ArticlesChangedError`.

    A coder's previous annotation of a unit stays in the history. No coder may have two of a unit among the new ones.
    """
    with writing_with(database, _STAGED, _rows(new)) as connection:
        _require_unchanged(connection)
        _store_staged(connection)
        yield connection


def _rows(new: Iterable[tuple[NewAnnotation, Place]]) -> Iterator[tuple[Any, ...]]:
    # Ids that rise go to the end of their index, which saves a third of the time under the lock.
    begin = f"{time.time_ns() // 1_000_000:012x}"[-12:]
    for number, (annotation, place) in enumerate(new):
        unit = place.unit
        yield (
            number,
            f"{begin}{number:08x}{secrets.token_hex(6)}",
            annotation.coder,
            annotation.role,
            unit.key,
            unit.article_number,
            place.article_sha256,
            unit.paragraph,
            unit.source,
            unit.text,
            json.dumps(dict(annotation.frames)),
            annotation.note,
            annotation.codebook_version,
            None if annotation.covered is None else json.dumps(sorted(annotation.covered)),
            annotation.unsure,
            annotation.selection,
            annotation.inclusion_probability,
        )


def _require_unchanged(connection: Connection) -> None:
    changed = or_(articles.c.number.is_(None), articles.c.content_sha256 != _STAGED.c.article_sha256)
    query = (
        select(literal(1))
        .select_from(_STAGED.outerjoin(articles, articles.c.number == _STAGED.c.article_number))
        .where(_STAGED.c.article_number.is_not(None), changed)
    )
    if connection.execute(query.limit(1)).first() is not None:
        raise ArticlesChangedError


def _store_staged(connection: Connection) -> None:
    now = datetime.now(UTC)
    same = [annotations.c[name] == _STAGED.c[name] for name in ("coder", "role", "unit")]
    replaced = select(annotations.c.number).select_from(_STAGED).join(annotations, same[0] & same[1] & same[2])
    in_force = annotations.c.replaced_at.is_(None)
    of_staged = annotations.c.number.in_(replaced.where(in_force))
    connection.execute(update(annotations).where(of_staged).values(replaced_at=now))
    copied = [_copied(connection, name) for name in _COPIED]
    rows = select(*copied, literal(now, UtcDateTime)).order_by(_STAGED.c.place)
    connection.execute(insert(annotations).from_select([*_COPIED, "created_at"], rows))


def _copied(connection: Connection, name: str) -> ColumnElement[Any]:
    column = _STAGED.c[name]
    # SQLite stores JSON as text.
    return cast(column, JSON) if name in _IN_JSON and connection.dialect.name == "postgresql" else column
