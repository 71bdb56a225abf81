"""Reading stored articles: whole, with the scoring to show, or only their paragraphs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select

from labels.paragraphs import Paragraph, Skipped, SplitArticle
from service.store.articles import Metadata, StoredArticle
from service.store.scorings import SCORING_FACTS, Scoring, about_in, article_frames, paragraph_frames, shown_scoring
from service.store.tables import articles, former_versions, paragraphs, scorings, skipped
from training.scoring.classification import Classification


def get_article(connection: Connection, identifier: str, model_version: str | None = None) -> StoredArticle | None:
    """The article as `model_version` scored it, else with its newest scoring; None if it is not stored."""
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
        about=about_in(row),
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
    """Ids of the articles stored last, the newest first."""
    return list(connection.scalars(select(articles.c.id).order_by(articles.c.number.desc()).limit(limit)))


@dataclass(frozen=True, slots=True)
class Heading:
    """What names an article: its number and id, and what stands above its text."""

    number: int
    id: str
    title: str | None
    outlet: str | None
    published_at: datetime | None


def newest_before(connection: Connection, number: int | None, limit: int) -> list[Heading]:
    """The articles stored last before that with a number, or of all with None; the newest first."""
    query = select(articles.c.number, articles.c.id, articles.c.title, articles.c.outlet, articles.c.published_at)
    if number is not None:
        query = query.where(articles.c.number < number)
    rows = connection.execute(query.order_by(articles.c.number.desc()).limit(limit))
    return [Heading(*row) for row in rows]


def splits(connection: Connection, identifiers: Sequence[str]) -> dict[str, SplitArticle]:
    """Text and paragraphs of articles, by id; articles that have been deleted are left out."""
    query = select(articles.c.number, articles.c.id, articles.c.text).where(articles.c.id.in_(identifiers))
    return {row.id: split_of(connection, row) for row in connection.execute(query).all()}


@dataclass(frozen=True, slots=True)
class FormerVersion:
    """A text that was replaced; version 1 is the oldest."""

    version: int
    replaced_at: datetime
    metadata: Metadata
    language: str
    text: str
    paragraphs: tuple[Paragraph, ...]


def former_versions_of(connection: Connection, identifiers: Sequence[str]) -> list[FormerVersion]:
    """The former versions of articles, oldest first."""
    query = (
        select(former_versions)
        .join(articles, articles.c.number == former_versions.c.article_number)
        .where(articles.c.id.in_(identifiers))
        .order_by(former_versions.c.article_number, former_versions.c.version)
    )
    return [
        FormerVersion(
            row.version,
            row.replaced_at,
            metadata_of(row),
            row.language,
            row.text,
            tuple(Paragraph(index, start, end, row.text[start:end]) for index, start, end in row.paragraphs),
        )
        for row in connection.execute(query)
    ]


def metadata_of(row: Row[Any]) -> Metadata:
    """The metadata in a row of `articles`."""
    return Metadata(row.title, row.url, row.outlet, row.author, row.published_at, row.external_id)


def split_of(connection: Connection, row: Any) -> SplitArticle:
    """Text, paragraphs and skipped pieces of an article, given a row with its `number` and `text`."""
    paragraph_rows = connection.execute(
        select(paragraphs).where(paragraphs.c.article_number == row.number).order_by(paragraphs.c.paragraph)
    )
    skipped_rows = connection.execute(
        select(skipped).where(skipped.c.article_number == row.number).order_by(skipped.c.start_offset)
    )
    return SplitArticle(
        text=row.text,
        paragraphs=tuple(
            Paragraph(p.paragraph, p.start_offset, p.end_offset, row.text[p.start_offset : p.end_offset])
            for p in paragraph_rows
        ),
        skipped=tuple(
            Skipped(s.start_offset, s.end_offset, row.text[s.start_offset : s.end_offset], s.reason)
            for s in skipped_rows
        ),
    )
