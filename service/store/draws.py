"""Draws of the coding queue: which coder received which paragraph, and with what probability."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
from sqlalchemy import ColumnElement, Connection, Row, Select, func, insert, select

from labels.annotations import Selection
from labels.codebook import Codebook
from service.store.annotations import today
from service.store.tables import annotations, articles, draws, paragraph_scores, paragraphs, scorings
from training.estimates.inclusion import Draws, inclusion_probabilities

# Stands for the article itself in a draw of whole articles: some or all of its paragraphs may have been drawn before.
WHOLE = -1


@dataclass(frozen=True, slots=True)
class Candidate:
    """A paragraph that may be drawn; the article itself if `paragraph` is `WHOLE`."""

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
    """A paragraph for a coder to code; `frames` are those to decide about, None for all of the codebook."""

    article_id: str
    paragraph: int
    text: str
    title: str | None
    outlet: str | None
    selection: Selection
    inclusion_probability: float | None
    overlap: bool
    frames: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class NewDraw:
    """A draw to store; `pool` is the number of units that it was made from, `whole` a draw of a whole article."""

    candidate: Candidate
    selection: Selection
    inclusion_probability: float
    overlap: bool
    pool: int
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Inclusion:
    """The probability of a drawn paragraph to come to be annotated, by any draw since its article was stored.

    `as_whole` is that of its article to be drawn as a whole by any draw; 0 if none drew it so. While the store grows,
    early paragraphs go through more draws than late ones, and their annotations stand for fewer paragraphs.
    """

    probability: float
    as_whole: float

    @property
    def weight(self) -> float:
        """How many paragraphs an annotation of this one stands for."""
        return 1 / self.probability

    @property
    def article_weight(self) -> float:
        """How many articles this one stands for among those that were drawn as a whole; 0 if it was not."""
        return 1 / self.as_whole if self.as_whole else 0.0


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


@dataclass(frozen=True, slots=True)
class Supply:
    """Numbers of stored paragraphs: all, those coded by anybody, those that wait for a coder, and those not drawn yet.

    `articles` counts those that were not drawn as a whole.
    """

    stored: int
    coded: int
    waiting: int
    undrawn: int
    articles: int


def supply(connection: Connection) -> Supply:
    """What is stored, and what of it the coding queue can still draw."""
    in_force = select(annotations.c.unit).where(annotations.c.replaced_at.is_(None))
    of_articles = in_force.where(annotations.c.article_number.is_not(None), annotations.c.paragraph >= 0)
    waiting = select(func.count(draws.c.unit.distinct())).where(draws.c.unit.not_in(in_force), draws.c.paragraph >= 0)
    return Supply(
        stored=connection.scalar(select(func.count()).select_from(paragraphs)) or 0,
        coded=connection.scalar(select(func.count()).select_from(of_articles.distinct().subquery())) or 0,
        waiting=connection.scalar(waiting) or 0,
        undrawn=undrawn(connection, 0)[1],
        articles=undrawn_articles(connection, 0)[1],
    )


def lacking_frames(connection: Connection, coder: str, codebook: Codebook, limit: int) -> list[AssignedParagraph]:
    """Paragraphs that the coder has coded, but not on every frame of today's codebook.

    They come in a random order that stays the same, so that those which a coder gets through are a random sample of
    all: the probabilities with which they were drawn then hold, up to a common factor, for the other frames too.
    """
    lacking = _frames_lacking(connection, coder, codebook)
    chosen = sorted(lacking, key=lambda unit: hashlib.sha256(f"{coder}\0{unit}".encode()).digest())[:limit]
    query: Select[Any] = (
        select(
            *(annotations.c[name] for name in ("unit", "paragraph", "selection", "inclusion_probability")),
            articles.c.id.label("article_id"),
            articles.c.title,
            articles.c.outlet,
            func.coalesce(draws.c.overlap, False).label("overlap"),
            *_TEXT,
        )
        .select_from(annotations)
        .join(articles, articles.c.number == annotations.c.article_number)
        .join(paragraphs, _same_paragraph(annotations.c.article_number, annotations.c.paragraph))
        .outerjoin(draws, (draws.c.unit == annotations.c.unit) & (draws.c.coder == annotations.c.coder))
        .where(*_own_in_force(coder), annotations.c.unit.in_(chosen))
    )
    by_unit = {row.unit: row for row in connection.execute(query)}
    return [replace(_assigned(by_unit[unit]), frames=lacking[unit]) for unit in chosen]


def count_lacking_frames(connection: Connection, coder: str, codebook: Codebook) -> int:
    """Number of stored paragraphs that the coder has coded, but not on every frame of today's codebook."""
    return len(_frames_lacking(connection, coder, codebook))


def _frames_lacking(connection: Connection, coder: str, codebook: Codebook) -> dict[str, tuple[str, ...]]:
    """The frames of today's codebook that annotations of stored paragraphs do not decide about, by unit."""
    query = (
        select(annotations)
        .join(paragraphs, _same_paragraph(annotations.c.article_number, annotations.c.paragraph))
        .where(*_own_in_force(coder))
    )
    decided = {row.unit: today(row, codebook) for row in connection.execute(query)}
    return {
        unit: tuple(key for key in codebook.keys if not annotation.decides(key))
        for unit, annotation in decided.items()
        if annotation.covered is not None
    }


def _own_in_force(coder: str) -> tuple[ColumnElement[bool], ...]:
    """The conditions for annotations in force that the coder did not make as an adjudicator."""
    return annotations.c.coder == coder, annotations.c.role == "coder", annotations.c.replaced_at.is_(None)


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
    """Up to `limit` random articles that were not drawn as a whole, and the number of all such articles.

    Of each, the article itself (`WHOLE`) and the paragraphs that no draw has taken. Articles of which some paragraphs
    were drawn before are among them: without these, long articles and those of which the model is unsure would be
    drawn too seldom. Of a story, only the first copy counts.
    """
    as_a_whole = select(draws.c.number).where(draws.c.article_number == articles.c.number, draws.c.whole)
    left = select(articles.c.number, articles.c.id).where(articles.c.story == articles.c.number, ~as_a_whole.exists())
    total = connection.scalar(select(func.count()).select_from(left.subquery())) or 0
    chosen = connection.execute(left.order_by(func.random()).limit(limit)).all()
    by_article = {row.number: [Candidate(row.number, row.id, WHOLE, "")] for row in chosen}
    drawn = select(draws.c.number).where(_same_paragraph(draws.c.article_number, draws.c.paragraph))
    query = _candidates().where(articles.c.number.in_(list(by_article)), ~drawn.exists())
    for row in connection.execute(query.order_by(articles.c.number, paragraphs.c.paragraph)):
        by_article[row.number].append(_candidate(row))
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


def inclusions(connection: Connection) -> dict[str, Inclusion]:
    """How probable it was that each drawn paragraph came to be annotated, by its unit.

    A paragraph that a second coder received too counts with its first draw. Paragraphs of draws of which nothing is
    annotated are left out.
    """
    rows = _drawn(connection)
    whole = [row for row in rows if row.whole]
    of_articles = {row.article_number: value for row, value in zip(whole, _probabilities(whole), strict=True)}
    return {
        row.unit: Inclusion(value, of_articles.get(row.article_number, 0.0))
        for row, value in zip(rows, _probabilities(rows), strict=True)
        if row.paragraph != WHOLE and value
    }


def _drawn(connection: Connection) -> Sequence[Row[Any]]:
    """The draws in their order, except those for a second coder, with whether the paragraph came to be annotated."""
    coded = select(annotations.c.unit).where(annotations.c.replaced_at.is_(None))
    query = (
        select(draws, articles.c.created_at, draws.c.unit.in_(coded).label("is_coded"))
        .join(articles, articles.c.number == draws.c.article_number)
        .where(~draws.c.overlap)
        .order_by(draws.c.number)
    )
    return connection.execute(query).all()


def _probabilities(rows: Sequence[Row[Any]]) -> list[float]:
    by_draw: dict[tuple[str, datetime], list[Row[Any]]] = {}
    for row in rows:
        by_draw.setdefault((row.coder, row.drawn_at), []).append(row)
    if not by_draw:
        return []
    places = {draw: place for place, draw in enumerate(by_draw)}
    probabilities: list[float] = inclusion_probabilities(
        _as_draws(list(by_draw.values())),
        [places[row.coder, row.drawn_at] for row in rows],
        [row.inclusion_probability for row in rows],
        [row.created_at.timestamp() for row in rows],
    ).tolist()
    return probabilities


def _as_draws(by_draw: Sequence[Sequence[Row[Any]]]) -> Draws:
    """The draws, from the paragraphs of each; an article that was drawn as a whole is a single unit."""
    drawn = [len({row.article_number for row in rows} if rows[0].whole else rows) for rows in by_draw]
    coded = [_share_coded([row for row in rows if row.paragraph != WHOLE]) for rows in by_draw]
    return Draws(
        at=np.array([rows[0].drawn_at.timestamp() for rows in by_draw]),
        pool=np.array([max(rows[0].pool, 1) for rows in by_draw], dtype=float),
        drawn=np.array(drawn, dtype=float),
        annotated=np.array([units * share for units, share in zip(drawn, coded, strict=True)]),
        whole=np.array([rows[0].whole for rows in by_draw]),
    )


def _share_coded(rows: Sequence[Row[Any]]) -> float:
    """The share of the paragraphs of a draw that are annotated; 1 where it only took articles coded already."""
    return sum(row.is_coded for row in rows) / len(rows) if rows else 1.0


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
