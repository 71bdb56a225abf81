"""Processes that score huge articles in pieces, so that all cores work on them.

The server's own process answers small requests. The processes start with the first huge article and stop a minute
after the last (joblib's loky does both, and replaces processes that were killed). Each loads the model by its version
from the registry, which checks it there as it does here.
"""

import gc
import logging
import os
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from labels.paragraphs import Paragraph
from service.articles.answers import classified_answer, insert_paragraphs, paragraph_answers, paragraphs_as_json
from service.articles.reading import ReadArticle, classify_paragraphs
from service.schemas.articles import ClassifyRequest
from service.settings import Settings
from training.registry.versions import Registry
from training.scoring.classification import ArticleFrame, Classification, cuts_at, merge_roll_ups
from training.scoring.frame_model import FrameModel

_log = logging.getLogger("framing")

# Paragraphs of an article that is huge, and the fewest in a piece.
_HUGE = 256
_SMALLEST_PIECE = 100
_IDLE_SECONDS = 60
_NICENESS = 5
_MAX_PROCESSES = 4


@dataclass(frozen=True, slots=True)
class _Task:
    """How to answer the pieces of an article; the request comes without the article itself."""

    models: Path | str
    version: str
    request: ClassifyRequest
    evidence_terms: int


@dataclass(frozen=True, slots=True)
class PooledAnswer:
    """The answer to a huge article as JSON, and its classification without paragraphs."""

    content: str
    classification: Classification


class ScoringPool:
    """Hands pieces of huge articles to other processes."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        # None means a process per core; cores are counted when the first huge article arrives.
        self._count = settings.scoring_processes if settings.server_processes == 1 else settings.scoring_processes or 0
        self._executor: Any = None
        self._started: Future[None] | None = None
        self._last_use = 0.0

    def answer(self, request: ClassifyRequest, article: ReadArticle, model: FrameModel) -> PooledAnswer | None:
        """The answer to a huge article; None for a small article, an encoder, and while no process is ready."""
        # An encoder works on all cores in this process; another process would load the encoder again. A model without
        # a compiled form scores in a process of its own already.
        if self._count == 0 or len(article.split.paragraphs) < _HUGE or model.card.encoder or model.card.is_pickle:
            return None
        try:
            return self._answer(request, article, model) if self._ready() else None
        except Exception as error:  # noqa: BLE001 - the server's own process can do it too
            _log.warning("The scoring processes failed; the server's own process answers instead.", exc_info=error)
            self._started = None
            return None

    def _ready(self) -> bool:
        """Whether processes are ready; starts them if there are none, which takes longer than most huge articles."""
        with self._lock:
            now = time.monotonic()
            if self._started is None or now - self._last_use > _IDLE_SECONDS / 2:
                from joblib.externals import loky  # noqa: PLC0415 - only huge articles need it

                if self._count is None:
                    cores = loky.cpu_count()  # those that a container may use
                    self._count = min(cores, _MAX_PROCESSES) if cores > 1 else 0
                if self._count == 0:
                    return False
                self._executor = loky.get_reusable_executor(self._count, timeout=_IDLE_SECONDS, initializer=_begin)
                self._started = self._executor.submit(_do_nothing)
            self._last_use = now
            return self._started.done()

    def _answer(self, request: ClassifyRequest, article: ReadArticle, model: FrameModel) -> PooledAnswer:
        settings, paragraphs = self._settings, article.split.paragraphs
        size = max(_SMALLEST_PIECE, -(-len(paragraphs) // (2 * (self._count or 1))))
        pieces = [paragraphs[start : start + size] for start in range(0, len(paragraphs), size)]
        without_article = request.model_copy(update={"text": None, "html": None, "paragraphs": None})
        task = _Task(settings.models_location, model.card.version, without_article, settings.evidence_terms)
        # Tuples are pickled faster than paragraphs.
        plain = [[(p.index, p.start, p.end, p.text) for p in piece] for piece in pieces]
        parts = list(self._executor.map(_answer, [task] * len(pieces), plain))
        cuts = cuts_at(model, request.operating_point, request.thresholds)
        rolled = merge_roll_ups(model, cuts, [(np.array(scores), frames) for _, frames, scores in parts])
        classification = Classification((), rolled)
        empty = replace(article, split=replace(article.split, paragraphs=()))
        answer = classified_answer(request, empty, classification, model, evidence_terms=settings.evidence_terms)
        return PooledAnswer(insert_paragraphs(answer, (content for content, *_ in parts)), classification)

    def stop(self) -> None:
        """Ends the processes."""
        if self._executor is not None:
            self._executor.shutdown(kill_workers=True)


def _do_nothing() -> None:
    """Shows that the first process is ready."""


def _begin() -> None:
    os.nice(_NICENESS)  # small requests come first
    # Pieces form no reference cycles, and searching all their spans for cycles takes as long as scoring.
    gc.disable()


@lru_cache(maxsize=2)
def _model(models: Path | str, version: str) -> FrameModel:
    return Registry(models).load(version)


# Of some paragraphs: their JSON, their roll-up, and the scores of each.
_Part = tuple[str, Mapping[str, ArticleFrame], list[list[float]]]


def _answer(task: _Task, plain: Sequence[tuple[int, int, int, str]]) -> _Part:
    """Classifies some paragraphs of an article."""
    paragraphs = [Paragraph(*fields) for fields in plain]
    classification = classify_paragraphs(paragraphs, task.request, _model(task.models, task.version))
    answers = paragraph_answers(paragraphs, classification.paragraphs, task.evidence_terms)
    scores = [[frame.score for frame in frames.values()] for frames in classification.paragraphs]
    return paragraphs_as_json(answers), classification.article, scores
