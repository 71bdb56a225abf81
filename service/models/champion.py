"""The champion in memory: loaded at the start, replaced between two requests when another version is promoted."""

import logging
import threading
from collections.abc import Callable, Sequence

from service.metrics import Metrics
from training.errors import ModelFileError, NoChampionError, StorageError
from training.registry.promotions import Promotion, Refused
from training.registry.versions import Registry
from training.scoring.frame_model import FrameModel

_log = logging.getLogger("framing")


class Champion:
    """Holds the model that answers in `current`. A request reads it once, so no answer mixes two versions."""

    def __init__(
        self, registry: Registry, metrics: Metrics, poll_seconds: float, announce: Callable[[Promotion], None]
    ) -> None:
        self._registry = registry
        self._metrics = metrics
        self._poll_seconds = poll_seconds
        self._announce = announce
        self._announced: Promotion | None = None
        self._promotion: Promotion | None = None
        self.current: FrameModel | None = None
        self._refused: int | None = None
        # Numbers of promotions that count for nothing, each of which is logged once.
        self._reported: set[int] = set()
        # Why there is no model although a model was promoted.
        self._fault: ModelFileError | StorageError | None = None
        self._refreshing = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="champion", daemon=True)

    def model(self) -> FrameModel:
        """The current model; raises `NoChampionError` before the first, or what is the matter with the first."""
        model = self.current
        if model is None:
            # A new error each time, because an error that is raised again grows by a traceback.
            raise NoChampionError if self._fault is None else type(self._fault)(str(self._fault))
        return model

    def version(self) -> str | None:
        """The version of the current model; None without a model."""
        model = self.current
        return None if model is None else model.card.version

    def start(self) -> None:
        self._look()
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def refresh(self) -> None:
        """Loads the champion if another version was promoted. A version that cannot be loaded is refused once."""
        with self._refreshing:
            self._refresh()
            promotion = self._promotion
            if promotion is not None and promotion != self._announced:
                self._announce(promotion)
                self._announced = promotion

    def _refresh(self) -> None:
        try:
            newest, refused = self._registry.newest_promotion()
            self._report(refused)
            if newest is None and refused and isinstance(self._fault, ModelFileError):  # as a second ago
                return
            promotion = newest or self._registry.champion()
            if self._promotion is not None and self._promotion.number == promotion.number:
                return
            if self._refused == promotion.number:
                return
            self._refused = promotion.number
            model, promotion = self._registry.load_champion()
            model.prepare()
            self.current, self._promotion = model, promotion
        except NoChampionError:
            return
        except StorageError as error:
            self._refused, self._fault = None, error
            _log.error("Checking for a new champion failed; %s: %s", self._consequence(), error)
            return
        except ModelFileError as error:
            self._fault = error
            self._metrics.model_refusals.inc()
            _log.error("The champion was refused; %s: %s", self._consequence(), error)
            return
        self._refused = self._fault = None
        self._metrics.champion.info({"version": promotion.version})
        _log.info("Champion %s is loaded.", promotion.version)
        if model.card.is_pickle:
            _log.warning(
                "Champion %s has no compiled form: a process of its own unpickled it, because FRAMING_ALLOW_PICKLE is "
                "on and FRAMING_MODEL_KEY has signed it. That process can do whatever the pickle wants.",
                promotion.version,
            )

    def _report(self, refused: Sequence[Refused]) -> None:
        """Logs the promotions that are newer than the champion's and count for nothing, each a single time."""
        for entry in refused:
            if entry.number not in self._reported:
                self._reported.add(entry.number)
                self._metrics.model_refusals.inc()
                _log.error("A promotion counts for nothing, and the champion before it stays: %s", entry.why)

    def _consequence(self) -> str:
        return "nothing can be scored" if self.current is None else "the current model stays"

    def _watch(self) -> None:
        while not self._stop.wait(self._poll_seconds):
            self._look()

    def _look(self) -> None:
        try:
            self.refresh()
        except Exception:  # noqa: BLE001 - a watcher that dies would keep an old model forever
            _log.exception("Checking for a new champion failed; %s.", self._consequence())
