"""Draws of the coding queue: which coder received which paragraph, and with what probability."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, func, insert, select

from labels.annotations import Selection
from service.store.tables import annotations, articles, draws, paragraph_scores, paragraphs, scorings


@dataclass(frozen=True, slots=True)
class Candidate:
    """A paragraph that may be drawn."""

    article_number: int
    article_id: str
    paragraph: int
    text: str

    @property
    def unit(self) -> str:
        """Key of the paragraph as a unit of coding."""
        return f"{self.article_id}:{self.paragraph}"


@dataclass(frozen=True, slots=True)
class AssignedParagraph:
    """A paragraph that a coder received and has not coded yet."""

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
    """A draw to store; `pool` is the number of units that it was made from, `whole` a draw of a whole article."""

    candidate: Candidate
    selection: Selection
    inclusion_probability: float
    overlap: bool
    pool: int
    whole: bool = False


def open_tasks(connection: Connection, coder: str, limit: int) -> list[AssignedParagraph]:
    """Paragraphs that the coder received and has not coded, oldest first."""
    query = (
        select(draws, articles.c.id.label("article_id"), articles.c.title, articles.c.outlet, *_TEXT)
        .select_from(draws)
        .join(articles, articles.c.number == draws.c.article_number)
        .join(paragraphs, _same_paragraph(draws.c.article_number, draws.c.paragraph))
        .where(draws.c.coder == coder, ~_coded(draws.c.unit, coder))
        .order_by(draws.c.number)
        .limit(limit)
    )
    return [_assigned(row) for row in connection.execute(query)]


def undrawn(connection: Connection, limit: int) -> tuple[list[Candidate], int]:
    """Up to `limit` random paragraphs that were neither drawn nor coded, and the number of all such paragraphs."""
    drawn = select(draws.c.number).where(
        draws.c.article_number == paragraphs.c.article_number, draws.c.paragraph == paragraphs.c.paragraph
    )
    coded = select(annotations.c.number).where(
        annotations.c.article_number == paragraphs.c.article_number,
        annotations.c.paragraph == paragraphs.c.paragraph,
        annotations.c.replaced_at.is_(None),
    )
    query = _candidates().where(~drawn.exists(), ~coded.exists())
    total = connection.scalar(select(func.count()).select_from(query.subquery())) or 0
    return [_candidate(row) for row in connection.execute(query.order_by(func.random()).limit(limit))], total


def undrawn_articles(connection: Connection, limit: int) -> tuple[list[list[Candidate]], int]:
    """The paragraphs of up to `limit` random articles that are untouched, and the number of all untouched articles.

    An article is untouched if none of its paragraphs was drawn or coded. Of a story, only the first copy counts.
    """
    drawn = select(draws.c.number).where(draws.c.article_number == articles.c.number)
    coded = select(annotations.c.number).where(annotations.c.article_number == articles.c.number)
    first_copies = articles.c.story == articles.c.number
    untouched = select(articles.c.number).where(first_copies, ~drawn.exists(), ~coded.exists())
    total = connection.scalar(select(func.count()).select_from(untouched.subquery())) or 0
    chosen = list(connection.scalars(untouched.order_by(func.random()).limit(limit)))
    query = _candidates().where(articles.c.number.in_(chosen)).order_by(articles.c.number, paragraphs.c.paragraph)
    by_article: dict[int, list[Candidate]] = {}
    for row in connection.execute(query):
        by_article.setdefault(row.number, []).append(_candidate(row))
    return list(by_article.values()), total


def for_overlap(connection: Connection, coder: str, limit: int) -> list[NewDraw]:
    """Random paragraphs that a single other coder received, with the probability of that draw."""
    drawn_once = (
        select(func.min(draws.c.number))
        .group_by(draws.c.unit)
        .having(func.count() == 1, func.min(draws.c.coder) != coder)
    )
    query = (
        _candidates(draws.c.selection, draws.c.inclusion_probability, draws.c.pool)
        .join(draws, _same_paragraph(draws.c.article_number, draws.c.paragraph))
        .where(draws.c.number.in_(drawn_once), ~_coded(draws.c.unit, coder))
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
    """Scores per frame, by article number and paragraph: the model's, else those of the latest that scored the article.

    Paragraphs that none has scored on these frames are left out.
    """
    numbers = {candidate.article_number for candidate in candidates}
    query = (
        select(
            scorings.c.article_number, paragraph_scores.c.paragraph, paragraph_scores.c.frame, paragraph_scores.c.score
        )
        .select_from(paragraph_scores)
        .join(scorings, scorings.c.number == paragraph_scores.c.scoring_number)
        .where(scorings.c.article_number.in_(numbers), paragraph_scores.c.frame.in_(frames))
        # What comes later replaces what came before.
        .order_by(scorings.c.model_version == model_version, scorings.c.number)
    )
    scores: dict[tuple[int, int], dict[str, float]] = {}
    for row in connection.execute(query):
        scores.setdefault((row.article_number, row.paragraph), {})[row.frame] = row.score
    return scores


def add(connection: Connection, coder: str, new: Sequence[NewDraw]) -> None:
    """Stores draws for a coder."""
    now = datetime.now(UTC)
    rows = [
        {
            "coder": coder,
            "unit": draw.candidate.unit,
            "article_number": draw.candidate.article_number,
            "paragraph": draw.candidate.paragraph,
            "selection": draw.selection,
            "inclusion_probability": draw.inclusion_probability,
            "overlap": draw.overlap,
            "whole": draw.whole,
            "pool": draw.pool,
            "drawn_at": now,
        }
        for draw in new
    ]
    if rows:
        connection.execute(insert(draws), rows)


def how_drawn(connection: Connection, coder: str, unit: str) -> tuple[Selection, float | None]:
    """Why a coder codes a unit, and the probability of its draw; `chosen` and None if it was not drawn."""
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
    coded = annotations.alias("coded")
    return (
        select(coded.c.number)
        .where(coded.c.unit == unit, coded.c.coder == coder, coded.c.replaced_at.is_(None))
        .correlate(draws)
        .exists()
    )


def _candidate(row: Row[Any]) -> Candidate:
    return Candidate(row.number, row.id, row.paragraph, row.text[row.start_offset : row.end_offset])


def _assigned(row: Row[Any]) -> AssignedParagraph:
    return AssignedParagraph(
        article_id=row.article_id,
        paragraph=row.paragraph,
        text=row.text[row.start_offset : row.end_offset],
        title=row.title,
        outlet=row.outlet,
        selection=row.selection,
        inclusion_probability=row.inclusion_probability,
        overlap=row.overlap,
    )
