"""Sums and pairs of frames at an operating point, and pairs of frames by article.

They are counted from the scores when somebody asks: the daily sums hold only what was decided when articles came.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import CTE, ColumnElement, Connection, Date, Select, and_, case, func, select, type_coerce

from labels.annotations import SPECIFIED_STANCES
from service.store import prevalence
from service.store.points.cuts import PointCuts, decides, decision_on
from service.store.prevalence import Cell, CellSums, Period, Population
from service.store.tables import article_scores, articles, paragraph_scores, scorings
from training.scoring.classification import ArticleFrame
from training.scoring.operating_points import Decision

_NOT_ABSENT: tuple[Decision, ...] = ("present", "uncertain")
# The sums that follow from decisions; all others follow from scores, and are the same at every point.
_DECIDED = (
    "present",
    "uncertain",
    "articles_present",
    "articles_uncertain",
    "share",
    *SPECIFIED_STANCES,
    *(f"{stance}_squared" for stance in SPECIFIED_STANCES),
    *(f"{stance}_present" for stance in SPECIFIED_STANCES),
)


def sums(connection: Connection, population: Population, *, by_outlet: bool, period: Period | None) -> list[CellSums]:
    """The sums of each cell and frame like `prevalence.sums`, with the decisions at the point of the population."""
    stored = prevalence.sums(connection, population, by_outlet=by_outlet, period=period)
    if population.point is None:
        return stored
    decided = _decided(connection, population, population.point, by_outlet=by_outlet, period=period)
    return [replace(part, sums={**part.sums, **decided.get((part.cell, part.frame), {})}) for part in stored]


def _decided(
    connection: Connection, population: Population, point: PointCuts, *, by_outlet: bool, period: Period | None
) -> dict[tuple[Cell, str], Mapping[str, float]]:
    """The sums that follow from decisions, by cell and frame."""
    named = paragraph_scores.c.frame.in_(population.frames)
    per_article = _per_article(point, [*_of_population(population), named]).subquery()
    of_frame = per_article.c
    day = type_coerce(func.date(articles.c.dated_at), Date)
    keys: list[ColumnElement[Any]] = [of_frame.frame.label("of_frame")]
    if by_outlet:
        keys.append(func.coalesce(articles.c.outlet, "").label("of_outlet"))
    if period is not None:
        keys.append(prevalence.period_start(connection, day, period).label("of_period"))
    query = (
        select(*keys, *(func.sum(column).label(name) for name, column in _columns(of_frame, point).items()))
        .select_from(per_article)
        .join(scorings, scorings.c.number == of_frame.scoring_number)
        .join(articles, articles.c.number == scorings.c.article_number)
        .join(article_scores, _same(of_frame))
        .group_by(*keys)
    )
    return {
        (
            Cell(row.of_outlet if by_outlet else None, row.of_period if period is not None else None),
            row.of_frame,
        ): dict(zip(_DECIDED, map(float, row[len(keys) :]), strict=True))  # PostgreSQL adds up in decimals
        for row in connection.execute(query)
    }


def _columns(of_frame: Any, point: PointCuts) -> dict[str, ColumnElement[Any]]:
    """What an article adds to each of the sums in `_DECIDED`."""
    article = _decision_on_article(of_frame, point)
    all_stances = sum((of_frame[stance] for stance in SPECIFIED_STANCES[1:]), of_frame[SPECIFIED_STANCES[0]])
    columns = (
        of_frame.present,
        of_frame.uncertain,
        case((article == "present", 1), else_=0),
        case((article == "uncertain", 1), else_=0),
        1.0 * of_frame.present / scorings.c.paragraphs,
        *(of_frame[stance] for stance in SPECIFIED_STANCES),
        *(of_frame[stance] * of_frame[stance] for stance in SPECIFIED_STANCES),
        *(of_frame[stance] * all_stances for stance in SPECIFIED_STANCES),
    )
    return dict(zip(_DECIDED, columns, strict=True))


def _per_article(point: PointCuts, limited: Sequence[ColumnElement[bool]]) -> Select[Any]:
    """Of each scoring and frame, the number of paragraphs present and uncertain, and the stances of those present.

    The stances of a paragraph are known unless its frame was absent when it was stored.
    """
    scores = paragraph_scores.c
    present = decides(scores, point.paragraphs, "present")
    uncertain = decides(scores, point.paragraphs, "uncertain")
    return (
        select(
            scores.scoring_number,
            scores.frame,
            func.sum(case((present, 1), else_=0)).label("present"),
            func.sum(case((uncertain, 1), else_=0)).label("uncertain"),
            *(
                func.sum(case((present, func.coalesce(scores[stance], 0.0)), else_=0.0)).label(stance)
                for stance in SPECIFIED_STANCES
            ),
        )
        .select_from(scorings)
        .join(articles, articles.c.number == scorings.c.article_number)
        .join(paragraph_scores, scores.scoring_number == scorings.c.number)
        .where(*limited)
        .group_by(scores.scoring_number, scores.frame)
    )


def _of_population(population: Population) -> list[ColumnElement[bool]]:
    return [scorings.c.model_version == population.model_version, *prevalence.article_conditions(population)]


def _same(of_frame: Any) -> ColumnElement[bool]:
    own = article_scores.c
    return and_(own.scoring_number == of_frame.scoring_number, own.frame == of_frame.frame)


def _decision_on_article(of_frame: Any, point: PointCuts) -> ColumnElement[str]:
    if point.articles is not None:
        return decision_on(article_scores.c, point.articles)
    return case((of_frame.present > 0, "present"), (of_frame.uncertain > 0, "uncertain"), else_="absent")


def article_frames(
    connection: Connection, scoring_numbers: Sequence[int], point: PointCuts
) -> dict[int, dict[str, ArticleFrame]]:
    """The decisions of scorings on whole articles at an operating point, by scoring number and frame."""
    per_article = _per_article(point, [scorings.c.number.in_(scoring_numbers)]).subquery()
    of_frame = per_article.c
    query = (
        select(
            per_article,
            _decision_on_article(of_frame, point).label("decision"),
            article_scores.c.score,
            article_scores.c.mean_score,
            scorings.c.paragraphs,
        )
        .select_from(per_article)
        .join(scorings, scorings.c.number == of_frame.scoring_number)
        .join(article_scores, _same(of_frame))
    )
    frames: dict[int, dict[str, ArticleFrame]] = {number: {} for number in scoring_numbers}
    for row in connection.execute(query):
        frames[row.scoring_number][row.frame] = ArticleFrame(
            score=row.score,
            decision=row.decision,
            share=row.present / row.paragraphs,
            paragraphs=row.present,
            uncertain=row.uncertain,
            mean_score=row.mean_score,
            stances=tuple(getattr(row, stance) for stance in SPECIFIED_STANCES),
        )
    return frames


def decided_by_paragraphs(frames: Sequence[str], decision: Decision, point: PointCuts) -> ColumnElement[bool]:
    """Selects scorings by what the paragraphs decide on any of the frames; on any at all if none is named."""
    scores = paragraph_scores.c
    present, uncertain = (
        func.sum(case((decides(scores, point.paragraphs, wanted), 1), else_=0)) for wanted in _NOT_ABSENT
    )
    decided = {
        "present": present > 0,
        "uncertain": and_(present == 0, uncertain > 0),
        "absent": present + uncertain == 0,
    }
    query = select(scores.frame).where(scores.scoring_number == scorings.c.number)
    if frames:
        query = query.where(scores.frame.in_(frames))
    return query.group_by(scores.frame).having(decided[decision]).correlate(scorings).exists()


def pairs_of_paragraphs(connection: Connection, population: Population) -> dict[tuple[str, str], int]:
    """Number of paragraphs that carry both frames of a pair (in alphabetical order); other pairs are left out."""
    if population.point is None:
        return prevalence.pairs(connection, population)
    scores = paragraph_scores.c
    carried = (
        select(scores.scoring_number, scores.paragraph, scores.frame)
        .select_from(scorings)
        .join(articles, articles.c.number == scorings.c.article_number)
        .join(paragraph_scores, scores.scoring_number == scorings.c.number)
        .where(
            *_of_population(population),
            scores.frame.in_(population.frames),
            decides(scores, population.point.paragraphs, "present"),
        )
    )
    return _together(connection, carried.cte("carried"))


def pairs_of_articles(connection: Connection, population: Population) -> dict[tuple[str, str], int]:
    """Number of articles that carry both frames of a pair (in alphabetical order); other pairs are left out."""
    point, own = population.point, article_scores.c
    carried = (
        select(own.scoring_number, own.frame)
        .select_from(scorings)
        .join(articles, articles.c.number == scorings.c.article_number)
        .join(article_scores, own.scoring_number == scorings.c.number)
        .where(*_of_population(population), own.frame.in_(population.frames))
    )
    if point is None:
        carried = carried.where(own.decision == "present")
    elif point.articles is not None:
        carried = carried.where(decides(own, point.articles, "present"))
    else:
        of_frame = _per_article(point, _of_population(population)).subquery().c
        carried = select(of_frame.scoring_number, of_frame.frame).where(
            of_frame.present > 0, of_frame.frame.in_(population.frames)
        )
    return _together(connection, carried.cte("carried"))


def _together(connection: Connection, carried: CTE) -> dict[tuple[str, str], int]:
    """How many units carry both frames of each pair, given a row for each unit and frame that it carries."""
    first, second = carried.alias("first"), carried.alias("second")
    units = [first.c[key] == second.c[key] for key in carried.c.keys() if key != "frame"]  # noqa: SIM118 - not a mapping
    query = (
        select(first.c.frame, second.c.frame.label("other"), func.count().label("number"))
        .join(second, and_(*units, first.c.frame < second.c.frame))
        .group_by(first.c.frame, second.c.frame)
    )
    together = {}
    for frame, other, number in connection.execute(query):
        together[min(frame, other), max(frame, other)] = number  # the order of texts in a database may be another
    return together
