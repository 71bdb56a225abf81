"""Stored articles that a model has not scored yet, and their scorings once it has."""

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, func, select

from labels.paragraphs import SplitArticle
from service.store import daily
from service.store.articles import split_of
from service.store.scorings import NewScoring, Scoring, add_scorings, shown_scoring
from service.store.tables import articles, scorings
from training.operating_points import OperatingPoint


@dataclass(frozen=True, slots=True)
class PendingArticle:
    """An article that a model has not scored yet."""

    number: int
    operating_point: OperatingPoint
    split: SplitArticle


def not_scored_by(connection: Connection, model_version: str, limit: int) -> list[PendingArticle]:
    """Up to `limit` articles without a scoring by the model, newest first."""
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
        .where(~scored.exists())
        .order_by(articles.c.number.desc())
        .limit(limit)
    )
    rows = connection.execute(query).all()
    return [PendingArticle(row.number, row.operating_point, split_of(connection, row)) for row in rows]


def count_scored(connection: Connection, model_version: str) -> tuple[int, int]:
    """How many articles the model has scored, and how many there are."""
    done = select(func.count()).select_from(scorings).where(scorings.c.model_version == model_version)
    return connection.scalar(done) or 0, connection.scalar(select(func.count()).select_from(articles)) or 0


def add(connection: Connection, pending: PendingArticle, scoring: Scoring) -> None:
    """Adds a model's scoring to an article, unless it was deleted or scored by that model meanwhile."""
    there = connection.execute(
        select(articles.c.dated_at, articles.c.outlet, articles.c.story).where(articles.c.number == pending.number)
    ).first()
    scored = connection.scalar(
        select(scorings.c.number).where(
            scorings.c.article_number == pending.number, scorings.c.model_version == scoring.model_version
        )
    )
    if there is not None and scored is None:
        first_copy = there.story == pending.number
        place = daily.Place(scoring.model_version, there.dated_at.date(), there.outlet or "", first_copy)
        add_scorings(connection, [NewScoring(pending.number, pending.split, scoring, datetime.now(UTC), place)])
