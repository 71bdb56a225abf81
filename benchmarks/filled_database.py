"""A database filled with seeded articles as fast as it goes: scores are drawn, not computed.

The rows are what storing the articles one by one would have made of them, the rolled-up sums computed at the end by the
plain queries. Texts are short, so the size of the database is that of the scores.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import Connection, func, insert, select

from service.settings import Settings
from service.store import daily
from service.store.database import Database
from service.store.tables import article_scores, articles, paragraph_scores, paragraphs, scorings
from training.registry import Registry

OUTLETS = 20
DAYS = 365
_FIRST_DAY = datetime(2026, 1, 1, tzinfo=UTC)
_AT_ONCE = 500


def fill(
    settings: Settings, articles: int, paragraphs: int, progress: Callable[[int], None], seed: int = 20261121
) -> None:
    """Adds so many articles of so many paragraphs, scored by the champion's frames, over a year and twenty outlets."""
    card = Registry(settings.models_dir).load_champion()[0].card
    database = Database(settings.store_url)
    database.migrate()
    generator = np.random.default_rng(seed)
    with database.read() as connection:
        first = (connection.scalar(select(func.max(_ARTICLES.c.number))) or 0) + 1
    for start in range(0, articles, _AT_ONCE):
        numbers = range(first + start, first + min(start + _AT_ONCE, articles))
        with database.write() as connection:
            _add(connection, numbers, paragraphs, card.version, card.frame_keys, generator)
        progress(min(start + _AT_ONCE, articles))
    with database.write() as connection:
        daily.rebuild(connection)
        connection.exec_driver_sql("ANALYZE")
    database.close()


_ARTICLES = articles


def _add(
    connection: Connection,
    numbers: Sequence[int],
    length: int,
    version: str,
    frames: Sequence[str],
    generator: np.random.Generator,
) -> None:
    scores = np.clip(generator.beta(0.4, 1.6, (len(numbers), length, len(frames))), 0.001, 0.999)
    decisions = np.where(scores > 0.5, "present", np.where(scores > 0.3, "uncertain", "absent"))
    text = "\n\n".join(f"Paragraph {n} of a made-up article." for n in range(length))
    places = [(text.index(line), text.index(line) + len(line)) for line in text.split("\n\n")]
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
                "text": text,
                "story": number,
            }
            for number, moment in zip(numbers, published, strict=True)
        ],
    )
    connection.execute(
        insert(paragraphs),
        [
            {"article_number": number, "paragraph": p, "start_offset": start, "end_offset": end}
            for number in numbers
            for p, (start, end) in enumerate(places)
        ],
    )
    first = (connection.scalar(select(func.max(scorings.c.number))) or 0) + 1
    connection.execute(
        insert(scorings),
        [
            {
                "number": first + place,
                "article_number": number,
                "model_version": version,
                "codebook_version": 1,
                "operating_point": "balanced",
                "scored_at": moment,
                "paragraphs": length,
            }
            for place, (number, moment) in enumerate(zip(numbers, published, strict=True))
        ],
    )
    connection.execute(insert(paragraph_scores), _paragraph_rows(first, frames, scores, decisions))
    connection.execute(insert(article_scores), _article_rows(first, frames, scores, decisions))


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
