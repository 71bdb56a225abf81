"""Stored articles: finding and deleting; see new_articles.py for storing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, select

from labels.paragraphs import Paragraph, Skipped, SplitArticle
from service.store import daily, stories
from service.store.scorings import SCORING_FACTS, Scoring, article_frames, paragraph_frames, shown_scoring
from service.store.tables import articles, paragraphs, scorings, skipped
from training.scoring.classification import Classification


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a submitter says of an article."""

    title: str | None = None
    url: str | None = None
    outlet: str | None = None
    author: str | None = None
    published_at: datetime | None = None
    external_id: str | None = None


@dataclass(frozen=True, slots=True)
class StoredArticle:
    """An article with its newest scoring."""

    id: str
    created_at: datetime
    metadata: Metadata
    language: str
    split: SplitArticle
    scoring: Scoring


def get(connection: Connection, identifier: str, model_version: str | None = None) -> StoredArticle | None:
    """The article of that id as `model_version` scored it, else as it was scored last; None where there is none."""
    row = connection.execute(
        select(articles, scorings.c.number.label("scoring_number"), *SCORING_FACTS)
        .select_from(articles)
        .join(scorings, scorings.c.number == shown_scoring(model_version))
        .where(articles.c.id == identifier)
    ).first()
    if row is None:
        return None
    split = split_of(connection, row)
    classification = Classification(
        paragraphs=paragraph_frames(connection, row.scoring_number, split),
        article=article_frames(connection, [row.scoring_number])[row.scoring_number],
    )
    return StoredArticle(
        id=row.id,
        created_at=row.created_at,
        metadata=metadata_of(row),
        language=row.language,
        split=split,
        scoring=Scoring(row.model_version, row.codebook_version, row.operating_point, classification),
    )


def newest_ids(connection: Connection, limit: int) -> list[str]:
    return list(connection.scalars(select(articles.c.id).order_by(articles.c.number.desc()).limit(limit)))


def splits(connection: Connection, identifiers: Sequence[str]) -> dict[str, SplitArticle]:
    """Text and paragraphs of articles, by id; those deleted meanwhile are left out."""
    query = select(articles.c.number, articles.c.id, articles.c.text).where(articles.c.id.in_(identifiers))
    return {row.id: split_of(connection, row) for row in connection.execute(query).all()}


def remove(connection: Connection, identifier: str) -> bool:
    """Deletes an article with everything that belongs to it; False where there is none."""
    number = connection.scalar(select(articles.c.number).where(articles.c.id == identifier))
    if number is None:
        return False
    daily.count(connection, number, sign=-1)
    stories.hand_over(connection, number)
    connection.execute(delete(articles).where(articles.c.number == number))
    return True


def metadata_of(row: Row[Any]) -> Metadata:
    """What was said of the article of a row."""
    return Metadata(row.title, row.url, row.outlet, row.author, row.published_at, row.external_id)


def split_of(connection: Connection, row: Any) -> SplitArticle:
    """Text, paragraphs and what was set aside of the article of a row with its `number` and `text`."""
    kept = connection.execute(
        select(paragraphs).where(paragraphs.c.article_number == row.number).order_by(paragraphs.c.paragraph)
    )
    aside = connection.execute(
        select(skipped).where(skipped.c.article_number == row.number).order_by(skipped.c.start_offset)
    )
    return SplitArticle(
        text=row.text,
        paragraphs=tuple(
            Paragraph(p.paragraph, p.start_offset, p.end_offset, row.text[p.start_offset : p.end_offset]) for p in kept
        ),
        skipped=tuple(
            Skipped(s.start_offset, s.end_offset, row.text[s.start_offset : s.end_offset], s.reason) for s in aside
        ),
    )
