"""Coders' annotations: kept as a history, of which one code a coder and unit is in force."""

import hashlib
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Row, Select, func, insert, select, update

from labels.annotations import Annotation, CodedParagraph, Stance
from service.store.tables import annotations, articles, paragraphs

Role = Literal["coder", "adjudicator"]
Selection = Literal["random", "uncertain", "chosen"]

_ARTICLE_ID = re.compile("[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Unit:
    """What is coded: a paragraph of a stored article, or a text of the coder's own."""

    key: str
    source: str
    article_number: int | None = None
    article_id: str | None = None
    paragraph: int | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class NewAnnotation:
    """One coder's decision on a unit, and how the unit came to be coded."""

    coder: str
    role: Role
    unit: Unit
    frames: Mapping[str, Stance]
    note: str
    codebook_version: int
    selection: Selection = "chosen"
    inclusion_probability: float | None = None


@dataclass(frozen=True, slots=True)
class StoredAnnotation:
    """An annotation as it was stored; `replaced_at` is None while it is in force."""

    id: str
    annotation: NewAnnotation
    created_at: datetime
    replaced_at: datetime | None


@dataclass(frozen=True, slots=True)
class Filters:
    """Which annotations to list; `history` includes those that were replaced."""

    coder: str | None = None
    article_id: str | None = None
    source: str | None = None
    selection: Selection | None = None
    history: bool = False


def article_unit(connection: Connection, article_id: str, paragraph: int) -> Unit | None:
    """The unit of a stored paragraph; None where there is no such article or paragraph."""
    row = connection.execute(
        select(articles.c.number, articles.c.outlet)
        .select_from(articles)
        .join(paragraphs, paragraphs.c.article_number == articles.c.number)
        .where(articles.c.id == article_id, paragraphs.c.paragraph == paragraph)
    ).first()
    if row is None:
        return None
    return Unit(f"{article_id}:{paragraph}", row.outlet or "stored", row.number, article_id, paragraph)


def text_unit(source: str, text: str) -> Unit:
    """The unit of a text of the coder's own."""
    digest = hashlib.sha256(f"{source}\0{text}".encode()).hexdigest()
    return Unit(f"text:{digest[:48]}", source, text=text)


def add(connection: Connection, new: NewAnnotation) -> StoredAnnotation:
    """Stores a code; the one that the same coder gave the unit before stays as history."""
    now = datetime.now(UTC)
    connection.execute(
        update(annotations)
        .where(
            annotations.c.coder == new.coder,
            annotations.c.role == new.role,
            annotations.c.unit == new.unit.key,
            annotations.c.replaced_at.is_(None),
        )
        .values(replaced_at=now)
    )
    identifier = uuid.uuid4().hex
    connection.execute(
        insert(annotations),
        {
            "id": identifier,
            "coder": new.coder,
            "role": new.role,
            "unit": new.unit.key,
            "article_number": new.unit.article_number,
            "paragraph": new.unit.paragraph,
            "source": new.unit.source,
            "text": new.unit.text,
            "frames": dict(new.frames),
            "note": new.note,
            "codebook_version": new.codebook_version,
            "selection": new.selection,
            "inclusion_probability": new.inclusion_probability,
            "created_at": now,
        },
    )
    return StoredAnnotation(identifier, new, now, None)


def remove(connection: Connection, identifier: str, *, coder: str | None = None) -> bool:
    """Takes an annotation, of that coder if named, out of force; False where there is none. Its history stays."""
    own = () if coder is None else (annotations.c.coder == coder,)
    done = connection.execute(
        update(annotations)
        .where(annotations.c.id == identifier, annotations.c.replaced_at.is_(None), *own)
        .values(replaced_at=datetime.now(UTC))
    )
    return done.rowcount > 0


def listing(
    connection: Connection, filters: Filters, after: int | None, limit: int
) -> tuple[list[StoredAnnotation], int | None]:
    """Up to `limit` annotations, newest first, and the number to go on after, or None."""
    query = _query().where(*_conditions(filters)).order_by(annotations.c.number.desc()).limit(limit + 1)
    if after is not None:
        query = query.where(annotations.c.number < after)
    rows = connection.execute(query).all()
    page = rows[:limit]
    return [_stored(row) for row in page], page[-1].number if len(rows) > limit else None


def count_since(connection: Connection, moment: datetime | None) -> int:
    """How many codes in force were given after a moment, or ever."""
    query = select(func.count()).select_from(annotations).where(annotations.c.replaced_at.is_(None))
    if moment is not None:
        query = query.where(annotations.c.created_at > moment)
    return connection.scalar(query) or 0


def count_by(connection: Connection, coder: str) -> int:
    """How many codes of a coder are in force."""
    query = select(func.count()).where(annotations.c.coder == coder, annotations.c.replaced_at.is_(None))
    return connection.scalar(query) or 0


def coded_paragraphs(connection: Connection, frames: Sequence[str], *, adjudicated: bool) -> tuple[CodedParagraph, ...]:
    """All units in force as coded paragraphs, ready for training or agreement.

    `adjudicated` lets an adjudicator's code stand for the unit; without it only the coders' own codes are given.
    Frames that the codebook no longer has are left out.
    """
    query = _in_force_with_text().order_by(annotations.c.unit, annotations.c.number)
    units: dict[str, list[Row[Any]]] = {}
    for row in connection.execute(query):
        units.setdefault(row.unit, []).append(row)
    found = (_coded(rows, frozenset(frames), adjudicated=adjudicated) for rows in units.values())
    return tuple(paragraph for paragraph in found if paragraph is not None)


def is_of_stored_article(paragraph: CodedParagraph) -> bool:
    """Whether a coded paragraph is one of an article that is, or was, stored; not a text of its coder, nor a corpus."""
    return _ARTICLE_ID.fullmatch(paragraph.article) is not None


def in_force(connection: Connection) -> list[tuple[StoredAnnotation, str]]:
    """Every annotation in force with the text of its paragraph, the oldest first."""
    query = _in_force_with_text().order_by(annotations.c.number)
    return [(_stored(row), _unit_text(row)) for row in connection.execute(query)]


def paragraph_text(connection: Connection, article_id: str, paragraph: int) -> str | None:
    """The text of a stored paragraph; None where there is none."""
    row = connection.execute(
        select(articles.c.text, paragraphs.c.start_offset, paragraphs.c.end_offset)
        .select_from(articles)
        .join(paragraphs, paragraphs.c.article_number == articles.c.number)
        .where(articles.c.id == article_id, paragraphs.c.paragraph == paragraph)
    ).first()
    return None if row is None else row.text[row.start_offset : row.end_offset]


def settled_by(connection: Connection) -> dict[tuple[str, int], str]:
    """The adjudicator of each settled unit, by article and paragraph as `coded_paragraphs` names them."""
    query = _query().where(annotations.c.replaced_at.is_(None), annotations.c.role == "adjudicator")
    return {
        (row.unit, 0) if row.article_id is None else (row.article_id, row.paragraph): row.coder
        for row in connection.execute(query.order_by(annotations.c.number))
    }


def _coded(rows: Sequence[Row[Any]], frames: frozenset[str], *, adjudicated: bool) -> CodedParagraph | None:
    settled = [row for row in rows if row.role == "adjudicator"]
    counted = settled[-1:] if adjudicated and settled else [row for row in rows if row.role == "coder"]
    if not counted:
        return None
    first = rows[0]
    own = first.text is not None
    return CodedParagraph(
        article=first.unit if own else first.article_id,
        index=0 if own else first.paragraph,
        source=first.source,
        text=_unit_text(first),
        annotations=tuple(
            Annotation(row.coder, {f: stance for f, stance in row.frames.items() if f in frames}) for row in counted
        ),
    )


def _in_force_with_text() -> Select[Any]:
    """Annotations in force, with what `_unit_text` needs to find the text that was coded."""
    return (
        _query(articles.c.text.label("article_text"), paragraphs.c.start_offset, paragraphs.c.end_offset)
        .outerjoin(
            paragraphs,
            (paragraphs.c.article_number == annotations.c.article_number)
            & (paragraphs.c.paragraph == annotations.c.paragraph),
        )
        .where(annotations.c.replaced_at.is_(None))
    )


def _unit_text(row: Row[Any]) -> str:
    """The coder's own text, or that of the stored paragraph."""
    return str(row.text if row.text is not None else row.article_text[row.start_offset : row.end_offset])


def _query(*columns: Any) -> Select[Any]:
    return (
        select(annotations, articles.c.id.label("article_id"), *columns)
        .select_from(annotations)
        .outerjoin(articles, articles.c.number == annotations.c.article_number)
    )


def _conditions(filters: Filters) -> list[ColumnElement[bool]]:
    wanted = {
        annotations.c.coder: filters.coder,
        annotations.c.source: filters.source,
        annotations.c.selection: filters.selection,
        articles.c.id: filters.article_id,
    }
    conditions = [column == value for column, value in wanted.items() if value is not None]
    return conditions if filters.history else [*conditions, annotations.c.replaced_at.is_(None)]


def _stored(row: Row[Any]) -> StoredAnnotation:
    unit = Unit(row.unit, row.source, row.article_number, row.article_id, row.paragraph, row.text)
    annotation = NewAnnotation(
        coder=row.coder,
        role=row.role,
        unit=unit,
        frames=row.frames,
        note=row.note,
        codebook_version=row.codebook_version,
        selection=row.selection,
        inclusion_probability=row.inclusion_probability,
    )
    return StoredAnnotation(row.id, annotation, row.created_at, row.replaced_at)
