"""Removals of articles: what in the database has the text of an article, and whether it is gone from every file.

Deleting the row of an article deletes, by foreign keys, all that belongs to it. This module removes what does not:
annotations that came with a text of their own, and examples in the results of training runs.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, Table, delete, insert, select, update

from service.store.articles import stored_ids
from service.store.tables import (
    access,
    annotations,
    api_keys,
    articles,
    assignments,
    audit,
    audit_head,
    champion,
    daily_frames,
    daily_pairs,
    former_versions,
    gold_answers,
    gold_items,
    idempotency_keys,
    removals,
    request_counts,
    sessions,
    sketches,
    training_runs,
)

# Every table that has a text of an article or something made of it. A test fails for a new table with texts that is
# neither here nor in `REMAINS`, unless its rows go with their article.
WITH_TEXT: tuple[Table, ...] = (
    *(articles, former_versions, sketches, idempotency_keys),
    *(annotations, gold_items, gold_answers, training_runs),
)

# Columns of texts in the tables that a removal leaves: names, ids and what people wrote about other things.
REMAINS: Mapping[Table, tuple[str, ...]] = {
    access: (),
    api_keys: ("id", "name", "role", "secret_sha256"),
    assignments: ("id", "coders", "note", "outlets", "created_by"),
    audit: ("who", "key_id", "action", "subject", "detail", "sha256"),
    audit_head: ("sha256",),
    champion: ("version",),
    daily_frames: ("model_version", "outlet", "frame"),
    daily_pairs: ("model_version", "outlet", "frame", "other"),
    removals: ("article_id", "obstacle"),
    request_counts: ("key_id",),
    sessions: ("token_sha256", "key_id"),
}

_ROWS_PER_QUERY = 1000


@dataclass(frozen=True, slots=True)
class Removal:
    """A removal of an article; `erased_at` is None while `obstacle` keeps bytes of its text in some file."""

    number: int
    article_id: str
    removed_at: datetime
    thorough: bool
    erased_at: datetime | None
    obstacle: str | None


def note(connection: Connection, article_id: str, *, thorough: bool) -> None:
    """Notes that an article was removed, in the transaction that removes it; its text is still in the files."""
    row = {"article_id": article_id, "removed_at": datetime.now(UTC), "thorough": thorough}
    connection.execute(insert(removals), row)


def newest(connection: Connection, article_id: str) -> Removal | None:
    """The last removal of the article with an id; None if it was never removed."""
    query = select(removals).where(removals.c.article_id == article_id).order_by(removals.c.number.desc()).limit(1)
    row = connection.execute(query).first()
    return None if row is None else _removal(row)


def pending(connection: Connection) -> list[Removal]:
    """The removals of texts that may still be in a file, oldest first."""
    query = select(removals).where(removals.c.erased_at.is_(None)).order_by(removals.c.number)
    return [_removal(row) for row in connection.execute(query)]


def note_obstacle(connection: Connection, numbers: Collection[int], obstacle: str | None) -> None:
    """Notes what keeps the texts of some removals in a file, or with None that they are gone."""
    gone, ordered = datetime.now(UTC) if obstacle is None else None, sorted(numbers)
    for start in range(0, len(ordered), _ROWS_PER_QUERY):
        these = removals.c.number.in_(ordered[start : start + _ROWS_PER_QUERY])
        connection.execute(update(removals).where(these).values(erased_at=gone, obstacle=obstacle))


def insist(connection: Connection, article_ids: Collection[str]) -> None:
    """Makes removals that are not finished thorough ones."""
    ordered = sorted(article_ids)
    for start in range(0, len(ordered), _ROWS_PER_QUERY):
        of_articles = removals.c.article_id.in_(ordered[start : start + _ROWS_PER_QUERY])
        connection.execute(update(removals).where(of_articles, removals.c.erased_at.is_(None)).values(thorough=True))


def annotations_with(connection: Connection, texts: Sequence[str]) -> list[int]:
    """Numbers of the annotations, replaced ones too, that came with any of the texts and belong to no article."""
    numbers: list[int] = []
    for start in range(0, len(texts), _ROWS_PER_QUERY):
        of_text = annotations.c.text.in_(texts[start : start + _ROWS_PER_QUERY])
        query = select(annotations.c.number).where(annotations.c.article_number.is_(None), of_text)
        numbers.extend(connection.scalars(query))
    return numbers


def delete_annotations(connection: Connection, numbers: Sequence[int]) -> None:
    """Deletes annotations with their history."""
    for start in range(0, len(numbers), _ROWS_PER_QUERY):
        batch = numbers[start : start + _ROWS_PER_QUERY]
        connection.execute(delete(annotations).where(annotations.c.number.in_(batch)))


def leave_out_examples(connection: Connection) -> None:
    """Leaves out of the results of training runs the examples from articles that are not stored any longer."""
    rows = connection.execute(
        select(training_runs.c.number, training_runs.c.label_diff).where(training_runs.c.label_diff.is_not(None))
    )
    for number, diff in rows.all():
        left = stored_examples(connection, diff) if diff else diff
        if left != diff:
            changed = update(training_runs).where(training_runs.c.number == number)
            connection.execute(changed.values(label_diff=left))


def stored_examples(connection: Connection, diff: Mapping[str, Any]) -> dict[str, Any]:
    """The comparison of two models that a training run made, with the examples from articles that are stored."""
    frames: Mapping[str, Any] = diff.get("frames", {})
    stored = stored_ids(connection, {example["article_id"] for changes in frames.values() for example in _of(changes)})
    left = {
        frame: {**changes, "examples": [example for example in _of(changes) if example["article_id"] in stored]}
        for frame, changes in frames.items()
    }
    return {**diff, "frames": left} if frames else dict(diff)


def _of(changes: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    examples: Sequence[Mapping[str, Any]] = changes["examples"]
    return examples


def _removal(row: Row[Any]) -> Removal:
    return Removal(**row._mapping)
