"""Fills an empty store with the articles of the demonstration, annotations on them, and a training run.

Everything is stored like real articles and annotations, so that each page shows what it would show for them.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

import numpy as np
from sqlalchemy import Connection, func, select

from labels.annotations import SPECIFIED_STANCES, Stance
from labels.codebook import Codebook
from labels.errors import FramingError
from labels.paragraphs import split_paragraphs
from service.cli.demonstration.articles import InventedArticle, invented_articles
from service.coding.annotate import log_annotations, new_annotation
from service.coding.queue import tasks_for
from service.schemas.annotations import AnnotationRequest
from service.store import annotations, audit, scorings, training_runs
from service.store.articles import add_articles, new_article
from service.store.callers import COMMAND_LINE
from service.store.scorings import Scoring
from service.store.sql.database import Database
from service.store.tables import articles
from training.registry.promotions import Promotion
from training.scoring.classification import classify, cuts_at
from training.scoring.frame_model import FrameModel
from training.scoring.pace import Estimate, paragraphs_per_second

# Paragraphs that each coder codes.
PARAGRAPHS_BY_CODER = {"mira": 260, "tomas": 120}
# Share of a coder's decisions that differ from the frames that the sentences were written for.
_ERROR = 0.06
# Share of the paragraphs with such a decision of which the coder says that they are unsure.
_UNSURE = 0.4
_SEED = 20261121


class DemoError(FramingError):
    """The data folder already has articles; the demonstration would mix with them."""


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
        if connection.scalar(select(func.count()).select_from(articles)):
            raise DemoError("The data folder already has articles; set FRAMING_DATA_DIR to an empty folder.")
    with database.write() as connection:
        scorings.note_champion(connection, promotion.number, promotion.version)
    chance = random.Random(_SEED)  # noqa: S311 - a demonstration, the same each time
    today = datetime.now(UTC).replace(hour=9, minute=0, second=0, microsecond=0)
    written = tuple(invented_articles(chance, today))
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
        request = training_runs.RunRequest("demonstration: the annotations of mira and tomas")
        run = training_runs.create(connection, request)
        audit.note(connection, COMMAND_LINE, "train", run.id, note=request.note)
    return len(written), coded


def _estimate(written: Sequence[InventedArticle], model: FrameModel) -> str:
    # A reprinted paragraph is scored once.
    texts = list(dict.fromkeys(text for article in written for text in article.paragraphs))
    pace = paragraphs_per_second(model, texts)
    amount = f"Scoring {len(written)} invented articles with {len(texts):,} different paragraphs"
    return f"{amount}." if pace is None else Estimate(model.card.kind, len(texts), 1 / pace).sentence(amount)


def _store(
    connection: Connection, article: InventedArticle, model: FrameModel, intended: dict[str, frozenset[str]]
) -> None:
    split = split_paragraphs(article.paragraphs)
    texts = [paragraph.text for paragraph in split.paragraphs]
    classification = classify(model, texts, cuts_at(model, "balanced", {}), explain=False)
    scoring = Scoring(model.card.version, model.card.codebook_version, "balanced", classification)
    new = new_article(article.metadata, "en", split, scoring)
    [placement] = add_articles(connection, [new])
    if placement.outcome == "stored":
        audit.note(connection, COMMAND_LINE, "submit", new.article.id, outlet=article.metadata.outlet)
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
    stored = []
    for task in tasks:
        carried = intended[f"{task.article_id}:{task.paragraph}"]
        wrong = {frame for frame in codebook.keys if chance.random() < _ERROR}
        seen = [frame for frame in codebook.keys if (frame in carried) != (frame in wrong)]
        frames: dict[str, Stance] = {frame: chance.choices(SPECIFIED_STANCES, (4, 5, 1))[0] for frame in seen}
        unsure = bool(wrong) and chance.random() < _UNSURE
        request = AnnotationRequest(
            coder=coder,
            article_id=task.article_id,
            paragraph=task.paragraph,
            frames=frames,
            unsure=unsure,
            note="Could be read either way." if unsure else "",
        )
        stored.append(annotations.add(connection, new_annotation(connection, request, codebook, None)))
    log_annotations(connection, COMMAND_LINE, stored)
    return len(tasks)
