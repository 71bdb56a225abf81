"""Scoring stored articles anew after a promotion, a batch at a time; what is done is never done again."""

import logging

from service.settings import Settings
from service.store import unscored
from service.store.scorings import Scoring
from service.store.sql.database import Database
from service.store.unscored import PendingArticle
from training.errors import ModelFileError, NoChampionError
from training.registry.versions import Registry
from training.scoring.classification import classify, cuts_at
from training.scoring.frame_model import FrameModel

_log = logging.getLogger("framing")

_BATCH = 20
_LOOKED_AT_AGAIN = 200
"""Numbers that are gone through again: SQLite gives that of the newest article once more after it was deleted."""


class Rescoring:
    """Gives every stored article a scoring by the champion, the newest first. Scorings by earlier models stay.

    All are gone through once, and afterwards only the newest: another process may still have stored some with the
    model before.
    """

    def __init__(self, settings: Settings, database: Database, registry: Registry) -> None:
        self._enabled = settings.rescore
        self._database = database
        self._registry = registry
        self._model: FrameModel | None = None
        self._promotion = 0
        self._begin = 1
        """The number that the next pass begins with; one pass goes through what is `_left` of its numbers."""
        self._left: range | None = None

    def do_some(self) -> bool:
        """Scores one batch; False where nothing is left to do."""
        model = self._champion() if self._enabled else None
        if model is None:
            return False
        with self._database.read() as connection:
            if self._left is None:
                end = unscored.newest_number(connection) + 1
                self._begin, self._left = max(end - _LOOKED_AT_AGAIN, 1), range(self._begin, end)
            pending = unscored.not_scored_by(connection, model.card.version, self._left, _BATCH)
        if not pending:
            self._left = None
            return False
        scored = [(one, _score(one, model)) for one in pending]
        with self._database.write() as connection:
            unscored.add_all(connection, scored)
        self._left = range(self._left.start, pending[-1].number)
        return True

    def _champion(self) -> FrameModel | None:
        try:
            if self._registry.champion().number != self._promotion:
                self._model, promotion = self._registry.load_champion()
                self._promotion = promotion.number
                self._begin, self._left = 1, None
        except (NoChampionError, ModelFileError) as error:
            _log.debug("Nothing is scored anew: %s", error)
            return None
        return self._model


def _score(pending: PendingArticle, model: FrameModel) -> Scoring:
    texts = [paragraph.text for paragraph in pending.split.paragraphs]
    found = classify(model, texts, cuts_at(model, pending.operating_point, {}), explain=False)
    return Scoring(model.card.version, model.card.codebook_version, pending.operating_point, found)
