"""Stored articles: adding, with near-duplicates recognised as copies of a story, and removing.

Articles that arrive together are stored by a statement for each table (SQLite) or a single statement (PostgreSQL).
`article_lookup` reads them back.
"""

import hashlib
import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from typing import Any, Literal, TypeAlias

from sqlalchemy import Connection, Table, delete, func, select, update

from labels.duplicates import ArticleSketch, sketch_article
from labels.paragraphs import SplitArticle
from service.errors import URL_OF_ANOTHER_ID
from service.store import daily
from service.store.scorings import NewScoring, Scoring, add_scorings
from service.store.sql.insertion import Rows, in_list, in_order, insert_all, new_numbers
from service.store.tables import articles, paragraphs, scorings, sketch_bands, sketches, skipped
from training.dataset import fold_of

# SQLite accepts 32,766 parameters in a statement.
_IDS_PER_QUERY = 10_000

# The keys of each article's sketch, by the article's number.
Bands: TypeAlias = Mapping[int, Sequence[int]]

# A column and its value, which no two articles share.
Mark: TypeAlias = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Metadata:
    """What the submitter knows about an article."""

    title: str | None = None
    url: str | None = None
    outlet: str | None = None
    author: str | None = None
    published_at: datetime | None = None
    external_id: str | None = None

    @property
    def external_key(self) -> str | None:
        """The digest by which the external id is unique within its outlet; None without an external id."""
        return None if self.external_id is None else _digest(self.outlet or "", self.external_id)


@dataclass(frozen=True, slots=True)
class StoredArticle:
    """An article with its newest scoring."""

    id: str
    created_at: datetime
    metadata: Metadata
    language: str
    split: SplitArticle
    scoring: Scoring

    def without_url(self) -> "StoredArticle":
        """The article without the URL of its page."""
        return replace(self, metadata=replace(self.metadata, url=None))


@dataclass(frozen=True, slots=True)
class NewArticle:
    """An article that is ready to be stored, and what identifies it.

    With `has_url_of_page`, its URL is what the page says of itself.
    """

    article: StoredArticle
    content_sha256: str
    sketch: ArticleSketch
    submitted_sha256: str | None = None
    has_url_of_page: bool = False

    @property
    def marks(self) -> list[Mark]:
        """The marks of the article; the first counts most."""
        metadata = self.article.metadata
        return _marks(metadata.external_key, metadata.url, self.content_sha256)


@dataclass(frozen=True, slots=True)
class KnownArticle:
    """What identifies a stored article."""

    id: str
    external_id: str | None
    outlet: str | None
    content_sha256: str
    submitted_sha256: str | None

    def is_another(self, external_id: str | None) -> bool:
        """Whether its sender, and that of the article with this external id, gave the two different ids."""
        return None not in (self.external_id, external_id) and self.external_id != external_id

    def has(self, submitted_sha256: str | None, text: str) -> bool:
        """Whether its content is what was sent, or its text that of the article sent, in whichever outlet."""
        if submitted_sha256 is not None and submitted_sha256 == self.submitted_sha256:
            return True
        return self.content_sha256 in (
            content_digest(self.outlet, text),
            content_digest(self.outlet, text, self.external_id),
        )


@dataclass(frozen=True, slots=True)
class Placement:
    """What became of an article, and the id of the stored article.

    It was `stored`, or the `same` article is stored already. In a `conflict` another text is stored under its `mark`,
    the external id or the URL, or the URL is that of an article with another external id; nothing was stored.
    `without_url` means that it was stored without the URL of its page, which is another's.
    """

    id: str
    outcome: Literal["stored", "same", "replaced", "conflict"]
    mark: str | None = None
    without_url: bool = False


def new_article(
    metadata: Metadata, language: str, split: SplitArticle, scoring: Scoring, submitted_sha256: str | None = None
) -> NewArticle:
    """An article that arrives now. The same wire copy in two outlets is two articles."""
    content = content_digest(metadata.outlet, split.text)
    article = StoredArticle(uuid.uuid4().hex, datetime.now(UTC), metadata, language, split, scoring)
    return NewArticle(article, content, sketch_article(split.text), submitted_sha256)


def content_digest(outlet: str | None, text: str, external_id: str | None = None) -> str:
    """The digest of an outlet and a text, which no two articles share.

    An article whose outlet and text are those of an article with another external id has the id in its digest.
    """
    own = () if external_id is None else (external_id,)
    return _digest(outlet or "", text.strip(), *own)


def with_own_digest(new: NewArticle, known: Mapping[Mark, KnownArticle]) -> NewArticle:
    """The article, with its external id in its digest if one of the known has its outlet and text and another id."""
    holder, metadata = known.get(("content_sha256", new.content_sha256)), new.article.metadata
    if holder is None or not holder.is_another(metadata.external_id):
        return new
    own = content_digest(metadata.outlet, new.article.split.text, metadata.external_id)
    return replace(new, content_sha256=own)


def add_articles(connection: Connection, arrived: Sequence[NewArticle]) -> list[Placement]:
    """Stores the articles that are neither stored already nor in conflict, and returns what became of each.

    The article under the same external id of the outlet, else under the same URL, else with the same outlet and text is
    the same article. The first two conflict if its text is another. Articles that have different external ids are never
    the same.
    """
    known = _known(connection, arrived)
    placements, fresh = [], []
    for article in arrived:
        new = with_own_digest(_without_url_of_others(article, known), known)
        mark = next((mark for mark in new.marks if mark in known), None)
        if mark is None:
            fresh.append(new)
            known |= dict.fromkeys(new.marks, _as_known(new))
            without_url = new.article.metadata.url != article.article.metadata.url
            placements.append(Placement(new.article.id, "stored", without_url=without_url))
        else:
            of_sender = new.article.metadata.external_id
            placements.append(compared(mark, known[mark], of_sender, new.submitted_sha256, new.article.split.text))
    if fresh:
        _insert(connection, fresh)
    return placements


def _without_url_of_others(new: NewArticle, known: Mapping[Mark, KnownArticle]) -> NewArticle:
    """The article without the URL that its page gives, if that is another's: some sites give that of their front."""
    metadata = new.article.metadata
    holder = known.get(("url", metadata.url or ""))
    own = known.get(("external_key", metadata.external_key or ""))
    if not new.has_url_of_page or holder is None or (own is not None and own.id == holder.id):
        return new
    return replace(new, article=new.article.without_url())


def compared(
    mark: Mark, known: KnownArticle, external_id: str | None, submitted_sha256: str | None, text: str
) -> Placement:
    """What becomes of an article that shares a mark with a stored article."""
    column, _ = mark
    if column == "url" and known.is_another(external_id):
        return Placement(known.id, "conflict", URL_OF_ANOTHER_ID)
    if column == "content_sha256" or known.has(submitted_sha256, text):
        return Placement(known.id, "same")
    return Placement(known.id, "conflict", column)


def known_by(connection: Connection, marks: Iterable[Mark]) -> dict[Mark, KnownArticle]:
    """The stored articles that have any of the marks, by mark."""
    wanted: dict[str, list[str]] = {}
    for column, value in marks:
        wanted.setdefault(column, []).append(value)
    dialect = connection.dialect.name
    return {
        (column, value): KnownArticle(*known)
        for column, values in wanted.items()
        for value, *known in connection.execute(_with_mark(column, dialect), {"values": values})
    }


def known_to_the_sender(connection: Connection, metadata: Metadata) -> tuple[Mark, KnownArticle] | None:
    """The article stored under the external id or the URL, whichever counts first, and that mark."""
    marks = _marks(metadata.external_key, metadata.url, None)
    known = known_by(connection, marks) if marks else {}
    return next(((mark, known[mark]) for mark in marks if mark in known), None)


def remove_article(connection: Connection, identifier: str) -> bool:
    """Deletes an article with everything that belongs to it; False if it is not stored."""
    number = connection.scalar(select(articles.c.number).where(articles.c.id == identifier))
    if number is None:
        return False
    daily.add_article_to_sums(connection, number, sign=-1)
    choose_next_first_copy(connection, number)
    connection.execute(delete(articles).where(articles.c.number == number))
    return True


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
    facts = (articles.c.external_id, articles.c.outlet, articles.c.content_sha256, articles.c.submitted_sha256)
    return select(column, articles.c.id, *facts).where(in_list(column, "values", dialect))


def _known(connection: Connection, arrived: Iterable[NewArticle]) -> dict[Mark, KnownArticle]:
    """The stored articles, by each mark that they share with an article that arrived."""
    return known_by(connection, (mark for new in arrived for mark in new.marks))


def _as_known(new: NewArticle) -> KnownArticle:
    metadata = new.article.metadata
    return KnownArticle(new.article.id, metadata.external_id, metadata.outlet, new.content_sha256, new.submitted_sha256)


def _marks(external_key: str | None, url: str | None, content_sha256: str | None) -> list[Mark]:
    own = {"external_key": external_key, "url": url, "content_sha256": content_sha256}
    return [(column, value) for column, value in own.items() if value is not None]


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _insert(connection: Connection, arrived: Sequence[NewArticle]) -> None:
    numbers, scoring_numbers = new_numbers(connection, len(arrived), articles, scorings)
    insert_numbered(connection, list(zip(numbers, arrived, strict=True)), scoring_numbers)


def insert_numbered(
    connection: Connection,
    numbered: Sequence[tuple[int, NewArticle]],
    scoring_numbers: Sequence[int],
    *,
    replaced_at: datetime | None = None,
) -> None:
    """Inserts articles under their numbers with all that belongs to them.

    With `replaced_at`, rows of `articles` have the numbers already and are changed; what belonged to them must be gone.
    """
    sketched = {number: new.sketch for number, new in numbered}
    bands = {number: sketch.bands() for number, sketch in sketched.items()}
    story = _stories(connection, sketched, bands)
    splits = [(number, new.article.split) for number, new in numbered]
    rows: dict[Table, Rows] = {
        articles: [in_order(articles, _row(number, new, story[number])) for number, new in numbered],
        sketches: [(number, sketch.content) for number, sketch in sketched.items()],
        # Later copies are compared with first copies only.
        sketch_bands: [(key, number) for number, keys in bands.items() if story[number] == number for key in keys],
        paragraphs: [(number, p.index, p.start, p.end) for number, split in splits for p in split.paragraphs],
        skipped: [(number, s.start, s.end, s.reason) for number, split in splits for s in split.skipped],
    }
    if replaced_at is not None:
        del rows[articles]
        for number, new in numbered:
            row = _row(number, new, story[number])
            connection.execute(update(articles).where(articles.c.number == number).values(**row))
    new_scorings = [_scoring(new.article, number, story[number], replaced_at) for number, new in numbered]
    add_scorings(connection, scoring_numbers, new_scorings, beside=rows)


def _row(number: int, new: NewArticle, story: int) -> dict[str, Any]:
    article, metadata = new.article, new.article.metadata
    return {
        "number": number,
        "id": article.id,
        "content_sha256": new.content_sha256,
        "submitted_sha256": new.submitted_sha256,
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
        "external_key": metadata.external_key,
        "story": story,
    }


def _scoring(article: StoredArticle, number: int, story: int, replaced_at: datetime | None) -> NewScoring:
    day = _dated_at(article).astimezone(UTC).date()
    version, outlet = article.scoring.model_version, article.metadata.outlet or ""
    place = daily.Place(version, day, outlet, story == number, article.scoring.off_topic)
    fold = fold_of(article.id)
    return NewScoring(number, fold, article.split, article.scoring, replaced_at or article.created_at, place)


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


def choose_next_first_copy(connection: Connection, article_number: int) -> None:
    """Before a first copy is deleted or replaced, makes the next stored copy the first, in the sums too."""
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
