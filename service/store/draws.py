"""The coding queue's memory: who was given which paragraph, and with what probability."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, func, insert, select

from service.store.annotations import Selection
from service.store.tables import annotations, articles, draws, paragraph_scores, paragraphs, scorings


@dataclass(frozen=True, slots=True)
class Candidate:
    """A paragraph that may be coded, with the model's score of each frame that it has one for."""

    article_number: int
    article_id: str
    paragraph: int
    text: str

    @property
    def unit(self) -> str:
        return f"{self.article_id}:{self.paragraph}"


@dataclass(frozen=True, slots=True)
class Task:
    """A paragraph that a coder was given."""

    article_id: str
    paragraph: int
    text: str
    title: str | None
    outlet: str | None
    selection: Selection
    inclusion_probability: float
    overlap: bool


@dataclass(frozen=True, slots=True)
class NewDraw:
    """A draw to be remembered."""

    candidate: Candidate
    selection: Selection
    inclusion_probability: float
    overlap: bool
    pool: int
    whole: bool = False


def open_tasks(connection: Connection, coder: str, limit: int) -> list[Task]:
    """Paragraphs that the coder was given and has not coded, the oldest first."""
    query = (
        select(draws, articles.c.id.label("article_id"), articles.c.title, articles.c.outlet, *_TEXT)
        .select_from(draws)
        .join(articles, articles.c.number == draws.c.article_number)
        .join(paragraphs, _same_paragraph(draws.c.article_number, draws.c.paragraph))
        .where(draws.c.coder == coder, ~_coded(draws.c.unit, coder))
        .order_by(draws.c.number)
        .limit(limit)
    )
    return [_task(row) for row in connection.execute(query)]


def undrawn(connection: Connection, limit: int) -> tuple[list[Candidate], int]:
    """Up to `limit` paragraphs, at random, that nobody was given or coded, and how many there are in all."""
    taken = select(draws.c.number).where(
        draws.c.article_number == paragraphs.c.article_number, draws.c.paragraph == paragraphs.c.paragraph
    )
    coded = select(annotations.c.number).where(
        annotations.c.article_number == paragraphs.c.article_number,
        annotations.c.paragraph == paragraphs.c.paragraph,
        annotations.c.replaced_at.is_(None),
    )
    query = _candidates().where(~taken.exists(), ~coded.exists())
    total = connection.scalar(select(func.count()).select_from(query.subquery())) or 0
    return [_candidate(row) for row in connection.execute(query.order_by(func.random()).limit(limit))], total


def undrawn_articles(connection: Connection, limit: int) -> tuple[list[list[Candidate]], int]:
    """The paragraphs of up to `limit` articles, at random, none of which was given or coded, and how many there are.

    Copies of a story are left out: its first copy stands for it.
    """
    given = select(draws.c.number).where(draws.c.article_number == articles.c.number)
    coded = select(annotations.c.number).where(annotations.c.article_number == articles.c.number)
    free = select(articles.c.number).where(articles.c.story == articles.c.number, ~given.exists(), ~coded.exists())
    total = connection.scalar(select(func.count()).select_from(free.subquery())) or 0
    chosen = list(connection.scalars(free.order_by(func.random()).limit(limit)))
    query = _candidates().where(articles.c.number.in_(chosen)).order_by(articles.c.number, paragraphs.c.paragraph)
    found: dict[int, list[Candidate]] = {}
    for row in connection.execute(query):
        found.setdefault(row.number, []).append(_candidate(row))
    return list(found.values()), total


def for_overlap(connection: Connection, coder: str, limit: int) -> list[NewDraw]:
    """Paragraphs that exactly one other coder was given, at random, with the probability of that draw."""
    given_once = (
        select(func.min(draws.c.number))
        .group_by(draws.c.unit)
        .having(func.count() == 1, func.min(draws.c.coder) != coder)
    )
    query = (
        _candidates(draws.c.selection, draws.c.inclusion_probability, draws.c.pool)
        .join(draws, _same_paragraph(draws.c.article_number, draws.c.paragraph))
        .where(draws.c.number.in_(given_once), ~_coded(draws.c.unit, coder))
        .order_by(func.random())
        .limit(limit)
    )
    return [
        NewDraw(_candidate(row), row.selection, row.inclusion_probability, True, row.pool)
        for row in connection.execute(query)
    ]


def scores_of(
    connection: Connection, candidates: Sequence[Candidate], frames: Sequence[str], model_version: str
) -> dict[tuple[int, int], dict[str, float]]:
    """Scores by the model, by article number and paragraph; paragraphs that it has not scored are left out."""
    wanted = {candidate.article_number for candidate in candidates}
    query = (
        select(
            scorings.c.article_number, paragraph_scores.c.paragraph, paragraph_scores.c.frame, paragraph_scores.c.score
        )
        .select_from(paragraph_scores)
        .join(scorings, scorings.c.number == paragraph_scores.c.scoring_number)
        .where(scorings.c.model_version == model_version, scorings.c.article_number.in_(wanted))
        .where(paragraph_scores.c.frame.in_(frames))
    )
    found: dict[tuple[int, int], dict[str, float]] = {}
    for row in connection.execute(query):
        found.setdefault((row.article_number, row.paragraph), {})[row.frame] = row.score
    return found


def add(connection: Connection, coder: str, new: Sequence[NewDraw]) -> None:
    """Remembers draws for a coder."""
    now = datetime.now(UTC)
    rows = [
        {
            "coder": coder,
            "unit": one.candidate.unit,
            "article_number": one.candidate.article_number,
            "paragraph": one.candidate.paragraph,
            "selection": one.selection,
            "inclusion_probability": one.inclusion_probability,
            "overlap": one.overlap,
            "whole": one.whole,
            "pool": one.pool,
            "drawn_at": now,
        }
        for one in new
    ]
    if rows:
        connection.execute(insert(draws), rows)


def how_drawn(connection: Connection, coder: str, unit: str) -> tuple[Selection, float | None]:
    """How a coder came to a unit: its draw, or `chosen` where there was none."""
    row = connection.execute(select(draws).where(draws.c.coder == coder, draws.c.unit == unit)).first()
    return ("chosen", None) if row is None else (row.selection, row.inclusion_probability)


_TEXT = (articles.c.text, paragraphs.c.start_offset, paragraphs.c.end_offset)


def _candidates(*columns: Any) -> Select[Any]:
    return (
        select(articles.c.number, articles.c.id, paragraphs.c.paragraph, *_TEXT, *columns)
        .select_from(paragraphs)
        .join(articles, articles.c.number == paragraphs.c.article_number)
    )


def _same_paragraph(article_number: ColumnElement[int], paragraph: ColumnElement[int]) -> ColumnElement[bool]:
    return (paragraphs.c.article_number == article_number) & (paragraphs.c.paragraph == paragraph)


def _coded(unit: ColumnElement[str], coder: str) -> ColumnElement[bool]:
    codes = annotations.alias("codes")
    return (
        select(codes.c.number)
        .where(codes.c.unit == unit, codes.c.coder == coder, codes.c.replaced_at.is_(None))
        .correlate(draws)
        .exists()
    )


def _candidate(row: Row[Any]) -> Candidate:
    return Candidate(row.number, row.id, row.paragraph, row.text[row.start_offset : row.end_offset])


def _task(row: Row[Any]) -> Task:
    return Task(
        article_id=row.article_id,
        paragraph=row.paragraph,
        text=row.text[row.start_offset : row.end_offset],
        title=row.title,
        outlet=row.outlet,
        selection=row.selection,
        inclusion_probability=row.inclusion_probability,
        overlap=row.overlap,
    )
