"""The champion in memory: loaded at start, replaced between two requests when another one is promoted."""

import logging
import threading
from collections.abc import Callable

from service.metrics import Metrics
from training.errors import ModelFileError, NoChampionError, StorageError
from training.registry.versions import Promotion, Registry
from training.scoring.frame_model import FrameModel

_log = logging.getLogger("framing")


class Champion:
    """Holds the model that answers. A request takes it once, so no answer mixes two versions."""

    def __init__(
        self, registry: Registry, metrics: Metrics, poll_seconds: float, announce: Callable[[Promotion], None]
    ) -> None:
        self._registry = registry
        self._metrics = metrics
        self._poll_seconds = poll_seconds
        self._announce = announce
        self._announced: Promotion | None = None
        self._loaded: tuple[FrameModel, Promotion] | None = None
        self._refused: int | None = None
        self._refreshing = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="champion", daemon=True)

    def model(self) -> FrameModel:
        """The model to answer with; raises `NoChampionError` where none could be loaded yet."""
        loaded = self._loaded
        if loaded is None:
            raise NoChampionError
        return loaded[0]

    def version(self) -> str | None:
        """The version in use; None where there is none."""
        loaded = self._loaded
        return None if loaded is None else loaded[0].card.version

    def start(self) -> None:
        self.refresh()
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def refresh(self) -> None:
        """Loads the champion if it is another one than the loaded. One that cannot be loaded is refused once."""
        with self._refreshing:
            self._refresh()
            loaded = self._loaded
            if loaded is not None and loaded[1] != self._announced:
                self._announce(loaded[1])
                self._announced = loaded[1]

    def _refresh(self) -> None:
        try:
            promotion = self._registry.champion()
            if self._loaded is not None and self._loaded[1].number == promotion.number:
                return
            if self._refused == promotion.number:
                return
            self._refused = promotion.number
            self._loaded = self._registry.load_champion()
        except NoChampionError:
            return
        except StorageError as error:
            self._refused = None
            _log.error("Looking for the champion failed; the model in use stays: %s", error)
            return
        except ModelFileError as error:
            self._metrics.model_refusals.inc()
            _log.error("The champion was refused and the model in use stays: %s", error)
            return
        self._refused = None
        self._metrics.champion.info({"version": promotion.version})
        _log.info("Champion %s is in use.", promotion.version)

    def _watch(self) -> None:
        while not self._stop.wait(self._poll_seconds):
            try:
                self.refresh()
            except Exception:  # noqa: BLE001 - a watcher that dies would leave an old model in use for ever
                _log.exception("Looking for a new champion failed; the model in use stays.")
