"""A demonstration: made-up articles of months and several outlets, coders who code them, and a run to judge it.

Everything goes the way of real articles and codes, so each page shows what it would show then.
"""

import random
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Connection, func, select

from labels.annotations import Stance
from labels.codebook import Codebook
from labels.errors import FramingError
from labels.paragraphs import split_paragraphs
from service.coding.annotate import new_annotation
from service.coding.queue import tasks_for
from service.schemas.annotations import AnnotationRequest
from service.store import annotations, articles, champion, training_runs
from service.store.new_articles import add_all, new_article
from service.store.scorings import Scoring
from service.store.sql.database import Database
from service.store.tables import articles as articles_table
from training.registry.versions import Promotion
from training.scoring.classification import classify, cuts_at
from training.scoring.frame_model import FrameModel

ARTICLES, WEEKS = 260, 26
CODES = {"mira": 260, "tomas": 120}
_ERROR = 0.06
"""Share of a coder's decisions that differ from what the sentences were written for."""
_NONE = "none"
_ANY_COPY = 0.06

_SEED = 20261121


class DemoError(FramingError):
    """The demonstration needs a folder of its own."""


@dataclass(frozen=True, slots=True)
class _Article:
    metadata: articles.Metadata
    paragraphs: tuple[str, ...]
    frames: tuple[frozenset[str], ...]


def fill(
    database: Database, codebook: Codebook, model: FrameModel, promotion: Promotion, progress: Callable[[float], None]
) -> tuple[int, int]:
    """Stores the articles and codes and queues a training run; the numbers of articles and codes."""
    with database.read() as connection:
        if connection.scalar(select(func.count()).select_from(articles_table)):
            raise DemoError("There are articles in this folder already; set FRAMING_DATA_DIR to an empty one.")
    with database.write() as connection:
        champion.note(connection, promotion.number, promotion.version)
    chance = random.Random(_SEED)  # noqa: S311 - a demonstration, the same each time
    written = tuple(_articles(chance))
    truth: dict[str, frozenset[str]] = {}
    for place, article in enumerate(written):
        with database.write() as connection:
            _store(connection, article, model, truth)
        progress((place + 1) / len(written))
    codes = 0
    for coder, wanted in CODES.items():
        with database.write() as connection:
            codes += _code(connection, coder, wanted, codebook, model, truth, chance)
    with database.write() as connection:
        training_runs.create(connection, training_runs.default_request("demonstration: the codes of mira and tomas"))
    return len(written), codes


def _store(connection: Connection, article: _Article, model: FrameModel, truth: dict[str, frozenset[str]]) -> None:
    split = split_paragraphs(article.paragraphs)
    texts = [paragraph.text for paragraph in split.paragraphs]
    found = classify(model, texts, cuts_at(model, "balanced", {}), explain=False)
    scoring = Scoring(model.card.version, model.card.codebook_version, "balanced", found)
    new = new_article(article.metadata, "en", split, scoring)
    if add_all(connection, [new]) == [new.article.id]:
        truth |= {f"{new.article.id}:{p.index}": article.frames[p.index] for p in split.paragraphs}


def _code(
    connection: Connection,
    coder: str,
    wanted: int,
    codebook: Codebook,
    model: FrameModel,
    truth: Mapping[str, frozenset[str]],
    chance: random.Random,
) -> int:
    tasks = tasks_for(connection, coder, wanted, model, np.random.default_rng(_SEED))
    for task in tasks:
        carried = truth[f"{task.article_id}:{task.paragraph}"]
        frames: dict[str, Stance] = {}
        for frame in codebook.keys:
            if (frame in carried) != (chance.random() < _ERROR):
                frames[frame] = chance.choices(("advanced", "reported", "contested"), (4, 5, 1))[0]
        code = AnnotationRequest(coder=coder, article_id=task.article_id, paragraph=task.paragraph, frames=frames)
        annotations.add(connection, new_annotation(connection, code, codebook, None))
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
        if chance.random() < _ANY_COPY:  # wire copy: another outlet prints it the day after
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
    """How likely each frame is: outlets lean differently, and in the fifteenth week something happens."""
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
