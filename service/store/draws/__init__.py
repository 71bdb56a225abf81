"""Draws of the coding queue: which coder received which paragraph, and with what probability."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, Table, delete, func, insert, literal, or_, select

from labels.annotations import Selection
from labels.codebook import Codebook
from service.store.annotations import today
from service.store.draws.reach import EVERYTHING, Reach
from service.store.sql.insertion import UtcDateTime
from service.store.tables import (
    annotations,
    articles,
    assignments,
    draws,
    gold_items,
    paragraph_scores,
    paragraphs,
    returned_draws,
    scorings,
)

# Stands for the article itself in a draw of whole articles: some or all of its paragraphs may have been drawn before.
WHOLE = -1
# Draws that are moved by a single statement.
_AT_ONCE = 500


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
    """A paragraph for a coder to code; `frames` are those to decide about, None for all of the codebook.

    `assignment` is the id of the assignment that drew it, and `due` its last day; `gold_item` the id of the gold item
    that it is, by which the coder trains.
    """

    article_id: str
    paragraph: int
    text: str
    title: str | None
    outlet: str | None
    selection: Selection
    inclusion_probability: float | None
    overlap: bool
    frames: tuple[str, ...] | None = None
    assignment: str | None = None
    due: date | None = None
    gold_item: str | None = None


@dataclass(frozen=True, slots=True)
class NewDraw:
    """A draw to store; `pool` is the number of units that it was made from, `whole` a draw of a whole article.

    `assignment` is the number of the assignment that drew it.
    """

    candidate: Candidate
    selection: Selection
    inclusion_probability: float
    overlap: bool
    pool: int
    whole: bool = False
    assignment: int | None = None


def open_tasks(connection: Connection, coder: str, limit: int) -> list[AssignedParagraph]:
    """Paragraphs that the coder received and has not coded, oldest first; before them, what is due first."""
    assigned = assignments.c.id.label("assignment_id"), assignments.c.due
    query = (
        select(draws, articles.c.id.label("article_id"), articles.c.title, articles.c.outlet, *assigned, *_TEXT)
        .select_from(draws)
        .outerjoin(assignments, assignments.c.number == draws.c.assignment)
        .join(articles, articles.c.number == draws.c.article_number)
        .join(paragraphs, same_paragraph(draws))
        .where(draws.c.coder == coder, ~is_annotated(draws.c.unit, coder))
        .order_by(draws.c.assignment.is_(None), assignments.c.due.is_(None), assignments.c.due, draws.c.number)
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
        .join(paragraphs, same_paragraph(annotations))
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
    query = select(annotations).join(paragraphs, same_paragraph(annotations)).where(*_own_in_force(coder))
    decided = {row.unit: today(row, codebook) for row in connection.execute(query)}
    return {
        unit: tuple(key for key in codebook.keys if not annotation.decides(key))
        for unit, annotation in decided.items()
        if annotation.covered is not None
    }


def _own_in_force(coder: str) -> tuple[ColumnElement[bool], ...]:
    """The conditions for annotations in force that the coder did not make as an adjudicator."""
    return annotations.c.coder == coder, annotations.c.role == "coder", annotations.c.replaced_at.is_(None)


def undrawn(connection: Connection, limit: int, reach: Reach = EVERYTHING) -> tuple[list[Candidate], int]:
    """Up to `limit` random paragraphs that were neither drawn nor coded, and the number of all such paragraphs.

    Only of articles within the reach.
    """
    drawn = select(draws.c.number).where(
        draws.c.article_number == paragraphs.c.article_number, draws.c.paragraph == paragraphs.c.paragraph
    )
    coded = select(annotations.c.number).where(
        annotations.c.article_number == paragraphs.c.article_number,
        annotations.c.paragraph == paragraphs.c.paragraph,
        annotations.c.replaced_at.is_(None),
    )
    query = _candidates().where(~drawn.exists(), ~coded.exists(), *reach.conditions())
    total = connection.scalar(select(func.count()).select_from(query.subquery())) or 0
    return [_candidate(row) for row in connection.execute(query.order_by(func.random()).limit(limit))], total


def undrawn_articles(
    connection: Connection, limit: int, reach: Reach = EVERYTHING
) -> tuple[list[list[Candidate]], int]:
    """Up to `limit` random articles that were not drawn as a whole, and the number of all such articles.

    Of each, the article itself (`WHOLE`) and the paragraphs that no draw has taken. Articles of which some paragraphs
    were drawn before are among them: without these, long articles and those of which the model is unsure would be
    drawn too seldom. Of a story, only the first copy counts. Only articles within the reach.
    """
    returned = select(returned_draws.c.number).where(
        returned_draws.c.article_number == articles.c.number, returned_draws.c.paragraph == WHOLE
    )
    # Of an article that was returned, what was annotated before is still held; an earlier release held only paragraphs.
    as_a_whole = select(draws.c.number).where(
        draws.c.article_number == articles.c.number,
        draws.c.whole,
        or_(draws.c.paragraph == WHOLE, ~returned.correlate(articles).exists()),
    )
    left = select(articles.c.number, articles.c.id).where(
        articles.c.story == articles.c.number, ~as_a_whole.exists(), *reach.conditions()
    )
    total = connection.scalar(select(func.count()).select_from(left.subquery())) or 0
    chosen = connection.execute(left.order_by(func.random()).limit(limit)).all()
    by_article = {row.number: [Candidate(row.number, row.id, WHOLE, "")] for row in chosen}
    drawn = select(draws.c.number).where(same_paragraph(draws))
    query = _candidates().where(articles.c.number.in_(list(by_article)), ~drawn.exists())
    for row in connection.execute(query.order_by(articles.c.number, paragraphs.c.paragraph)):
        by_article[row.number].append(_candidate(row))
    return list(by_article.values()), total


def for_overlap(connection: Connection, coder: str, limit: int) -> list[NewDraw]:
    """Random paragraphs that a single other coder received, with the probability of that draw.

    None of an assignment, which says itself how many coders receive a paragraph, and no gold item, whose label coders
    who train with it have seen.
    """
    drawn_once = (
        select(func.min(draws.c.number))
        .group_by(draws.c.unit)
        .having(func.count() == 1, func.min(draws.c.coder) != coder)
    )
    query = (
        _candidates(draws.c.selection, draws.c.inclusion_probability, draws.c.pool)
        .join(draws, same_paragraph(draws))
        .where(
            draws.c.number.in_(drawn_once),
            ~is_annotated(draws.c.unit, coder),
            draws.c.assignment.is_(None),
            draws.c.unit.not_in(select(gold_items.c.unit)),
        )
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


def add(connection: Connection, coder: str, new: Sequence[NewDraw], drawn_at: datetime | None = None) -> None:
    """Stores draws for a coder, made now if not at another moment."""
    now = drawn_at or datetime.now(UTC)
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
            "assignment": draw.assignment,
        }
        for draw in new
    ]
    if rows:
        connection.execute(insert(draws), rows)


def how_drawn(connection: Connection, coder: str, unit: str) -> tuple[Selection, float | None]:
    """Why a coder codes a unit, and the probability of its draw; `chosen` and None if it was not drawn for the coder.

    An annotation may arrive after its paragraph was returned, for example because the coder had no network.
    """
    for table in (draws, returned_draws):
        query = select(table).where(table.c.coder == coder, table.c.unit == unit).order_by(table.c.number.desc())
        row = connection.execute(query.limit(1)).first()
        if row is not None:
            return row.selection, row.inclusion_probability
    return "chosen", None


def return_all(connection: Connection, coder: str) -> int:
    """Returns what a coder received and did not annotate to the pool, and returns the number of paragraphs.

    All of it, because what a coder picks out would be another sample than what was drawn; but what was assigned stays,
    because others count on it.
    """
    unassigned = draws.c.assignment.is_(None)
    return _return(connection, (draws.c.coder == coder) & unassigned, ~is_annotated(draws.c.unit, draws.c.coder))


def return_assigned(connection: Connection, assignment: int) -> int:
    """Returns what an assignment drew and its coders did not annotate to the pool; the number of paragraphs."""
    return _return(connection, draws.c.assignment == assignment, ~is_annotated(draws.c.unit, draws.c.coder))


def count_waiting(connection: Connection, coder: str) -> int:
    """Number of assigned paragraphs that wait for a coder."""
    query = select(func.count()).select_from(draws)
    of_coder = draws.c.coder == coder, draws.c.assignment.is_not(None), draws.c.paragraph >= 0
    return connection.scalar(query.where(*of_coder, ~is_annotated(draws.c.unit, coder))) or 0


def return_due(connection: Connection, drawn_before: datetime) -> int:
    """Returns what was drawn before a moment and nobody annotated, and returns the number of paragraphs.

    A paragraph stays as long as a second coder, who received it later, has time for it, and one that was assigned
    until the last day of its assignment has passed.
    """
    other, annotation = draws.alias("other"), annotations.alias("annotation")
    in_time = select(other.c.number).where(other.c.unit == draws.c.unit, other.c.drawn_at >= drawn_before)
    by_anybody = select(annotation.c.number).where(
        annotation.c.unit == draws.c.unit, annotation.c.replaced_at.is_(None)
    )
    lacking = or_(
        draws.c.overlap & ~is_annotated(draws.c.unit, draws.c.coder),
        ~draws.c.overlap & ~by_anybody.correlate(draws).exists() & ~in_time.correlate(draws).exists(),
    )
    day = datetime.now(UTC).date()
    running = select(assignments.c.number).where(
        assignments.c.ended_at.is_(None), or_(assignments.c.due.is_(None), assignments.c.due >= day)
    )
    no_longer = or_(draws.c.assignment.is_(None), draws.c.assignment.not_in(running))
    return _return(connection, (draws.c.drawn_at < drawn_before) & no_longer, lacking)


def _return(connection: Connection, which: ColumnElement[bool], lacking: ColumnElement[bool]) -> int:
    """Moves the draws of paragraphs that lack an annotation, and of articles with such a paragraph."""
    of_article = incomplete(draws.c.article_number).correlate(draws).exists()
    numbers = select(draws.c.number).where(which, or_(draws.c.paragraph >= 0, of_article))
    numbers = numbers.where(or_(draws.c.paragraph == WHOLE, lacking))
    moving = connection.execute(numbers.add_columns(draws.c.paragraph)).all()
    columns = [column for column in draws.columns if column.name != "number"]
    now = literal(datetime.now(UTC), UtcDateTime())
    for start in range(0, len(moving), _AT_ONCE):
        these = draws.c.number.in_([row.number for row in moving[start : start + _AT_ONCE]])
        names = [*(column.name for column in columns), "returned_at"]
        connection.execute(insert(returned_draws).from_select(names, select(*columns, now).where(these)))
        connection.execute(delete(draws).where(these))
    return sum(row.paragraph != WHOLE for row in moving)


def incomplete(article_number: ColumnElement[int]) -> Select[Any]:
    """Selects the paragraphs of an article that nobody has annotated."""
    coded = annotations.alias("coded_paragraph")
    annotated = select(coded.c.number).where(
        coded.c.article_number == paragraphs.c.article_number,
        coded.c.paragraph == paragraphs.c.paragraph,
        coded.c.replaced_at.is_(None),
    )
    query = select(paragraphs.c.paragraph).where(paragraphs.c.article_number == article_number)
    return query.where(~annotated.correlate(paragraphs).exists())


_TEXT = (articles.c.text, paragraphs.c.start_offset, paragraphs.c.end_offset)


def _candidates(*columns: Any) -> Select[Any]:
    return (
        select(articles.c.number, articles.c.id, paragraphs.c.paragraph, *_TEXT, *columns)
        .select_from(paragraphs)
        .join(articles, articles.c.number == paragraphs.c.article_number)
    )


def same_paragraph(table: Table) -> ColumnElement[bool]:
    """The condition under which a row of a table with draws, annotations or gold items is about a paragraph."""
    return (paragraphs.c.article_number == table.c.article_number) & (paragraphs.c.paragraph == table.c.paragraph)


def is_annotated(unit: ColumnElement[str], coder: ColumnElement[str] | str) -> ColumnElement[bool]:
    """Whether a coder has annotated a unit in any role: whoever has settled it does not receive it any longer."""
    coded = annotations.alias("coded")
    return (
        select(coded.c.number)
        .where(coded.c.unit == unit, coded.c.coder == coder, coded.c.replaced_at.is_(None))
        .correlate_except(coded)
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
        assignment=row._mapping.get("assignment_id"),
        due=row._mapping.get("due"),
    )
