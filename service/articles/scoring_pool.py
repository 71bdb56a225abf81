"""Processes that help with huge articles: each answers pieces of one, so that all cores work on it.

Small requests meanwhile have the server's own process to themselves. The helpers start with the first huge article and
end when none has come for a minute (joblib's loky does both, and replaces those that were ended from outside). They
load the model by its version from the registry, which vouches for it there as here.
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

from labels.paragraphs import Paragraph
from service.articles.answers import around, classified, paragraph_answers, paragraphs_as_json
from service.articles.reading import Opened, Reading, classify_paragraphs
from service.schemas.articles import ClassifyRequest
from service.settings import Settings
from training.registry.card import ModelCard
from training.registry.versions import Registry
from training.scoring.classification import ArticleFrame, Classification, rolled_together
from training.scoring.frame_model import FrameModel

_log = logging.getLogger("framing")

_HUGE = 256
_LEAST = 100
_IDLE_SECONDS = 60
_NICENESS = 5
_MOST = 4


@dataclass(frozen=True, slots=True)
class _How:
    """How the pieces of an article are answered; the request is without the article itself."""

    models: Path | str
    version: str
    request: ClassifyRequest
    evidence_terms: int


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer to a huge article as JSON, and what is said of the whole."""

    content: str
    article: Mapping[str, ArticleFrame]


class Helpers:
    """Gives pieces of huge articles to other processes."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        # None: one a core, which is looked up when the first huge article comes.
        self._count = settings.helpers if settings.server_processes == 1 else settings.helpers or 0
        self._executor: Any = None
        self._started: Future[None] | None = None
        self._used = 0.0

    def answer(self, request: ClassifyRequest, opened: Opened, card: ModelCard) -> Answered | None:
        """The answer to a huge article; None for a small one, and where there are no helpers, yet or any more."""
        if self._count == 0 or len(opened.article.paragraphs) < _HUGE:
            return None
        try:
            return self._answer(request, opened, card) if self._ready() else None
        except Exception as error:  # noqa: BLE001 - this process can do it too
            _log.warning("The helpers failed; the server's own process answers instead.", exc_info=error)
            self._started = None
            return None

    def _ready(self) -> bool:
        """Whether there are helpers; starts them where there are none, which takes longer than most huge articles."""
        with self._lock:
            now = time.monotonic()
            if self._started is None or now - self._used > _IDLE_SECONDS / 2:
                from joblib.externals import loky  # noqa: PLC0415 - only huge articles need it

                if self._count is None:
                    cores = loky.cpu_count()  # those that a container may use
                    self._count = min(cores, _MOST) if cores > 1 else 0
                if self._count == 0:
                    return False
                self._executor = loky.get_reusable_executor(self._count, timeout=_IDLE_SECONDS, initializer=_begin)
                self._started = self._executor.submit(_hello)
            self._used = now
            return self._started.done()

    def _answer(self, request: ClassifyRequest, opened: Opened, card: ModelCard) -> Answered:
        settings, paragraphs = self._settings, opened.article.paragraphs
        size = max(_LEAST, -(-len(paragraphs) // (2 * (self._count or 1))))
        pieces = [paragraphs[at : at + size] for at in range(0, len(paragraphs), size)]
        asked = request.model_copy(update={"text": None, "html": None, "paragraphs": None})
        how = _How(settings.models_location, card.version, asked, settings.evidence_terms)
        plain = [[(one.index, one.start, one.end, one.text) for one in piece] for piece in pieces]  # pickled at once
        parts = list(self._executor.map(_answer, [how] * len(pieces), plain))
        article = rolled_together([(len(piece), rolled) for piece, (_, rolled) in zip(pieces, parts, strict=True)])
        reading = Reading(replace(opened.article, paragraphs=()), opened.language, Classification((), article))
        answer = classified(request, reading, card, evidence_terms=settings.evidence_terms)
        return Answered(around(answer, (content for content, _ in parts)), article)

    def stop(self) -> None:
        if self._executor is not None:
            self._executor.shutdown(kill_workers=True)


def _hello() -> None:
    """Done by the first helper that is there."""


def _begin() -> None:
    os.nice(_NICENESS)  # who has a small request comes first
    gc.disable()  # pieces have no cycles, and looking for some among all their spans takes as long as finding these


@lru_cache(maxsize=2)
def _model(models: Path | str, version: str) -> FrameModel:
    return Registry(models).load(version)


def _answer(how: _How, plain: Sequence[tuple[int, int, int, str]]) -> tuple[str, Mapping[str, ArticleFrame]]:
    """The JSON of some paragraphs, and their roll-up."""
    paragraphs = [Paragraph(*one) for one in plain]
    found = classify_paragraphs(paragraphs, how.request, _model(how.models, how.version))
    answers = paragraph_answers(paragraphs, found.paragraphs, how.evidence_terms)
    return paragraphs_as_json(answers), found.article
