"""Articles that arrive: known from those that are there already, and stored, many with a statement a table."""

import hashlib
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, Table, select

from labels.duplicates import ArticleSketch, sketch_article
from labels.paragraphs import SplitArticle
from service.store import daily, stories
from service.store.articles import Metadata, StoredArticle
from service.store.scorings import NewScoring, Scoring, add_scorings
from service.store.sql.insertion import Rows, in_order, new_numbers, one_of
from service.store.tables import articles, paragraphs, scorings, skipped


@dataclass(frozen=True, slots=True)
class NewArticle:
    """An article that is ready to be stored, and what it is known by."""

    article: StoredArticle
    content_sha256: str
    sketch: ArticleSketch

    @property
    def marks(self) -> list[tuple[str, str]]:
        """Columns and values that no two articles share; what comes first counts most."""
        metadata = self.article.metadata
        own = {"external_id": metadata.external_id, "url": metadata.url, "content_sha256": self.content_sha256}
        return [(column, value) for column, value in own.items() if value is not None]


def new_article(metadata: Metadata, language: str, split: SplitArticle, scoring: Scoring) -> NewArticle:
    """An article that arrives now. The same wire copy in two outlets is two articles."""
    content = hashlib.sha256(f"{metadata.outlet or ''}\0{split.text.strip()}".encode()).hexdigest()
    article = StoredArticle(uuid.uuid4().hex, datetime.now(UTC), metadata, language, split, scoring)
    return NewArticle(article, content, sketch_article(split.text))


def id_of(connection: Connection, external_id: str) -> str | None:
    """The id of the article with that external id; None where there is none."""
    return connection.scalar(select(articles.c.id).where(articles.c.external_id == external_id))


def add_all(connection: Connection, arrived: Sequence[NewArticle]) -> list[str]:
    """The ids that articles are stored under: their own, or that of the same one, which was there already.

    The same one has the same external id, address, or outlet and content, looked for in this order.
    """
    known = _known(connection, arrived)
    identifiers, fresh = [], []
    for one in arrived:
        same = next((known[mark] for mark in one.marks if mark in known), None)
        if same is None:
            fresh.append(one)
            known |= dict.fromkeys(one.marks, one.article.id)
        identifiers.append(same or one.article.id)
    if fresh:
        _add(connection, fresh)
    return identifiers


@cache
def _where_marked(name: str, dialect: str) -> Any:
    column = articles.c[name]
    return select(column, articles.c.id).where(one_of(column, "values", dialect))


def _known(connection: Connection, arrived: Iterable[NewArticle]) -> dict[tuple[str, str], str]:
    """The ids of stored articles, by each mark that one of those arrived has too."""
    wanted: dict[str, list[str]] = {}
    for one in arrived:
        for column, value in one.marks:
            wanted.setdefault(column, []).append(value)
    dialect = connection.dialect.name
    return {
        (column, value): identifier
        for column, values in wanted.items()
        for value, identifier in connection.execute(_where_marked(column, dialect), {"values": values})
    }


def _add(connection: Connection, arrived: Sequence[NewArticle]) -> None:
    numbers, of_scorings = new_numbers(connection, len(arrived), articles, scorings)
    numbered = list(zip(numbers, arrived, strict=True))
    sketches = {number: one.sketch for number, one in numbered}
    bands = {number: sketch.bands() for number, sketch in sketches.items()}
    told = stories.tell(connection, sketches, bands)
    splits = [(number, one.article.split) for number, one in numbered]
    rows: dict[Table, Rows] = {
        articles: [_row(number, one, told[number]) for number, one in numbered],
        **stories.rows(sketches, bands, told),
        paragraphs: [(number, p.index, p.start, p.end) for number, split in splits for p in split.paragraphs],
        skipped: [(number, s.start, s.end, s.reason) for number, split in splits for s in split.skipped],
    }
    new = [_scoring(one.article, number, told[number]) for number, one in numbered]
    add_scorings(connection, of_scorings, new, beside=rows)


def _row(number: int, one: NewArticle, story: int) -> tuple[Any, ...]:
    article, metadata = one.article, one.article.metadata
    return in_order(
        articles,
        {
            "number": number,
            "id": article.id,
            "content_sha256": one.content_sha256,
            "created_at": article.created_at,
            "dated_at": _dated_at(article),
            "language": article.language,
            "text": article.split.text,
            "title": metadata.title,
            "url": metadata.url,
            "outlet": metadata.outlet,
            "author": metadata.author,
            "published_at": metadata.published_at,
            "external_id": metadata.external_id,
            "story": story,
        },
    )


def _scoring(article: StoredArticle, number: int, story: int) -> NewScoring:
    day = _dated_at(article).astimezone(UTC).date()
    version, outlet = article.scoring.model_version, article.metadata.outlet or ""
    place = daily.Place(version, day, outlet, story == number)
    return NewScoring(number, article.split, article.scoring, article.created_at, place)


def _dated_at(article: StoredArticle) -> datetime:
    return article.metadata.published_at or article.created_at
