"""What prevalence is computed from: sums of scores by cell, and the coded paragraphs that correct them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal, NamedTuple, get_args

from sqlalchemy import ColumnElement, Connection, Date, Row, and_, cast, func, select, type_coerce

from service.schemas.fields import end_of, start_of
from service.store.daily import SUMS
from service.store.tables import (
    annotations,
    article_scores,
    articles,
    daily_frames,
    daily_pairs,
    draws,
    paragraph_scores,
    scorings,
)

Period = Literal["day", "week", "month", "year"]
PERIODS: tuple[Period, ...] = get_args(Period)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which articles count: those of these outlets (None: all), dated `since` to `until`, both included."""

    model_version: str
    frames: Sequence[str]
    since: date | None = None
    until: date | None = None
    outlets: Sequence[str] | None = None
    first_copies: bool = False


class Cell(NamedTuple):
    """A part of a selection: an outlet, a period, both or neither (None)."""

    outlet: str | None
    period: date | None


@dataclass(frozen=True, slots=True)
class CellSums:
    """The sums of one frame in one cell, named as the columns of `daily_frames`."""

    cell: Cell
    frame: str
    sums: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class CodedParagraph:
    """A paragraph coded with a known probability, and its scores.

    `weight` is the inverse of its inclusion probability, scaled to 1 on average over its draw; `whole` says that
    the article was drawn, with all its paragraphs. `codes` has the share of coders who gave each
    frame that anybody gave.
    `mean_scores` and `top_scores` are of the whole article, of `paragraphs` paragraphs.
    """

    article_id: str
    outlet: str
    day: date
    first_coded_at: datetime
    weight: float
    whole: bool
    codes: Mapping[str, float]
    scores: Mapping[str, float]
    paragraphs: int
    mean_scores: Mapping[str, float]
    top_scores: Mapping[str, float]


def sums(connection: Connection, selection: Selection, *, by_outlet: bool, period: Period | None) -> list[CellSums]:
    """Sums of each cell and frame that has articles, by period, outlet and frame."""
    start = None if period is None else period_start(connection, daily_frames.c.day, period)
    keys: list[ColumnElement[Any]] = [daily_frames.c.frame]
    if by_outlet:
        keys.append(daily_frames.c.outlet.label("outlet"))
    if start is not None:
        keys.append(start.label("period"))
    query = (
        select(*keys, *(func.sum(daily_frames.c[name]).label(name) for name in SUMS))
        .where(*_conditions(daily_frames, selection))
        .group_by(*keys)
    )
    found = [
        CellSums(
            Cell(row.outlet if by_outlet else None, row.period if start is not None else None),
            row.frame,
            dict(zip(SUMS, row[len(keys) :], strict=True)),
        )
        for row in connection.execute(query)
    ]
    place = {frame: number for number, frame in enumerate(selection.frames)}
    return sorted(found, key=lambda c: (c.cell.period or date.min, c.cell.outlet or "", place[c.frame]))


def pairs(connection: Connection, selection: Selection) -> dict[tuple[str, str], int]:
    """How many paragraphs carry both frames of a pair (in alphabetical order), where any does."""
    query = (
        select(daily_pairs.c.frame, daily_pairs.c.other, func.sum(daily_pairs.c.paragraphs).label("paragraphs"))
        .where(*_conditions(daily_pairs, selection), daily_pairs.c.other.in_(selection.frames))
        .group_by(daily_pairs.c.frame, daily_pairs.c.other)
    )
    return {(row.frame, row.other): row.paragraphs for row in connection.execute(query)}


def outlets(connection: Connection) -> list[str]:
    """The outlets of the articles stored, by name."""
    query = select(daily_frames.c.outlet).where(daily_frames.c.outlet != "").distinct()
    return sorted(connection.scalars(query))


def count_drawn_codes(connection: Connection) -> int:
    """How many paragraphs the coding queue drew and somebody coded."""
    query = select(func.count(annotations.c.unit.distinct())).where(
        annotations.c.replaced_at.is_(None), annotations.c.unit.in_(select(draws.c.unit))
    )
    return connection.scalar(query) or 0


def revision(connection: Connection, model_version: str) -> str:
    """A text that changes whenever scores by the model or codes change."""
    last = connection.execute(
        select(scorings.c.number, scorings.c.scored_at).order_by(scorings.c.number.desc()).limit(1)
    ).first()
    counted = connection.scalar(
        select(func.sum(daily_frames.c.articles)).where(daily_frames.c.model_version == model_version)
    )
    codes = connection.execute(select(func.max(annotations.c.number), func.max(annotations.c.replaced_at))).one()
    return "|".join(map(str, (*(last or ()), counted, *codes)))


def unscored(connection: Connection, selection: Selection) -> int:
    """How many articles stored the model has not scored: rescoring after a promotion takes its time."""
    stored = connection.scalar(select(func.count()).select_from(articles)) or 0
    scored = connection.scalar(
        select(func.sum(daily_frames.c.articles)).where(
            daily_frames.c.model_version == selection.model_version, daily_frames.c.frame == selection.frames[0]
        )
    )
    return stored - (scored or 0)


def coded(connection: Connection, selection: Selection) -> list[CodedParagraph]:
    """The paragraphs of a selection that the coding queue drew and somebody coded."""
    drawn = _draws(connection)
    given: dict[str, list[Row[Any]]] = defaultdict(list)
    for row in connection.execute(_codes(selection)):
        given[row.unit].append(row)
    units = [unit for unit in given if unit in drawn]
    scores, of_articles = _scores(connection, selection)
    return [
        _coded_paragraph(
            given[unit],
            *drawn[unit],
            scores[given[unit][0].scoring_number, given[unit][0].paragraph],
            of_articles[given[unit][0].scoring_number],
        )
        for unit in units
    ]


def _coded_paragraph(
    rows: Sequence[Row[Any]],
    weight: float,
    whole: bool,
    scores: Mapping[str, float],
    of_article: Mapping[str, tuple[float, float]],
) -> CodedParagraph:
    in_force = [row for row in rows if row.replaced_at is None]
    settled = [row for row in in_force if row.role == "adjudicator"]
    counted = settled[-1:] or in_force
    first = rows[0]
    return CodedParagraph(
        article_id=first.article_id,
        outlet=first.outlet or "",
        day=first.dated_at.date(),
        first_coded_at=min(row.created_at for row in rows),
        weight=weight,
        whole=whole,
        codes={
            f: sum(f in row.frames for row in counted) / len(counted) for f in {f for r in counted for f in r.frames}
        },
        scores=scores,
        paragraphs=first.paragraphs,
        mean_scores={frame: mean for frame, (mean, _) in of_article.items()},
        top_scores={frame: top for frame, (_, top) in of_article.items()},
    )


def _codes(selection: Selection) -> Any:
    """Every code, in force or not, of a paragraph that has one in force and was scored by the model."""
    in_force = annotations.alias("in_force")
    return (
        select(
            annotations,
            articles.c.id.label("article_id"),
            articles.c.outlet,
            articles.c.dated_at,
            scorings.c.number.label("scoring_number"),
            scorings.c.paragraphs,
        )
        .join(articles, articles.c.number == annotations.c.article_number)
        .join(
            scorings,
            and_(scorings.c.article_number == articles.c.number, scorings.c.model_version == selection.model_version),
        )
        .where(
            select(in_force.c.number)
            .where(in_force.c.unit == annotations.c.unit, in_force.c.replaced_at.is_(None))
            .correlate(annotations)
            .exists(),
            *selected(selection),
        )
        .order_by(annotations.c.number)
    )


def _draws(connection: Connection) -> dict[str, tuple[float, bool]]:
    """Weight and kind of each unit by the draw that first gave it to anybody.

    The weight is 1 / inclusion probability, scaled by the size of the draw over that of its pool: draws of different
    sizes, made as the store grew, then count by how many units they gave. Articles drawn whole are alike likely.
    """
    first = select(func.min(draws.c.number)).group_by(draws.c.unit)
    rows = connection.execute(select(draws).where(draws.c.number.in_(first))).all()
    sizes: dict[tuple[str, datetime], int] = defaultdict(int)
    for row in rows:
        sizes[row.coder, row.drawn_at] += 1
    return {
        row.unit: (
            1.0 if row.whole else sizes[row.coder, row.drawn_at] / (max(row.pool, 1) * row.inclusion_probability),
            row.whole,
        )
        for row in rows
    }


def _scores(
    connection: Connection, selection: Selection
) -> tuple[dict[tuple[int, int], dict[str, float]], dict[int, dict[str, tuple[float, float]]]]:
    """Scores of coded paragraphs by scoring and paragraph; mean and highest score of their articles by scoring."""
    units = (
        select(annotations.c.article_number, annotations.c.paragraph)
        .where(annotations.c.replaced_at.is_(None), annotations.c.article_number.is_not(None))
        .distinct()
        .subquery()
    )
    of_model = and_(
        scorings.c.article_number == units.c.article_number, scorings.c.model_version == selection.model_version
    )
    score = paragraph_scores.c
    of_paragraphs = (
        select(score.scoring_number, score.paragraph, score.frame, score.score)
        .select_from(units)
        .join(scorings, of_model)
        .join(paragraph_scores, and_(score.scoring_number == scorings.c.number, score.paragraph == units.c.paragraph))
        .where(score.frame.in_(selection.frames))
    )
    found: dict[tuple[int, int], dict[str, float]] = defaultdict(dict)
    for number, paragraph, frame, value in connection.execute(of_paragraphs):
        found[number, paragraph][frame] = value
    coded_articles = select(units.c.article_number).distinct().subquery()
    of_articles = (
        select(
            article_scores.c.scoring_number, article_scores.c.frame, article_scores.c.mean_score, article_scores.c.score
        )
        .select_from(coded_articles)
        .join(
            scorings,
            and_(
                scorings.c.article_number == coded_articles.c.article_number,
                scorings.c.model_version == selection.model_version,
            ),
        )
        .join(article_scores, article_scores.c.scoring_number == scorings.c.number)
    )
    rolled: dict[int, dict[str, tuple[float, float]]] = defaultdict(dict)
    for number, frame, mean, top in connection.execute(of_articles):
        rolled[number][frame] = (mean, top)
    return found, rolled


def selected(selection: Selection) -> list[ColumnElement[bool]]:
    """The conditions by which a query of articles keeps those of a selection."""
    conditions: list[ColumnElement[bool]] = []
    if selection.since is not None:
        conditions.append(articles.c.dated_at >= start_of(selection.since))
    if selection.until is not None:
        conditions.append(articles.c.dated_at < end_of(selection.until))
    if selection.outlets is not None:
        conditions.append(func.coalesce(articles.c.outlet, "").in_(selection.outlets))
    if selection.first_copies:
        conditions.append(articles.c.story == articles.c.number)
    return conditions


def _conditions(table: Any, selection: Selection) -> list[ColumnElement[bool]]:
    conditions = [table.c.model_version == selection.model_version, table.c.frame.in_(selection.frames)]
    if selection.since is not None:
        conditions.append(table.c.day >= selection.since)
    if selection.until is not None:
        conditions.append(table.c.day <= selection.until)
    if selection.outlets is not None:
        conditions.append(table.c.outlet.in_(selection.outlets))
    if selection.first_copies:
        conditions.append(table.c.first_copy)
    return conditions


def period_start(connection: Connection, day: ColumnElement[Any], period: Period) -> ColumnElement[Any]:
    """The first day of the period that a day lies in; weeks begin on Monday (ISO 8601)."""
    if period == "day":
        return day
    if connection.dialect.name == "postgresql":
        return cast(func.date_trunc(period, day), Date)
    steps = {"week": ("weekday 0", "-6 days"), "month": ("start of month",), "year": ("start of year",)}
    return type_coerce(func.date(day, *steps[period]), Date)
