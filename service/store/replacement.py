"""Replacing the text of a stored article: the old text becomes a former version, and annotations follow their text.

Annotations of paragraphs whose text is unchanged move along with it. The others keep the text that was coded: their
paragraphs are numbered -1, -2, … from then on.
"""

from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from labels.paragraphs import Paragraph
from service.errors import URL_OF_ANOTHER_ID
from service.store import daily
from service.store.article_lookup import metadata_of, split_of
from service.store.articles import (
    NewArticle,
    Placement,
    add_articles,
    choose_next_first_copy,
    insert_numbered,
    known_by,
    with_own_digest,
)
from service.store.sql.insertion import new_numbers
from service.store.tables import (
    annotations,
    articles,
    draws,
    former_versions,
    gold_items,
    paragraphs,
    returned_draws,
    scorings,
    sketch_bands,
    sketches,
    skipped,
)

_BELONGING = (paragraphs, skipped, scorings, sketches, sketch_bands)
# Stands before the units of annotations, draws and gold items while they change places.
_MOVING = "~"


def replace_article(connection: Connection, new: NewArticle) -> Placement:
    """Stores an article in place of that with which it shares an external id or a URL, else as a new article.

    In a conflict, yet another article has its URL, or its text in the same outlet; articles with different external ids
    may have the same text.
    """
    [placement] = add_articles(connection, [new])
    if placement.outcome == "stored" or placement.mark == URL_OF_ANOTHER_ID:
        return placement
    new = with_own_digest(new, known_by(connection, new.marks))
    stored = connection.execute(select(articles).where(articles.c.id == placement.id).with_for_update()).one()
    if stored.text == new.article.split.text and metadata_of(stored) == new.article.metadata:
        return placement
    for (column, _), known in known_by(connection, new.marks).items():
        if known.id != stored.id:
            others = column == "url" and known.is_another(new.article.metadata.external_id)
            return Placement(known.id, "conflict", URL_OF_ANOTHER_ID if others else column)
    _replace(connection, stored, new, datetime.now(UTC))
    return Placement(stored.id, "replaced")


def _replace(connection: Connection, stored: Row[Any], new: NewArticle, now: datetime) -> None:
    old = split_of(connection, stored).paragraphs
    daily.add_article_to_sums(connection, stored.number, sign=-1)
    choose_next_first_copy(connection, stored.number)
    _keep(connection, stored, old, now)
    for table in _BELONGING:
        connection.execute(delete(table).where(table.c.article_number == stored.number))
    article = replace(new.article, id=stored.id, created_at=stored.created_at)
    [scoring_numbers] = new_numbers(connection, 1, scorings)
    numbered = [(stored.number, replace(new, article=article))]
    insert_numbered(connection, numbered, scoring_numbers, replaced_at=now)
    _move_coding(connection, stored, old, new.article.split.paragraphs)


def _keep(connection: Connection, stored: Row[Any], old: Sequence[Paragraph], now: datetime) -> None:
    """Stores the text of an article as its newest former version."""
    of_article = former_versions.c.article_number == stored.number
    last = connection.scalar(select(func.max(former_versions.c.version)).where(of_article)) or 0
    copied = {column.name for column in former_versions.columns} & {column.name for column in articles.columns}
    connection.execute(
        insert(former_versions),
        {
            "article_number": stored.number,
            "version": last + 1,
            "replaced_at": now,
            "paragraphs": [[paragraph.index, paragraph.start, paragraph.end] for paragraph in old],
            **{name: stored._mapping[name] for name in copied},
        },
    )


def _move_coding(connection: Connection, stored: Row[Any], old: Sequence[Paragraph], new: Sequence[Paragraph]) -> None:
    """Moves annotations, draws and gold items along with the paragraphs whose text is unchanged.

    Of the other paragraphs, annotations keep the text; draws and gold items end: there is nothing left to code.
    """
    places = _places(old, new)
    texts = {paragraph.index: paragraph.text for paragraph in old}
    for table in (draws, returned_draws, gold_items):
        gone = table.c.article_number == stored.number, table.c.paragraph.not_in(list(places))
        connection.execute(delete(table).where(*gone))
    for table in (annotations, draws, returned_draws, gold_items):
        of_article = table.c.article_number == stored.number
        numbers = sorted(connection.scalars(select(table.c.paragraph).where(of_article).distinct()))
        # All are set aside first, because a paragraph may get the number that another still has.
        connection.execute(update(table).where(of_article, table.c.paragraph >= 0).values(unit=_MOVING + table.c.unit))
        former = min(numbers, default=0)
        for index in (number for number in numbers if number >= 0):
            values: dict[str, Any] = {"paragraph": places.get(index)}
            if index not in places:
                former = min(former, 0) - 1
                values = {"paragraph": former, "text": texts[index]}
            unit = table.c.unit == f"{_MOVING}{stored.id}:{index}"
            moved = update(table).where(unit).values(unit=f"{stored.id}:{values['paragraph']}", **values)
            connection.execute(moved)


def _places(old: Sequence[Paragraph], new: Sequence[Paragraph]) -> Mapping[int, int]:
    """The new index of each old paragraph whose text is still there; equal texts keep their order."""
    waiting: dict[str, deque[int]] = defaultdict(deque)
    for paragraph in new:
        waiting[paragraph.text].append(paragraph.index)
    return {p.index: waiting[p.text].popleft() for p in old if waiting[p.text]}
