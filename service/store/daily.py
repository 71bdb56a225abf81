"""Daily sums: scores added up over the articles of a day, outlet and frame, so that charts need not read every score.

A new scoring adds its contribution; when it is deleted, the same contribution is subtracted. `rebuild` computes all
sums from the scores.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import combinations
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, case, delete, func, insert, literal, literal_column, select

from labels.annotations import SPECIFIED_STANCES
from labels.codebook import OTHER
from service.store.decisions import article_frame
from service.store.sql.insertion import add_to_sums, in_order
from service.store.tables import article_scores, articles, daily_frames, daily_pairs, paragraph_scores, scorings
from training.scoring.classification import ArticleFrame

_NO_STANCES = (0.0,) * len(SPECIFIED_STANCES)
KEY = ("model_version", "day", "outlet", "first_copy", "off_topic", "frame")
SUMS = tuple(column.name for column in daily_frames.columns if column.name not in KEY)


def start_of(day: date | datetime) -> datetime:
    """The first moment of a day; a point in time is returned unchanged."""
    return day if isinstance(day, datetime) else datetime.combine(day, time(), UTC)


def end_of(day: date | datetime) -> datetime:
    """The first moment after a day; a point in time is returned unchanged."""
    if isinstance(day, datetime):
        return day
    return datetime.max.replace(tzinfo=UTC) if day == date.max else start_of(day + timedelta(days=1))


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """The cell of the sums to which a scoring contributes."""

    model_version: str
    day: date
    outlet: str
    first_copy: bool
    off_topic: bool

    def row(self, **values: Any) -> dict[str, Any]:
        """The key columns of the cell, with further values."""
        return {
            "model_version": self.model_version,
            "day": self.day,
            "outlet": self.outlet,
            "first_copy": self.first_copy,
            "off_topic": self.off_topic,
            **values,
        }


def add_article_to_sums(connection: Connection, article_number: int, *, sign: int = 1) -> None:
    """Adds the stored scorings of an article to the sums; with `sign` -1 subtracts them."""
    query = (
        select(scorings, articles.c.dated_at, articles.c.outlet, articles.c.story)
        .join(articles, articles.c.number == scorings.c.article_number)
        .where(scorings.c.article_number == article_number)
    )
    for scoring in connection.execute(query).all():
        place = Place(
            scoring.model_version,
            scoring.dated_at.date(),
            scoring.outlet or "",
            scoring.story == article_number,
            scoring.about == OTHER,
        )
        rows = connection.execute(
            select(article_scores)
            .where(article_scores.c.scoring_number == scoring.number)
            .order_by(article_scores.c.frame)
        )
        rolled = {row.frame: article_frame(row) for row in rows}
        together = _present_together(connection, scoring.number)
        count_scorings(connection, [Contribution(place, scoring.paragraphs, rolled, together)], sign=sign)
        if sign < 0:
            _sweep(connection, place)


@dataclass(frozen=True, slots=True)
class Contribution:
    """What a scoring contributes to the sums: its frames per article, and for each paragraph the frames present."""

    place: Place
    paragraphs: int
    rolled: Mapping[str, ArticleFrame]
    together: Iterable[Sequence[str]]


def count_scorings(connection: Connection, contributions: Iterable[Contribution], *, sign: int = 1) -> None:
    """Adds scorings to the sums; with `sign` -1 subtracts them."""
    frames: dict[tuple[Place, str], dict[str, float]] = {}
    pairs: Counter[tuple[Place, str, str]] = Counter()
    for contribution in contributions:
        place = contribution.place
        for frame, rolled in contribution.rolled.items():
            sums = frames.setdefault((place, frame), dict.fromkeys(SUMS, 0))
            for name, value in _summands(contribution.paragraphs, rolled):
                sums[name] += sign * value
        for together in contribution.together:
            pairs.update((place, *pair) for pair in combinations(sorted(together), 2))
    # In the order of their keys, so that writers cannot deadlock.
    frame_rows = [place.row(frame=frame, **sums) for (place, frame), sums in sorted(frames.items(), key=itemgetter(0))]
    pair_rows = [
        place.row(frame=frame, other=other, paragraphs=sign * number)
        for (place, frame, other), number in sorted(pairs.items())
    ]
    changed = {daily_frames: frame_rows, daily_pairs: pair_rows}
    add_to_sums(connection, {table: [in_order(table, row) for row in rows] for table, rows in changed.items()})


def _summands(paragraphs: int, rolled: ArticleFrame) -> Iterable[tuple[str, float]]:
    mean, score = rolled.mean_score, rolled.score
    if rolled.cross is not None:
        mean, score = rolled.cross.mean_score, rolled.cross.score
    total = mean * paragraphs
    yield "articles", 1
    yield "paragraphs", paragraphs
    yield "present", rolled.paragraphs
    yield "uncertain", rolled.uncertain
    yield "articles_present", int(rolled.decision == "present")
    yield "articles_uncertain", int(rolled.decision == "uncertain")
    yield "share", rolled.share
    yield "score", total
    yield "score_squared", total**2
    yield "paragraphs_squared", float(paragraphs**2)
    yield "paragraphs_score", total * paragraphs
    yield "mean_score", mean
    yield "mean_score_squared", mean**2
    yield "top_score", score
    yield "top_score_squared", score**2
    stances = rolled.stances or _NO_STANCES
    for stance, value in zip(SPECIFIED_STANCES, stances, strict=True):
        yield stance, value
        yield f"{stance}_squared", value**2
        yield f"{stance}_present", value * sum(stances)


def _present_together(connection: Connection, scoring_number: int) -> Iterable[Sequence[str]]:
    query = select(paragraph_scores.c.paragraph, paragraph_scores.c.frame).where(
        paragraph_scores.c.scoring_number == scoring_number, paragraph_scores.c.decision == "present"
    )
    together: dict[int, list[str]] = {}
    for row in connection.execute(query):
        together.setdefault(row.paragraph, []).append(row.frame)
    return together.values()


def _sweep(connection: Connection, place: Place) -> None:
    """Deletes the rows of a cell that no longer has articles: only rounding errors are left in them."""
    for table, left in ((daily_frames, daily_frames.c.articles), (daily_pairs, daily_pairs.c.paragraphs)):
        here = [table.c[name] == value for name, value in place.row().items()]
        connection.execute(delete(table).where(*here, left <= 0))


def rebuild(connection: Connection) -> None:
    """Computes all sums from the scores."""
    for table, query in ((daily_frames, plain_frames()), (daily_pairs, plain_pairs())):
        connection.execute(delete(table))
        connection.execute(insert(table).from_select([column.name for column in table.columns], query))


def plain_frames() -> Any:
    """The query over all scores that gives the rows of `daily_frames`."""
    f, m = article_scores.c, scorings.c.paragraphs
    mean, score = func.coalesce(f.cross_mean_score, f.mean_score), func.coalesce(f.cross_score, f.score)
    total = mean * m
    return (
        select(
            *_place(),
            f.frame,
            func.count(),
            func.sum(m),
            func.sum(f.paragraphs),
            func.sum(f.uncertain),
            func.sum(case((f.decision == "present", 1), else_=0)),
            func.sum(case((f.decision == "uncertain", 1), else_=0)),
            func.sum(f.share),
            func.sum(total),
            func.sum(total * total),
            func.sum(literal(1.0) * m * m),
            func.sum(total * m),
            func.sum(mean),
            func.sum(mean * mean),
            func.sum(score),
            func.sum(score * score),
            *(func.coalesce(func.sum(f[stance]), 0.0) for stance in SPECIFIED_STANCES),
            *(func.coalesce(func.sum(f[stance] * f[stance]), 0.0) for stance in SPECIFIED_STANCES),
            *(func.coalesce(func.sum(f[stance] * _all_stances()), 0.0) for stance in SPECIFIED_STANCES),
        )
        .select_from(article_scores)
        .join(scorings, scorings.c.number == f.scoring_number)
        .join(articles, articles.c.number == scorings.c.article_number)
        .group_by(*_place(), f.frame)
    )


def _all_stances() -> Any:
    first, *others = (article_scores.c[stance] for stance in SPECIFIED_STANCES)
    return sum(others, first)


def plain_pairs() -> Any:
    """The query over all scores that gives the rows of `daily_pairs`."""
    scores, others = paragraph_scores.alias("scores"), paragraph_scores.alias("others")
    return (
        select(*_place(), scores.c.frame, others.c.frame, func.count())
        .select_from(scores)
        .join(
            others,
            (others.c.scoring_number == scores.c.scoring_number)
            & (others.c.paragraph == scores.c.paragraph)
            & (scores.c.frame < others.c.frame),
        )
        .join(scorings, scorings.c.number == scores.c.scoring_number)
        .join(articles, articles.c.number == scorings.c.article_number)
        .where(scores.c.decision == "present", others.c.decision == "present")
        .group_by(*_place(), scores.c.frame, others.c.frame)
    )


def _place() -> tuple[Any, ...]:
    return (
        scorings.c.model_version,
        func.date(articles.c.dated_at),
        func.coalesce(articles.c.outlet, literal_column("''")),
        articles.c.number == articles.c.story,
        func.coalesce(scorings.c.about, literal_column("''")) == literal_column(f"'{OTHER}'"),
    )
