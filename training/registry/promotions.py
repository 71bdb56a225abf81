"""The history of promotions: which version is champion, and who promoted it when and why.

    models/promotions/000001.json    append-only; the highest number names the champion

A promotion is a single file, created under the next free number. Of two processes that promote at the same time, both
are in the history and the later number wins.
"""

import json
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Literal, TypeAlias

from training.errors import ChampionChangedError, ModelFileError, NoChampionError
from training.registry.storage import Storage

PromotionAction: TypeAlias = Literal["promote", "rollback"]

_FOLDER = "promotions"
_FILE = re.compile(r"(\d{6,})\.json")


@dataclass(frozen=True, slots=True)
class Promotion:
    """An entry of the history: from then on `version` is champion. `forced` means: against the model's verdict."""

    number: int
    at: str
    action: PromotionAction
    version: str
    previous: str | None
    by: str
    reason: str
    card_sha256: str
    forced: bool = False


class Promotions:
    """The history in the storage of a registry."""

    def __init__(self, storage: Storage, card_digest: Callable[[str], str]) -> None:
        self._storage = storage
        self._card_digest = card_digest

    def history(self) -> list[Promotion]:
        """Returns every promotion and rollback, the oldest first."""
        return [self._read(number) for number in self._numbers()]

    def latest(self) -> Promotion:
        """Returns the promotion of the champion; raises `NoChampionError` before the first."""
        numbers = self._numbers()
        if not numbers:
            raise NoChampionError
        return self._read(numbers[-1])

    def append(
        self,
        action: PromotionAction,
        version: str,
        by: str,
        reason: str,
        *,
        forced: bool = False,
        replacing: str | None = None,
    ) -> Promotion:
        """Makes a version champion. Raises `ChampionChangedError` where the champion is not `replacing`, if given."""
        while True:
            history = self.history()
            if replacing is not None and (not history or history[-1].version != replacing):
                raise ChampionChangedError(version, replacing)
            promotion = Promotion(
                number=history[-1].number + 1 if history else 1,
                at=datetime.now(UTC).isoformat(timespec="milliseconds"),
                action=action,
                version=version,
                previous=_previous(history, action, version),
                by=by,
                reason=reason,
                card_sha256=self._card_digest(version),
                forced=forced,
            )
            content = json.dumps(asdict(promotion), ensure_ascii=False) + "\n"
            # Where another process took the number first, the history has changed: read it again.
            if self._storage.create(_path(promotion.number), content.encode()):
                return promotion

    def _numbers(self) -> list[int]:
        matches = (_FILE.fullmatch(name) for name in self._storage.names(_FOLDER))
        return sorted(int(match[1]) for match in matches if match)

    def _read(self, number: int) -> Promotion:
        try:
            return Promotion(**json.loads(self._storage.read(_path(number))))
        except (OSError, ValueError, TypeError) as error:
            raise ModelFileError(f"Promotion {number} in the history cannot be read.") from error


def _path(number: int) -> str:
    return f"{_FOLDER}/{number:06d}.json"


def _previous(history: list[Promotion], action: PromotionAction, version: str) -> str | None:
    """Returns the version that a rollback from the new champion leads to.

    After a promotion that is the champion before; after a rollback it is the version before the restored champion.
    """
    if not history:
        return None
    if action == "promote":
        return history[-1].version if history[-1].version != version else history[-1].previous
    earlier = [promotion for promotion in history if promotion.version == version]
    return earlier[0].previous if earlier else None
