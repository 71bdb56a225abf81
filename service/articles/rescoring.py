"""Rescoring stored articles after a promotion, in batches; an article that has been rescored is not scored again."""

import logging
import time
from collections.abc import Sequence

from labels.wording import counted
from service.settings import Settings
from service.store import unscored
from service.store.scorings import Scoring
from service.store.sql.database import Database
from service.store.unscored import PendingArticle
from training.errors import ModelFileError, NoChampionError
from training.model_card import Kind
from training.registry.versions import Registry
from training.scoring.classification import classify, cuts_at
from training.scoring.frame_model import FrameModel
from training.scoring.pace import Estimate

_log = logging.getLogger("framing")

# Articles at a time: a few seconds of an encoder, so that training runs and the end of the worker do not wait for long.
_BATCH: dict[Kind, int] = {"encoder": 3, "encoder-small": 10, "words": 20}
# Numbers that a pass checks again: SQLite reuses the number of the newest article after that was deleted.
_CHECKED_AGAIN = 200


class Rescoring:
    """Gives every stored article a scoring by the champion, the newest first. Scorings by earlier models stay.

    The first pass checks all articles, later passes only the newest: another process may still have stored some of them
    with the previous model.
    """

    def __init__(self, settings: Settings, database: Database, registry: Registry) -> None:
        self._enabled = settings.rescore
        self._database = database
        self._registry = registry
        self._model: FrameModel | None = None
        self._promotion = 0
        # The number of a promotion whose model cannot serve.
        self._refused: int | None = None
        # The last message about a champion that cannot serve.
        self._fault = ""
        # The number at which the next pass begins, and the numbers that are left of this pass.
        self._begin = 1
        self._left: range | None = None
        self._announced = False

    def do_some(self) -> bool:
        """Scores a batch; False if nothing is left to do."""
        model = self._champion() if self._enabled else None
        if model is None:
            return False
        with self._database.read() as connection:
            if self._left is None:
                end = unscored.newest_number(connection) + 1
                self._begin, self._left = max(end - _CHECKED_AGAIN, 1), range(self._begin, end)
            pending = unscored.not_scored_by(connection, model.card.version, self._left, _BATCH[model.card.kind])
        if not pending:
            self._left, self._announced = None, False
            return False
        began = time.perf_counter()
        scored = [(article, _score(article, model)) for article in pending]
        stored = time.perf_counter()
        with self._database.write() as connection:
            unscored.add_all(connection, scored)
        if not self._announced:
            self._announce(model, pending, stored - began, time.perf_counter() - stored)
        self._left = range(self._left.start, pending[-1].number)
        return True

    def _announce(self, model: FrameModel, first: Sequence[PendingArticle], scoring: float, storing: float) -> None:
        """Says at the start of a pass how long it takes, by the seconds of its first batch."""
        with self._database.read() as connection:
            done, stored = unscored.count_scored(connection, model.card.version)
        left, paragraphs = stored - done + len(first), sum(len(article.split.paragraphs) for article in first)
        per_article = paragraphs / len(first)
        estimate = Estimate(model.card.kind, round(left * per_article), scoring / paragraphs, storing / paragraphs)
        _log.info("%s", estimate.sentence(f"Rescoring {counted(left, 'article')} with {model.card.version}"))
        self._announced = True

    def _champion(self) -> FrameModel | None:
        """The champion, ready to score; None where there is none or it cannot serve, which is logged a single time."""
        try:
            number = self._registry.champion().number
            if number == self._refused:
                return None
            if number != self._promotion:
                self._refused = number
                model, promotion = self._registry.load_champion()
                model.prepare()
                self._model, self._promotion, self._refused = model, promotion.number, None
                self._begin, self._left, self._announced = 1, None, False
        except NoChampionError:
            return None
        except ModelFileError as error:
            if str(error) != self._fault:  # it is looked for again twice a second
                _log.warning("Nothing is rescored: %s", error)
            self._fault = str(error)
            return None
        return self._model


def _score(pending: PendingArticle, model: FrameModel) -> Scoring:
    texts = [paragraph.text for paragraph in pending.split.paragraphs]
    classification = classify(model, texts, cuts_at(model, pending.operating_point, {}), explain=False)
    return Scoring(model.card.version, model.card.codebook_version, pending.operating_point, classification)
