"""Rescoring: stored articles that a model has not scored yet, and adding the scores that it makes."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, func, select

from labels.paragraphs import SplitArticle
from service.store import daily
from service.store.article_lookup import split_of
from service.store.scorings import NewScoring, Scoring, add_scorings, shown_scoring
from service.store.sql.insertion import new_numbers
from service.store.tables import articles, scorings
from training.dataset import fold_of
from training.scoring.operating_points import OperatingPoint

# Scorings that show the pace of rescoring, and the time after which it counts as resting.
_NEWEST = 200
_RESTING = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class PendingArticle:
    """An article that a model has not scored yet."""

    number: int
    operating_point: OperatingPoint
    split: SplitArticle


def newest_number(connection: Connection) -> int:
    """The number of the newest article; 0 if none is stored."""
    return connection.scalar(select(func.max(articles.c.number))) or 0


def not_scored_by(connection: Connection, model_version: str, numbers: range, limit: int) -> list[PendingArticle]:
    """Up to `limit` articles in a range of numbers without a scoring by the model, newest first."""
    by_model = scorings.alias("by_model")
    scored = (
        select(by_model.c.number)
        .where(by_model.c.article_number == articles.c.number, by_model.c.model_version == model_version)
        .correlate(articles)
    )
    query = (
        select(articles.c.number, articles.c.text, scorings.c.operating_point)
        .select_from(articles)
        .join(scorings, scorings.c.number == shown_scoring(None))
        .where(articles.c.number >= numbers.start, articles.c.number < numbers.stop, ~scored.exists())
        .order_by(articles.c.number.desc())
        .limit(limit)
    )
    rows = connection.execute(query).all()
    return [PendingArticle(row.number, row.operating_point, split_of(connection, row)) for row in rows]


def count_scored(connection: Connection, model_version: str) -> tuple[int, int]:
    """Number of articles that the model has scored, and of all stored articles."""
    done = select(func.count()).select_from(scorings).where(scorings.c.model_version == model_version)
    return connection.scalar(done) or 0, connection.scalar(select(func.count()).select_from(articles)) or 0


def seconds_left(connection: Connection, model_version: str, now: datetime) -> float | None:
    """Seconds that rescoring with the model still takes, at the pace of its newest scorings; None while it rests."""
    newest = (
        select(scorings.c.scored_at)
        .where(scorings.c.model_version == model_version)
        .order_by(scorings.c.number.desc())
        .limit(_NEWEST)
    )
    times = connection.scalars(newest).all()
    scored, total = count_scored(connection, model_version)
    if not times or now - times[0] > _RESTING or times[0] <= times[-1]:
        return None
    # The scorings of the first moment were made before it.
    made: int = sum(time > times[-1] for time in times)
    elapsed: float = (times[0] - times[-1]).total_seconds()
    return (total - scored) * elapsed / made


def add_all(connection: Connection, scored: Iterable[tuple[PendingArticle, Scoring]]) -> None:
    """Adds scorings, except to articles that have since been deleted or scored by the same model."""
    by_number = {pending.number: (pending, scoring) for pending, scoring in scored}
    versions = {scoring.model_version for _, scoring in by_number.values()}
    done = select(scorings.c.article_number).where(
        scorings.c.article_number.in_(by_number), scorings.c.model_version.in_(versions)
    )
    waiting = select(articles.c.number, articles.c.id, articles.c.dated_at, articles.c.outlet, articles.c.story).where(
        articles.c.number.in_(by_number), articles.c.number.not_in(done)
    )
    now, new = datetime.now(UTC), []
    for row in connection.execute(waiting).all():
        pending, scoring = by_number[row.number]
        place = daily.Place(
            scoring.model_version,
            row.dated_at.date(),
            row.outlet or "",
            first_copy=row.story == row.number,
            off_topic=scoring.off_topic,
        )
        new.append(NewScoring(row.number, fold_of(row.id), pending.split, scoring, now, place))
    if new:
        [numbers] = new_numbers(connection, len(new), scorings)
        add_scorings(connection, numbers, new)
