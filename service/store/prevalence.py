"""The data from which prevalence is estimated: sums of scores per cell, and coded paragraphs that correct them."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Literal, NamedTuple, get_args

from sqlalchemy import ColumnElement, Connection, Date, Row, Subquery, and_, cast, func, or_, select, type_coerce

from labels.annotations import shares_of
from labels.codebook import OTHER, Codebook, Frame
from service.store.annotations import today
from service.store.daily import SUMS, end_of, start_of
from service.store.draws.inclusion import Inclusion, inclusions
from service.store.draws.reach import Reach
from service.store.points.cuts import PointCuts
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
from training.scoring.classification import CrossScores

Period = Literal["day", "week", "month", "year"]
PERIODS: tuple[Period, ...] = get_args(Period)


@dataclass(frozen=True, slots=True)
class Population:
    """The articles that a figure is about, and the model and frames whose scores count.

    They are from `outlets` (None: all), dated `since` to `until`, both included; with `first_copies` a story counts
    only once, and with `on_subject` articles about something else than the subject of the codebook do not count.
    """

    model_version: str
    frames: Sequence[str]
    since: date | None = None
    until: date | None = None
    outlets: Sequence[str] | None = None
    first_copies: bool = False
    on_subject: bool = False
    # The frames as the model calls them, with their former keys and versions; None where only scores are read.
    codebook: Codebook | None = None
    # The operating point that decides; None for the decisions that are stored (see `service.store.points`).
    point: PointCuts | None = None

    @property
    def known_frames(self) -> Codebook:
        """The codebook; without one, that of the frames under their present keys."""
        return self.codebook or Codebook("", 1, tuple(Frame(key, key, key) for key in self.frames))

    @property
    def articles(self) -> Literal["all_articles", "on_subject"]:
        """The name of the articles that count."""
        return "on_subject" if self.on_subject else "all_articles"


class Cell(NamedTuple):
    """A part of a population: an outlet, a period, both or neither (None)."""

    outlet: str | None
    period: date | None


@dataclass(frozen=True, slots=True)
class CellSums:
    """The sums of a frame in a cell, named like the columns of `daily_frames`."""

    cell: Cell
    frame: str
    sums: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class AnnotatedArticle:
    """An article with annotations, and its scores by frame.

    The model may have been trained on it, so `left_out_mean_score` and `left_out_score` of its scores show how the
    model errs; `mean_score` and `score` are those in the daily sums. Without fold models, both are the model's own.
    """

    id: str
    outlet: str
    day: date
    paragraphs: int
    scores: Mapping[str, CrossScores]


@dataclass(frozen=True, slots=True)
class DrawnParagraph:
    """A coded paragraph that the coding queue drew with a known probability, and its scores.

    `annotated` is the share of the coders who saw a frame, for each
    frame that any coder decided about: a frame that came later is not in it. `scores` are by a model that has not seen
    the article, if the model has fold models.
    """

    article_id: str
    paragraph: int
    outlet: str
    day: date
    first_coded_at: datetime
    inclusion: Inclusion
    annotated: Mapping[str, float]
    scores: Mapping[str, float]
    article: AnnotatedArticle


def sums(connection: Connection, population: Population, *, by_outlet: bool, period: Period | None) -> list[CellSums]:
    """The sums of each cell and frame with articles, ordered by period, outlet and frame."""
    start = None if period is None else period_start(connection, daily_frames.c.day, period)
    keys: list[ColumnElement[Any]] = [daily_frames.c.frame]
    if by_outlet:
        keys.append(daily_frames.c.outlet.label("outlet"))
    if start is not None:
        keys.append(start.label("period"))
    query = (
        select(*keys, *(func.sum(daily_frames.c[name]).label(name) for name in SUMS))
        .where(*_conditions(daily_frames, population))
        .group_by(*keys)
    )
    cells = [
        CellSums(
            Cell(row.outlet if by_outlet else None, row.period if start is not None else None),
            row.frame,
            dict(zip(SUMS, row[len(keys) :], strict=True)),
        )
        for row in connection.execute(query)
    ]
    place = {frame: number for number, frame in enumerate(population.frames)}
    return sorted(cells, key=lambda c: (c.cell.period or date.min, c.cell.outlet or "", place[c.frame]))


def articles_beyond(
    connection: Connection,
    population: Population,
    reaches: Collection[Reach],
    *,
    by_outlet: bool,
    period: Period | None,
) -> dict[Cell, int]:
    """Number of articles of each cell that lie within none of the reaches; cells without such articles are left out."""
    start = None if period is None else period_start(connection, daily_frames.c.day, period)
    keys: list[ColumnElement[Any]] = [daily_frames.c.outlet.label("outlet")] if by_outlet else []
    if start is not None:
        keys.append(start.label("period"))
    within = or_(*(reach.of_sums(daily_frames.c.outlet, daily_frames.c.day) for reach in reaches))
    query = select(*keys, func.sum(daily_frames.c.articles).label("beyond")).where(
        *_conditions(daily_frames, population), daily_frames.c.frame == population.frames[0], ~within
    )
    return {
        Cell(row.outlet if by_outlet else None, row.period if start is not None else None): row.beyond
        for row in connection.execute(query.group_by(*keys) if keys else query)
        if row.beyond
    }


def pairs(connection: Connection, population: Population) -> dict[tuple[str, str], int]:
    """Number of paragraphs that carry both frames of a pair (in alphabetical order); other pairs are left out."""
    query = (
        select(daily_pairs.c.frame, daily_pairs.c.other, func.sum(daily_pairs.c.paragraphs).label("paragraphs"))
        .where(*_conditions(daily_pairs, population), daily_pairs.c.other.in_(population.frames))
        .group_by(daily_pairs.c.frame, daily_pairs.c.other)
    )
    return {(row.frame, row.other): row.paragraphs for row in connection.execute(query)}


def outlets(connection: Connection) -> list[str]:
    """The outlets of the stored articles, sorted by name."""
    query = select(daily_frames.c.outlet).where(daily_frames.c.outlet != "").distinct()
    return sorted(connection.scalars(query))


def count_drawn_paragraphs(connection: Connection) -> int:
    """Number of paragraphs that the coding queue drew and that have been coded."""
    query = select(func.count(annotations.c.unit.distinct())).where(
        annotations.c.replaced_at.is_(None), annotations.c.unit.in_(select(draws.c.unit))
    )
    return connection.scalar(query) or 0


def revision(connection: Connection, model_version: str) -> str:
    """A text that changes whenever annotations, or scores by the model, change."""
    last = connection.execute(
        select(scorings.c.number, scorings.c.scored_at).order_by(scorings.c.number.desc()).limit(1)
    ).first()
    counted = connection.scalar(
        select(func.sum(daily_frames.c.articles)).where(daily_frames.c.model_version == model_version)
    )
    coded = connection.execute(select(func.max(annotations.c.number), func.max(annotations.c.replaced_at))).one()
    return "|".join(map(str, (*(last or ()), counted, *coded)))


def unscored(connection: Connection, population: Population) -> int:
    """Number of stored articles that the model has not scored yet: rescoring after a promotion takes time."""
    stored = connection.scalar(select(func.count()).select_from(articles)) or 0
    scored = connection.scalar(
        select(func.sum(daily_frames.c.articles)).where(
            daily_frames.c.model_version == population.model_version, daily_frames.c.frame == population.frames[0]
        )
    )
    return stored - (scored or 0)


def count_undated(connection: Connection, population: Population) -> int:
    """Number of articles of a population whose date is unknown, so that they count on the day on which they arrived."""
    of_model = (scorings.c.article_number == articles.c.number) & (scorings.c.model_version == population.model_version)
    query = select(func.count()).select_from(articles).join(scorings, of_model)
    undated = articles.c.published_at.is_(None)
    return connection.scalar(query.where(undated, *article_conditions(population))) or 0


def count_off_topic(connection: Connection, population: Population) -> int:
    """Number of articles about something else, from the outlets and days of a population, counted in it or not."""
    anything = replace(population, on_subject=False)
    query = select(func.sum(daily_frames.c.articles)).where(
        *_conditions(daily_frames, anything),
        daily_frames.c.off_topic,
        daily_frames.c.frame == population.frames[0],
    )
    return connection.scalar(query) or 0


def first_and_last_day(connection: Connection, population: Population) -> tuple[date, date] | None:
    """The days of the first and the last article of a population; None without articles."""
    query = select(func.min(daily_frames.c.day), func.max(daily_frames.c.day))
    first, last = connection.execute(query.where(*_conditions(daily_frames, population))).one()
    return None if first is None else (first, last)


def drawn_paragraphs(connection: Connection, population: Population) -> list[DrawnParagraph]:
    """The paragraphs of a population that the coding queue drew and that have been coded."""
    drawn = inclusions(connection)
    by_unit: dict[str, list[Row[Any]]] = defaultdict(list)
    for row in connection.execute(_annotations(population)):
        if row.unit in drawn:
            by_unit[row.unit].append(row)
    scores = _left_out_scores(connection, population)
    articles_by_id = {article.id: article for article in annotated_articles(connection, population)}
    return [
        _drawn_paragraph(
            rows,
            drawn[unit],
            scores[rows[0].scoring_number, rows[0].paragraph],
            articles_by_id[rows[0].article_id],
            population.known_frames,
        )
        for unit, rows in by_unit.items()
    ]


def _drawn_paragraph(
    rows: Sequence[Row[Any]],
    inclusion: Inclusion,
    scores: Mapping[str, float],
    article: AnnotatedArticle,
    codebook: Codebook,
) -> DrawnParagraph:
    in_force = [row for row in rows if row.replaced_at is None]
    settled = [today(row, codebook) for row in in_force if row.role == "adjudicator"][-1:]
    by_coders = [today(row, codebook) for row in in_force if row.role != "adjudicator"]
    first = rows[0]
    return DrawnParagraph(
        article_id=first.article_id,
        paragraph=first.paragraph,
        outlet=first.outlet or "",
        day=first.dated_at.date(),
        first_coded_at=min(row.created_at for row in rows),
        inclusion=inclusion,
        annotated=shares_of(by_coders, codebook.keys) | shares_of(settled, codebook.keys),
        scores=scores,
        article=article,
    )


def _annotations(population: Population) -> Any:
    """Selects all annotations, with their history, of scored paragraphs that have an annotation in force."""
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
            and_(scorings.c.article_number == articles.c.number, scorings.c.model_version == population.model_version),
        )
        .where(
            select(in_force.c.number)
            .where(in_force.c.unit == annotations.c.unit, in_force.c.replaced_at.is_(None))
            .correlate(annotations)
            .exists(),
            *article_conditions(population),
        )
        .order_by(annotations.c.number)
    )


def _left_out_scores(connection: Connection, population: Population) -> dict[tuple[int, int], dict[str, float]]:
    """Scores of annotated paragraphs, by scoring and paragraph, and by frame."""
    units = _annotated(annotations.c.article_number, annotations.c.paragraph)
    score = paragraph_scores.c
    query = (
        select(
            score.scoring_number,
            score.paragraph,
            score.frame,
            func.coalesce(score.left_out_score, score.score),
        )
        .select_from(units)
        .join(scorings, _of_model(units, population))
        .join(paragraph_scores, and_(score.scoring_number == scorings.c.number, score.paragraph == units.c.paragraph))
        .where(score.frame.in_(population.frames))
    )
    values: dict[tuple[int, int], dict[str, float]] = defaultdict(dict)
    for number, paragraph, frame, value in connection.execute(query):
        values[number, paragraph][frame] = value
    return values


def annotated_articles(connection: Connection, population: Population) -> list[AnnotatedArticle]:
    """The articles of a population that have annotations, whether the coding queue drew them or not."""
    units, of_article = _annotated(annotations.c.article_number), article_scores.c
    query = (
        select(
            articles.c.id,
            articles.c.outlet,
            articles.c.dated_at,
            scorings.c.paragraphs,
            of_article.frame,
            func.coalesce(of_article.cross_mean_score, of_article.mean_score),
            func.coalesce(of_article.cross_score, of_article.score),
            func.coalesce(of_article.left_out_mean_score, of_article.mean_score),
            func.coalesce(of_article.left_out_score, of_article.score),
        )
        .select_from(units)
        .join(articles, articles.c.number == units.c.article_number)
        .join(scorings, _of_model(units, population))
        .join(article_scores, of_article.scoring_number == scorings.c.number)
        .where(of_article.frame.in_(population.frames), *article_conditions(population))
        .order_by(articles.c.number)
    )
    known: dict[str, AnnotatedArticle] = {}
    scores: dict[str, dict[str, CrossScores]] = defaultdict(dict)
    for identifier, outlet, dated_at, paragraphs, frame, *values in connection.execute(query):
        scores[identifier][frame] = CrossScores(*values)
        known[identifier] = AnnotatedArticle(identifier, outlet or "", dated_at.date(), paragraphs, scores[identifier])
    return list(known.values())


def _annotated(*columns: ColumnElement[Any]) -> Subquery:
    """What annotations in force are about, each once: columns of `annotations`."""
    in_force = select(*columns).where(annotations.c.replaced_at.is_(None), annotations.c.article_number.is_not(None))
    return in_force.distinct().subquery()


def _of_model(units: Subquery, population: Population) -> ColumnElement[bool]:
    return and_(
        scorings.c.article_number == units.c.article_number, scorings.c.model_version == population.model_version
    )


def article_conditions(population: Population) -> list[ColumnElement[bool]]:
    """The conditions that limit a query over articles and their scorings to those of a population."""
    conditions: list[ColumnElement[bool]] = []
    if population.since is not None:
        conditions.append(articles.c.dated_at >= start_of(population.since))
    if population.until is not None:
        conditions.append(articles.c.dated_at < end_of(population.until))
    if population.outlets is not None:
        conditions.append(func.coalesce(articles.c.outlet, "").in_(population.outlets))
    if population.first_copies:
        conditions.append(articles.c.story == articles.c.number)
    if population.on_subject:
        conditions.append(func.coalesce(scorings.c.about, "") != OTHER)
    return conditions


def _conditions(table: Any, population: Population) -> list[ColumnElement[bool]]:
    conditions = [table.c.model_version == population.model_version, table.c.frame.in_(population.frames)]
    if population.since is not None:
        conditions.append(table.c.day >= population.since)
    if population.until is not None:
        conditions.append(table.c.day <= population.until)
    if population.outlets is not None:
        conditions.append(table.c.outlet.in_(population.outlets))
    if population.first_copies:
        conditions.append(table.c.first_copy)
    if population.on_subject:
        conditions.append(~table.c.off_topic)
    return conditions


def period_start(connection: Connection, day: ColumnElement[Any], period: Period) -> ColumnElement[Any]:
    """The first day of the period in which a day lies; weeks begin on Monday (ISO 8601)."""
    if period == "day":
        return day
    if connection.dialect.name == "postgresql":
        return cast(func.date_trunc(period, day), Date)
    steps = {"week": ("weekday 0", "-6 days"), "month": ("start of month",), "year": ("start of year",)}
    return type_coerce(func.date(day, *steps[period]), Date)
