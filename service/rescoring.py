"""Scoring stored articles anew after a promotion, a batch at a time; what is done is never done again."""

import logging

from service.settings import Settings
from service.store import unscored
from service.store.database import Database
from service.store.scorings import Scoring
from training.classification import classify, cuts_at
from training.errors import ModelFileError, NoChampionError
from training.frame_model import FrameModel
from training.registry import Registry

_log = logging.getLogger("framing")

_BATCH = 20


class Rescoring:
    """Gives every stored article a scoring by the champion. Scorings by earlier models stay."""

    def __init__(self, settings: Settings, database: Database, registry: Registry) -> None:
        self._enabled = settings.rescore
        self._database = database
        self._registry = registry
        self._model: FrameModel | None = None
        self._promotion = 0

    def do_some(self) -> bool:
        """Scores one batch; False where nothing is left to do."""
        model = self._champion() if self._enabled else None
        if model is None:
            return False
        with self._database.read() as connection:
            pending = unscored.not_scored_by(connection, model.card.version, _BATCH)
        for pending_article in pending:
            cuts = cuts_at(model, pending_article.operating_point, {})
            texts = [paragraph.text for paragraph in pending_article.split.paragraphs]
            scoring = Scoring(
                model.card.version,
                model.card.codebook_version,
                pending_article.operating_point,
                classify(model, texts, cuts, explain=False),
            )
            with self._database.write() as connection:
                unscored.add(connection, pending_article, scoring)
        return bool(pending)

    def _champion(self) -> FrameModel | None:
        try:
            if self._registry.champion().number != self._promotion:
                self._model, promotion = self._registry.load_champion()
                self._promotion = promotion.number
        except (NoChampionError, ModelFileError) as error:
            _log.debug("Nothing is scored anew: %s", error)
            return None
        return self._model
