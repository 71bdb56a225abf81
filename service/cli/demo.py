"""A demonstration: invented articles of several outlets over half a year, annotations on them, and a training run.

Everything is stored like real articles and annotations, so that each page shows what it would show for them.
"""

import random
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Connection, func, select

from labels.annotations import SPECIFIED_STANCES, Stance
from labels.codebook import Codebook
from labels.errors import FramingError
from labels.paragraphs import split_paragraphs
from service.coding.annotate import new_annotation
from service.coding.queue import tasks_for
from service.schemas.annotations import AnnotationRequest
from service.store import annotations, articles, scorings, training_runs
from service.store.articles import add_articles, new_article
from service.store.scorings import Scoring
from service.store.sql.database import Database
from service.store.tables import articles as articles_table
from training.registry.promotions import Promotion
from training.scoring.classification import classify, cuts_at
from training.scoring.frame_model import FrameModel
from training.scoring.pace import Estimate, paragraphs_per_second

ARTICLES, WEEKS = 260, 26
# Paragraphs that each coder codes.
PARAGRAPHS_BY_CODER = {"mira": 260, "tomas": 120}
# Share of a coder's decisions that differ from the frames that the sentences were written for.
_ERROR = 0.06
_NONE = "none"
# Probability that another outlet reprints an article.
_REPRINTED = 0.06
_SEED = 20261121


class DemoError(FramingError):
    """The data folder already has articles; the demonstration would mix with them."""


@dataclass(frozen=True, slots=True)
class _Article:
    metadata: articles.Metadata
    paragraphs: tuple[str, ...]
    frames: tuple[frozenset[str], ...]


def fill(
    database: Database,
    codebook: Codebook,
    model: FrameModel,
    promotion: Promotion,
    announce: Callable[[str], None],
    progress: Callable[[float], None],
) -> tuple[int, int]:
    """Stores the articles and annotations and queues a training run; returns the numbers of both.

    `announce` gets a sentence about the time that this takes, `progress` the share of the articles that is stored.
    Raises `DemoError` if any article is stored.
    """
    with database.read() as connection:
        if connection.scalar(select(func.count()).select_from(articles_table)):
            raise DemoError("The data folder already has articles; set FRAMING_DATA_DIR to an empty folder.")
    with database.write() as connection:
        scorings.note_champion(connection, promotion.number, promotion.version)
    chance = random.Random(_SEED)  # noqa: S311 - a demonstration, the same each time
    written = tuple(_articles(chance))
    intended: dict[str, frozenset[str]] = {}
    announce(_estimate(written, model))
    for place, article in enumerate(written):
        with database.write() as connection:
            _store(connection, article, model, intended)
        progress((place + 1) / len(written))
    coded = 0
    for coder, limit in PARAGRAPHS_BY_CODER.items():
        with database.write() as connection:
            coded += _annotate(connection, coder, limit, codebook, model, intended, chance)
    with database.write() as connection:
        training_runs.create(connection, training_runs.RunRequest("demonstration: the annotations of mira and tomas"))
    return len(written), coded


def _estimate(written: Sequence[_Article], model: FrameModel) -> str:
    # A reprinted paragraph is scored once.
    texts = list(dict.fromkeys(text for article in written for text in article.paragraphs))
    pace = paragraphs_per_second(model, texts)
    amount = f"Scoring {len(written)} invented articles with {len(texts):,} different paragraphs"
    return f"{amount}." if pace is None else Estimate(model.card.kind, len(texts), 1 / pace).sentence(amount)


def _store(connection: Connection, article: _Article, model: FrameModel, intended: dict[str, frozenset[str]]) -> None:
    split = split_paragraphs(article.paragraphs)
    texts = [paragraph.text for paragraph in split.paragraphs]
    classification = classify(model, texts, cuts_at(model, "balanced", {}), explain=False)
    scoring = Scoring(model.card.version, model.card.codebook_version, "balanced", classification)
    new = new_article(article.metadata, "en", split, scoring)
    [placement] = add_articles(connection, [new])
    if placement.outcome == "stored":
        intended |= {f"{new.article.id}:{p.index}": article.frames[p.index] for p in split.paragraphs}


def _annotate(
    connection: Connection,
    coder: str,
    limit: int,
    codebook: Codebook,
    model: FrameModel,
    intended: Mapping[str, frozenset[str]],
    chance: random.Random,
) -> int:
    tasks = tasks_for(connection, coder, limit, model, np.random.default_rng(_SEED))
    for task in tasks:
        carried = intended[f"{task.article_id}:{task.paragraph}"]
        frames: dict[str, Stance] = {}
        for frame in codebook.keys:
            if (frame in carried) != (chance.random() < _ERROR):
                frames[frame] = chance.choices(SPECIFIED_STANCES, (4, 5, 1))[0]
        request = AnnotationRequest(coder=coder, article_id=task.article_id, paragraph=task.paragraph, frames=frames)
        annotations.add(connection, new_annotation(connection, request, codebook, None))
    return len(tasks)


def _articles(chance: random.Random) -> Any:
    content = tomllib.loads(Path(__file__).with_name("demo.toml").read_text(encoding="utf-8"))
    today = datetime.now(UTC).replace(hour=9, minute=0, second=0, microsecond=0)
    first = today - timedelta(weeks=WEEKS)
    for _ in range(ARTICLES):
        day = chance.randrange(WEEKS * 7)
        outlet = chance.choice(content["outlets"])
        article = _article(content, chance, outlet, first + timedelta(days=day, minutes=chance.randrange(600)), day)
        yield article
        if chance.random() < _REPRINTED:  # wire copy: another outlet prints it the next day
            other = chance.choice([name for name in content["outlets"] if name != outlet])
            yield _Article(_reprinted(article.metadata, other), article.paragraphs, article.frames)


def _reprinted(metadata: articles.Metadata, outlet: str) -> articles.Metadata:
    published = None if metadata.published_at is None else metadata.published_at + timedelta(days=1)
    return articles.Metadata(title=metadata.title, outlet=outlet, published_at=published)


def _article(content: Mapping[str, Any], chance: random.Random, outlet: str, moment: datetime, day: int) -> _Article:
    weights = _leaning(list(content["sentences"]), content["outlets"].index(outlet), day / 7)
    theme = chance.choices(list(weights), list(weights.values()))[0]
    paragraphs, frames = [], []
    for _ in range(chance.randint(3, 8)):
        carried = {theme if chance.random() < 0.4 else chance.choices(list(weights), list(weights.values()))[0]}
        if chance.random() < 0.3:
            carried.add(chance.choice(list(weights)))
        lead = [chance.choice(content["sentences"][frame]) for frame in sorted(carried)]
        rest = chance.sample(content["sentences"][_NONE], k=chance.randint(0, 1))
        paragraphs.append(" ".join(_filled(content, sentence, chance) for sentence in (*lead, *rest)))
        frames.append(frozenset(carried - {_NONE}))
    return _Article(
        articles.Metadata(
            title=_filled(content, chance.choice(content["titles"][theme]), chance),
            outlet=outlet,
            author=chance.choice(content["authors"]),
            published_at=moment,
        ),
        tuple(paragraphs),
        tuple(frames),
    )


def _leaning(frames: list[str], outlet: int, week: float) -> dict[str, float]:
    """The weight of each frame: outlets lean differently, and an event in the fifteenth week changes the coverage."""
    after = 1.0 if week > WEEKS * 0.55 else 0.0
    weights = {frame: 1.0 + (1.6 if place == outlet else 0.0) for place, frame in enumerate(frames) if frame != _NONE}
    return {
        **{f: w + after * (1.8 if f in ("foreign_hand", "militarized_response") else -0.3) for f, w in weights.items()},
        _NONE: 4.0,
    }


def _filled(content: Mapping[str, Any], sentence: str, chance: random.Random) -> str:
    while "{" in sentence:
        start = sentence.index("{")
        name = sentence[start + 1 : sentence.index("}")]
        sentence = sentence.replace(f"{{{name}}}", chance.choice(content["places"][name]), 1)
    return sentence[0].upper() + sentence[1:]
