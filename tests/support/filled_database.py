"""Fills a database quickly with seeded articles: scores are drawn at random, not computed.

The rows are those that storing each article would have written; the sums per day are computed at the end. Texts are
short, so scores make up most of the database. Only the first articles are made in Python; the database copies their
rows for the others, each with a number, a day and an outlet that differ.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import Connection, Table, insert, literal, select

from service.settings import Settings
from service.store import daily
from service.store.sql.database import Database
from service.store.sql.insertion import new_numbers
from service.store.tables import article_scores, articles, paragraph_scores, paragraphs, scorings
from training.registry.versions import Registry

OUTLETS = 20
DAYS = 365
_FIRST_DAY = datetime(2026, 1, 1, tzinfo=UTC)
_DRAWN = 500
_BATCH = 20_000


def fill(
    settings: Settings, articles: int, paragraphs: int, progress: Callable[[int], None], seed: int = 20261121
) -> None:
    """Adds articles of `paragraphs` paragraphs, scored for the champion's frames, over a year and twenty outlets."""
    card = Registry(settings.models_location).load_champion()[0].card
    database = Database(settings.store_url)
    database.migrate()
    generator = np.random.default_rng(seed)
    with database.write() as connection:
        [[first], [scoring]] = new_numbers(connection, 1, _ARTICLES, scorings)
        drawn = min(_DRAWN, articles)
        texts = _texts(paragraphs)
        _add_articles(connection, range(first, first + drawn), texts, card.version, generator, scoring)
        _add_scores(connection, first, scoring, drawn, texts, card.frame_keys, generator)
    progress(drawn)
    for start in range(drawn, articles, _BATCH):
        numbers = range(first + start, first + min(start + _BATCH, articles))
        with database.write() as connection:
            _add_articles(connection, numbers, texts, card.version, generator, scoring + start)
            _copy(connection, _PARAGRAPHS, "article_number", _ARTICLES, first, drawn, numbers)
            for table in (paragraph_scores, article_scores):
                new = range(scoring + start, scoring + start + len(numbers))
                _copy(connection, table, "scoring_number", scorings, scoring, drawn, new)
        progress(min(start + _BATCH, articles))
    with database.write() as connection:
        daily.rebuild(connection)
        if not database.is_sqlite:
            for table in (_ARTICLES, scorings):
                connection.exec_driver_sql(
                    f"SELECT setval(pg_get_serial_sequence('{table.name}', 'number'), max(number)) FROM {table.name}"
                )
        connection.exec_driver_sql("ANALYZE")
    database.close()


_ARTICLES = articles
_PARAGRAPHS = paragraphs


def _copy(
    connection: Connection, table: Table, key: str, owner: Table, first: int, drawn: int, numbers: Sequence[int]
) -> None:
    """Gives each of `numbers` the rows of an article that was drawn."""
    others = [column for column in table.columns if column.name != key]
    like = table.alias("drawn")
    query = (
        select(owner.c.number, *(like.c[column.name] for column in others))
        .join(like, like.c[key] == first + (owner.c.number - literal(first)) % drawn)
        .where(owner.c.number.between(numbers[0], numbers[-1]))
    )
    connection.execute(insert(table).from_select([key, *(column.name for column in others)], query))


def _texts(length: int) -> list[str]:
    return [f"Paragraph {n} of an invented article." for n in range(length)]


def _add_articles(
    connection: Connection,
    numbers: Sequence[int],
    texts: Sequence[str],
    version: str,
    generator: np.random.Generator,
    scoring: int,
) -> None:
    published = [_FIRST_DAY + timedelta(minutes=int(m)) for m in generator.integers(0, DAYS * 1440, len(numbers))]
    connection.execute(
        insert(articles),
        [
            {
                "number": number,
                "id": f"{number:032x}",
                "content_sha256": f"{number:064x}",
                "title": f"Made-up article {number}",
                "outlet": f"Outlet {number % OUTLETS + 1}",
                "published_at": moment,
                "created_at": moment,
                "dated_at": moment,
                "language": "en",
                "text": "\n\n".join(texts),
                "story": number,
            }
            for number, moment in zip(numbers, published, strict=True)
        ],
    )
    connection.execute(
        insert(scorings),
        [
            {
                "number": scoring + place,
                "article_number": number,
                "model_version": version,
                "codebook_version": 1,
                "operating_point": "balanced",
                "scored_at": moment,
                "paragraphs": len(texts),
            }
            for place, (number, moment) in enumerate(zip(numbers, published, strict=True))
        ],
    )


def _add_scores(
    connection: Connection,
    article: int,
    scoring: int,
    count: int,
    texts: Sequence[str],
    frames: Sequence[str],
    generator: np.random.Generator,
) -> None:
    scores = np.clip(generator.beta(0.4, 1.6, (count, len(texts), len(frames))), 0.001, 0.999)
    decisions = np.where(scores > 0.5, "present", np.where(scores > 0.3, "uncertain", "absent"))
    whole = "\n\n".join(texts)
    places = [(whole.index(text), whole.index(text) + len(text)) for text in texts]
    connection.execute(
        insert(paragraphs),
        [
            {"article_number": article + a, "paragraph": p, "start_offset": start, "end_offset": end}
            for a in range(count)
            for p, (start, end) in enumerate(places)
        ],
    )
    connection.execute(insert(paragraph_scores), _paragraph_rows(scoring, frames, scores, decisions))
    connection.execute(insert(article_scores), _article_rows(scoring, frames, scores, decisions))


def _paragraph_rows(first: int, frames: Sequence[str], scores: Any, decisions: Any) -> list[dict[str, Any]]:
    return [
        {
            "scoring_number": first + a,
            "paragraph": p,
            "frame": frame,
            "score": float(scores[a, p, k]),
            "decision": str(decisions[a, p, k]),
        }
        for a in range(scores.shape[0])
        for p in range(scores.shape[1])
        for k, frame in enumerate(frames)
    ]


def _article_rows(first: int, frames: Sequence[str], scores: Any, decisions: Any) -> list[dict[str, Any]]:
    present, uncertain = (decisions == "present").sum(axis=1), (decisions == "uncertain").sum(axis=1)
    return [
        {
            "scoring_number": first + a,
            "frame": frame,
            "score": float(scores[a, :, k].max()),
            "decision": "present" if present[a, k] else "uncertain" if uncertain[a, k] else "absent",
            "share": float(present[a, k]) / scores.shape[1],
            "paragraphs": int(present[a, k]),
            "uncertain": int(uncertain[a, k]),
            "mean_score": float(scores[a, :, k].mean()),
        }
        for a in range(scores.shape[0])
        for k, frame in enumerate(frames)
    ]
