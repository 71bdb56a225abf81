"""Gold items, adjudicated paragraphs by which coders train, and what coders answered to them.

The label of an item is the adjudication in force, so an item whose adjudication was deleted is given to nobody. Answers
are no annotations: they train no model and correct no share.
"""

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, func, insert, select, update

from labels.annotations import Annotation, Stance, annotation_today
from labels.codebook import Codebook
from service.errors import NotFoundError
from service.store.annotations import CodingUnit, today
from service.store.draws import AssignedParagraph, is_annotated, same_paragraph
from service.store.sql.paging import newest_page
from service.store.tables import annotations, articles, draws, gold_answers, gold_items, paragraphs


@dataclass(frozen=True, slots=True)
class GoldItem:
    """A gold item; `text` is that of its paragraph, `withdrawn_at` None while coders receive it."""

    number: int
    id: str
    article_id: str
    paragraph: int
    title: str | None
    outlet: str | None
    text: str
    explanation: str
    created_by: str
    created_at: datetime
    withdrawn_at: datetime | None


@dataclass(frozen=True, slots=True)
class Settled:
    """The adjudicated label of an item, in the frames of today's codebook, and the note of the adjudicator."""

    label: Annotation
    note: str


@dataclass(frozen=True, slots=True)
class GoldAnswer:
    """What a coder answered to an item, in the frames of today's codebook."""

    item: int
    coder: str
    label: Annotation
    answered_at: datetime


def is_settled(connection: Connection, unit: str) -> bool:
    """Whether an adjudication of a unit is in force."""
    return (
        connection.scalar(select(annotations.c.number).where(annotations.c.unit == unit, *_SETTLED).limit(1))
        is not None
    )


def add(connection: Connection, unit: CodingUnit, explanation: str, created_by: str) -> str:
    """Makes a settled paragraph a gold item, also if it was withdrawn before, and returns its id."""
    now = datetime.now(UTC)
    values = {"explanation": explanation, "created_by": created_by, "created_at": now, "withdrawn_at": None}
    of_unit = gold_items.c.unit == unit.key
    identifier: str | None = connection.scalar(select(gold_items.c.id).where(of_unit))
    if identifier is not None:
        connection.execute(update(gold_items).where(of_unit).values(**values))
        return identifier
    identifier = uuid.uuid4().hex
    place = {"unit": unit.key, "article_number": unit.article_number, "paragraph": unit.paragraph}
    connection.execute(insert(gold_items), {"id": identifier, **place, **values})
    return identifier


def withdraw(connection: Connection, identifier: str) -> bool:
    """Gives an item to nobody any longer; its answers still count. False if no item in use has the id."""
    this = gold_items.c.id == identifier, gold_items.c.withdrawn_at.is_(None)
    return connection.execute(update(gold_items).where(*this).values(withdrawn_at=datetime.now(UTC))).rowcount > 0


def require(connection: Connection, identifier: str) -> GoldItem:
    """The item with an id; raises `NotFoundError` without it."""
    row = connection.execute(_items().where(gold_items.c.id == identifier)).first()
    if row is None:
        raise NotFoundError(f"No gold item has the id {identifier}.")
    return _item(row)


def listing(connection: Connection, after: int | None, limit: int) -> tuple[list[GoldItem], int | None]:
    """Up to `limit` items in use, newest first, and the number after which the next page starts, or None."""
    in_use = _items().where(gold_items.c.withdrawn_at.is_(None))
    rows, following = newest_page(connection, in_use, gold_items.c.number, after, limit)
    return [_item(row) for row in rows], following


def count_ready(connection: Connection) -> int:
    """Number of items that coders can receive."""
    query = select(func.count()).select_from(gold_items).where(gold_items.c.withdrawn_at.is_(None), _is_settled())
    return connection.scalar(query) or 0


def settled(connection: Connection, codebook: Codebook) -> Mapping[int, Settled]:
    """The label of each item whose paragraph is settled, by the number of the item."""
    query = (
        select(annotations, gold_items.c.number.label("item"))
        .join(gold_items, gold_items.c.unit == annotations.c.unit)
        .where(*_SETTLED)
        .order_by(annotations.c.number)
    )
    return {row.item: Settled(today(row, codebook), row.note) for row in connection.execute(query)}


def waiting_for(connection: Connection, coder: str) -> list[int]:
    """The numbers of the items that a coder can still train with, in an order that is random but stays the same.

    Left out is what the coder has answered, annotated or adjudicated, or has to annotate.
    """
    known = (
        select(gold_answers.c.number).where(
            gold_answers.c.item_number == gold_items.c.number, gold_answers.c.coder == coder
        ),
        select(draws.c.number).where(draws.c.unit == gold_items.c.unit, draws.c.coder == coder),
    )
    unknown = [~query.correlate(gold_items).exists() for query in known]
    unknown.append(~is_annotated(gold_items.c.unit, coder))
    query = select(gold_items.c.number, gold_items.c.unit)
    rows = connection.execute(query.where(gold_items.c.withdrawn_at.is_(None), _is_settled(), *unknown)).all()
    return [row.number for row in sorted(rows, key=lambda row: _place(coder, row.unit))]


def _place(coder: str, unit: str) -> bytes:
    return hashlib.sha256(f"{coder}\0{unit}".encode()).digest()


def tasks(connection: Connection, numbers: Sequence[int]) -> list[AssignedParagraph]:
    """Items as paragraphs for a coder, in the order of their numbers."""
    query = _items().where(gold_items.c.number.in_(numbers))
    by_number = {row.number: _task(_item(row)) for row in connection.execute(query)}
    return [by_number[number] for number in numbers]


def note_answer(
    connection: Connection, item: GoldItem, coder: str, frames: Mapping[str, Stance], codebook: Codebook
) -> bool:
    """Stores what a coder answered to an item; False if the coder had answered it before, which then still counts."""
    of_both = gold_answers.c.item_number == item.number, gold_answers.c.coder == coder
    if connection.scalar(select(gold_answers.c.number).where(*of_both)) is not None:
        return False
    values = {
        "item_number": item.number,
        "coder": coder,
        "frames": dict(frames),
        "covered": sorted(codebook.keys),
        "codebook_version": codebook.version,
        "answered_at": datetime.now(UTC),
    }
    connection.execute(insert(gold_answers), values)
    return True


def answers(connection: Connection, codebook: Codebook, coder: str | None = None) -> list[GoldAnswer]:
    """All answers, or those of a coder, oldest first."""
    query = select(gold_answers).order_by(gold_answers.c.number)
    if coder is not None:
        query = query.where(gold_answers.c.coder == coder)
    return [_answer(row, codebook) for row in connection.execute(query)]


def answer_times(connection: Connection) -> list[tuple[str, datetime]]:
    """Who has answered an item, and when, for each answer."""
    query = select(gold_answers.c.coder, gold_answers.c.answered_at)
    return [(coder, moment) for coder, moment in connection.execute(query)]


def candidates(connection: Connection, limit: int) -> list[tuple[CodingUnit, str, str]]:
    """Adjudicated stored paragraphs that are not in use as gold items, the newest first, with text and note."""
    in_use = select(gold_items.c.unit).where(gold_items.c.withdrawn_at.is_(None))
    query = (
        select(*(annotations.c[name] for name in ("unit", "source", "note", "article_number", "paragraph")))
        .add_columns(articles.c.id, *_TEXT)
        .join(articles, articles.c.number == annotations.c.article_number)
        .join(paragraphs, same_paragraph(annotations))
        .where(*_SETTLED, annotations.c.unit.not_in(in_use))
        .order_by(annotations.c.number.desc())
        .limit(limit)
    )
    return [
        (CodingUnit(row.unit, row.source, row.article_number, row.id, row.paragraph), _text(row), row.note)
        for row in connection.execute(query)
    ]


_SETTLED = (annotations.c.role == "adjudicator", annotations.c.replaced_at.is_(None))
_TEXT = (articles.c.text, paragraphs.c.start_offset, paragraphs.c.end_offset)


def _is_settled() -> ColumnElement[bool]:
    of_item = annotations.c.unit == gold_items.c.unit
    return select(annotations.c.number).where(of_item, *_SETTLED).correlate(gold_items).exists()


def _items() -> Select[Any]:
    return (
        select(gold_items, articles.c.id.label("article_id"), articles.c.title, articles.c.outlet, *_TEXT)
        .join(articles, articles.c.number == gold_items.c.article_number)
        .join(paragraphs, same_paragraph(gold_items))
    )


def _text(row: Row[Any]) -> str:
    return str(row.text[row.start_offset : row.end_offset])


def _item(row: Row[Any]) -> GoldItem:
    return GoldItem(
        number=row.number,
        id=row.id,
        article_id=row.article_id,
        paragraph=row.paragraph,
        title=row.title,
        outlet=row.outlet,
        text=_text(row),
        explanation=row.explanation,
        created_by=row.created_by,
        created_at=row.created_at,
        withdrawn_at=row.withdrawn_at,
    )


def _task(item: GoldItem) -> AssignedParagraph:
    return AssignedParagraph(
        article_id=item.article_id,
        paragraph=item.paragraph,
        text=item.text,
        title=item.title,
        outlet=item.outlet,
        selection="chosen",
        inclusion_probability=None,
        overlap=False,
        gold_item=item.id,
    )


def _answer(row: Row[Any], codebook: Codebook) -> GoldAnswer:
    label = annotation_today(row.coder, row.frames, codebook, covered=row.covered, version=row.codebook_version)
    return GoldAnswer(row.item_number, row.coder, label, row.answered_at)
