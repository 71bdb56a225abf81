"""Stored articles: adding, with near-duplicates recognised as copies of a story, and removing.

Articles that arrive together are stored by one statement per table (SQLite) or a single statement (PostgreSQL).
`article_lookup` reads them back.
"""

import hashlib
import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any, TypeAlias

from sqlalchemy import Connection, Table, delete, func, select, update

from labels.duplicates import ArticleSketch, sketch_article
from labels.paragraphs import SplitArticle
from service.store import daily
from service.store.scorings import NewScoring, Scoring, add_scorings
from service.store.sql.insertion import Rows, in_list, in_order, insert_all, new_numbers
from service.store.tables import articles, paragraphs, scorings, sketch_bands, sketches, skipped

# SQLite accepts 32,766 parameters in a statement.
_IDS_PER_QUERY = 10_000

# The keys of each article's sketch, by the article's number.
Bands: TypeAlias = Mapping[int, Sequence[int]]


@dataclass(frozen=True, slots=True)
class Metadata:
    """What the submitter knows about an article."""

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


@dataclass(frozen=True, slots=True)
class NewArticle:
    """An article that is ready to be stored, and what identifies it."""

    article: StoredArticle
    content_sha256: str
    sketch: ArticleSketch

    @property
    def marks(self) -> list[tuple[str, str]]:
        """Columns and values that no two articles share; the first column counts most."""
        metadata = self.article.metadata
        own = {"external_id": metadata.external_id, "url": metadata.url, "content_sha256": self.content_sha256}
        return [(column, value) for column, value in own.items() if value is not None]


def new_article(metadata: Metadata, language: str, split: SplitArticle, scoring: Scoring) -> NewArticle:
    """An article that arrives now. The same wire copy in two outlets is two articles."""
    content = hashlib.sha256(f"{metadata.outlet or ''}\0{split.text.strip()}".encode()).hexdigest()
    article = StoredArticle(uuid.uuid4().hex, datetime.now(UTC), metadata, language, split, scoring)
    return NewArticle(article, content, sketch_article(split.text))


def add_articles(connection: Connection, arrived: Sequence[NewArticle]) -> list[str]:
    """Stores articles and returns the id of each: its own, or that of the same article if it is stored already.

    Two articles are the same if they share the external id, the URL, or outlet and content, compared in this order.
    """
    known = _known(connection, arrived)
    identifiers, fresh = [], []
    for new in arrived:
        same = next((known[mark] for mark in new.marks if mark in known), None)
        if same is None:
            fresh.append(new)
            known |= dict.fromkeys(new.marks, new.article.id)
        identifiers.append(same or new.article.id)
    if fresh:
        _insert(connection, fresh)
    return identifiers


def remove_article(connection: Connection, identifier: str) -> bool:
    """Deletes an article with everything that belongs to it; False if it is not stored."""
    number = connection.scalar(select(articles.c.number).where(articles.c.id == identifier))
    if number is None:
        return False
    daily.add_article_to_sums(connection, number, sign=-1)
    _choose_next_first_copy(connection, number)
    connection.execute(delete(articles).where(articles.c.number == number))
    return True


def id_of(connection: Connection, external_id: str) -> str | None:
    """The id of the article with that external id; None if there is none."""
    return connection.scalar(select(articles.c.id).where(articles.c.external_id == external_id))


def stored_ids(connection: Connection, identifiers: Collection[str]) -> set[str]:
    """Those of the ids under which an article is stored."""
    stored: set[str] = set()
    ordered = sorted(set(identifiers))
    for start in range(0, len(ordered), _IDS_PER_QUERY):
        batch = ordered[start : start + _IDS_PER_QUERY]
        stored.update(connection.scalars(select(articles.c.id).where(articles.c.id.in_(batch))))
    return stored


@cache
def _with_mark(name: str, dialect: str) -> Any:
    column = articles.c[name]
    return select(column, articles.c.id).where(in_list(column, "values", dialect))


def _known(connection: Connection, arrived: Iterable[NewArticle]) -> dict[tuple[str, str], str]:
    """The ids of stored articles, by each mark that they share with an article that arrived."""
    wanted: dict[str, list[str]] = {}
    for new in arrived:
        for column, value in new.marks:
            wanted.setdefault(column, []).append(value)
    dialect = connection.dialect.name
    return {
        (column, value): identifier
        for column, values in wanted.items()
        for value, identifier in connection.execute(_with_mark(column, dialect), {"values": values})
    }


def _insert(connection: Connection, arrived: Sequence[NewArticle]) -> None:
    numbers, scoring_numbers = new_numbers(connection, len(arrived), articles, scorings)
    numbered = list(zip(numbers, arrived, strict=True))
    sketched = {number: new.sketch for number, new in numbered}
    bands = {number: sketch.bands() for number, sketch in sketched.items()}
    story = _stories(connection, sketched, bands)
    splits = [(number, new.article.split) for number, new in numbered]
    rows: dict[Table, Rows] = {
        articles: [_row(number, new, story[number]) for number, new in numbered],
        sketches: [(number, sketch.content) for number, sketch in sketched.items()],
        # Later copies are compared with first copies only.
        sketch_bands: [(key, number) for number, keys in bands.items() if story[number] == number for key in keys],
        paragraphs: [(number, p.index, p.start, p.end) for number, split in splits for p in split.paragraphs],
        skipped: [(number, s.start, s.end, s.reason) for number, split in splits for s in split.skipped],
    }
    new_scorings = [_scoring(new.article, number, story[number]) for number, new in numbered]
    add_scorings(connection, scoring_numbers, new_scorings, beside=rows)


def _row(number: int, new: NewArticle, story: int) -> tuple[Any, ...]:
    article, metadata = new.article, new.article.metadata
    return in_order(
        articles,
        {
            "number": number,
            "id": article.id,
            "content_sha256": new.content_sha256,
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


# -- stories ----------------------------------------------------------------------------------------------------------


@cache
def _sketches_with_keys(dialect: str) -> Any:
    return (
        select(sketch_bands.c.key, sketches.c.article_number, sketches.c.sketch)
        .join(sketches, sketches.c.article_number == sketch_bands.c.article_number)
        .where(in_list(sketch_bands.c.key, "keys", dialect))
    )


def _stories(connection: Connection, arrived: Mapping[int, ArticleSketch], bands: Bands) -> dict[int, int]:
    """The story of each article: the number of the first stored copy, or its own number."""
    dialect = connection.dialect.name
    by_key: dict[int, set[tuple[int, ArticleSketch]]] = {}
    wanted = {key for keys in bands.values() for key in keys}
    for key, number, content in connection.execute(_sketches_with_keys(dialect), {"keys": list(wanted)}):
        by_key.setdefault(key, set()).add((number, ArticleSketch(content)))
    story = {}
    for number, sketch in arrived.items():
        candidates = {candidate for key in bands[number] for candidate in by_key.get(key, ())}
        story[number] = min((other for other, its in candidates if sketch.is_copy_of(its)), default=number)
        if story[number] == number:
            for key in bands[number]:
                by_key.setdefault(key, set()).add((number, sketch))
    return story


def _choose_next_first_copy(connection: Connection, article_number: int) -> None:
    """Before a first copy is deleted, makes the next stored copy the first, in the sums too."""
    others = (articles.c.story == article_number) & (articles.c.number != article_number)
    next_copy = connection.scalar(select(func.min(articles.c.number)).where(others))
    if next_copy is None:
        return
    daily.add_article_to_sums(connection, next_copy, sign=-1)
    connection.execute(update(articles).where(others).values(story=next_copy))
    daily.add_article_to_sums(connection, next_copy)
    sketch = connection.scalar(select(sketches.c.sketch).where(sketches.c.article_number == next_copy))
    if sketch is not None:
        insert_all(connection, {sketch_bands: [(key, next_copy) for key in ArticleSketch(sketch).bands()]})
