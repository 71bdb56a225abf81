"""The history of promotions: which version is champion, and who promoted it when and why.

    models/promotions/000001.json    append-only; the highest number names the champion

A promotion is a single file, created under the next free number. Of two processes that promote at the same time, both
are in the history and the later number wins. A file that is damaged, or that the operator's key did not sign, counts
for nothing: the newest promotion that counts names the champion.
"""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias, get_args

from training.errors import ChampionChangedError, ModelFileError, NoChampionError, RegistryError
from training.registry.signatures import Trust
from training.registry.storage import Storage

PromotionAction: TypeAlias = Literal["promote", "rollback"]

_FOLDER = "promotions"
_FILE = re.compile(r"([0-9]{6,9})\.json")
_HIGHEST = 999_999_999
# What a damaged file is named after it was set aside; its number stays taken.
_SET_ASIDE = ".damaged"
_SIGNATURE = "signature"
_KIND = "promotion"
_MOST_BYTES = 2**20


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


@dataclass(frozen=True, slots=True)
class Refused:
    """A file of the history that counts for nothing, and why, as a sentence: damaged, or not signed as it should be."""

    number: int
    name: str
    why: str
    damaged: bool


class Promotions:
    """The history in the storage of a registry."""

    def __init__(self, storage: Storage, card_digest: Callable[[str], str], trust: Trust) -> None:
        self._storage = storage
        self._card_digest = card_digest
        self._trust = trust

    def history(self) -> list[Promotion]:
        """Returns every promotion and rollback that counts, the oldest first."""
        return [entry for number in self.numbers() if isinstance(entry := self._read(number), Promotion)]

    def refused(self) -> list[Refused]:
        """Returns the files that count for nothing, the oldest first."""
        return [entry for number in self.numbers() if isinstance(entry := self._read(number), Refused)]

    def newest(self) -> tuple[Promotion | None, list[Refused]]:
        """Returns the promotion of the champion, None where none counts, and the refused files that are newer."""
        refused: list[Refused] = []
        for number in reversed(self.numbers()):
            entry = self._read(number)
            if isinstance(entry, Promotion):
                return entry, refused
            refused.append(entry)
        return None, refused

    def latest(self) -> Promotion:
        """Returns the promotion of the champion.

        Raises `NoChampionError` before the first, `ModelFileError` where there are promotions and none counts.
        """
        promotion, refused = self.newest()
        if promotion is None:
            raise ModelFileError(_none_counts(refused)) if refused else NoChampionError
        return promotion

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
        tried = 0
        while True:
            history = self.history()
            if replacing is not None and (not history or history[-1].version != replacing):
                raise ChampionChangedError(version, replacing)
            # Beyond the number that was tried last too: something that is no promotion may have its name.
            tried = self._next(tried, history)
            promotion = Promotion(
                number=tried,
                at=datetime.now(UTC).isoformat(timespec="milliseconds"),
                action=action,
                version=version,
                previous=_previous(history, action, version),
                by=by,
                reason=reason,
                card_sha256=self._card_digest(version),
                forced=forced,
            )
            # Where another process took the number first, the history has changed: read it again.
            if self._storage.create(_path(promotion.number), self._content(promotion)):
                return promotion

    def sign(self, *, replace: bool = False) -> list[Promotion]:
        """Signs the promotions without a signature, with `replace` also those of another key, and returns them.

        The key says from then on that they are genuine, so whoever calls this has read them.
        """
        signed = []
        for number in self.numbers():
            content = self._parsed(number)
            promotion = None if content is None else _promotion(number, content)
            if content is None or promotion is None or self._has_signed(content):
                continue
            if _SIGNATURE not in content or replace:
                self._storage.write(_path(number), self._content(promotion))
                signed.append(promotion)
        return signed

    def set_aside(self) -> list[str]:
        """Renames the damaged files, so that nothing reads them again, and returns their new names."""
        renamed = []
        for refused in self.refused():
            if refused.damaged:
                try:
                    content = self._storage.read(refused.name, _MOST_BYTES)
                except ModelFileError:  # too large to keep
                    content = b""
                self._storage.write(refused.name + _SET_ASIDE, content)
                self._storage.delete(refused.name)
                renamed.append(refused.name + _SET_ASIDE)
        return renamed

    def numbers(self) -> list[int]:
        """Returns the numbers of all files, whether they count or not, in their order."""
        return sorted(_numbers(self._storage.names(_FOLDER)))

    def _next(self, tried: int, history: Sequence[Promotion]) -> int:
        """Returns a number beyond all that are taken and those that were tried.

        Where a file that counts for nothing has the highest, it is the next after the newest promotion that counts.
        """
        taken = _numbers(name.removesuffix(_SET_ASIDE) for name in self._storage.names(_FOLDER))
        number = max([tried, *taken]) + 1
        if number > _HIGHEST:
            number = max([tried, *(promotion.number for promotion in history)]) + 1
        if number > _HIGHEST:
            highest = _path(_HIGHEST)
            raise RegistryError(f"The history has no number left after {highest}: delete that file if it is not yours.")
        return number

    def _content(self, promotion: Promotion) -> bytes:
        facts = asdict(promotion)
        signature = self._trust.sign(_KIND, facts)
        return (json.dumps(facts | ({_SIGNATURE: signature} if signature else {}), ensure_ascii=False) + "\n").encode()

    def _has_signed(self, content: dict[str, Any]) -> bool:
        facts = {name: value for name, value in content.items() if name != _SIGNATURE}
        return self._trust.has_signed(_KIND, facts, content.get(_SIGNATURE))

    def _read(self, number: int) -> Promotion | Refused:
        """Returns a promotion, or why the file counts for nothing."""
        content = self._parsed(number)
        promotion = None if content is None else _promotion(number, content)
        if content is None or promotion is None:
            why = f"Promotion {number} in the history cannot be read: {_path(number)} is empty or damaged."
            return Refused(number, _path(number), why, damaged=True)
        if self._trust.key is not None and not self._has_signed(content):
            lacks = "has a signature of another key, or was changed" if _SIGNATURE in content else "is not signed"
            why = (
                f"Promotion {number} ({promotion.version}, by {promotion.by}) is refused: {_path(number)} {lacks}, and "
                "FRAMING_MODEL_KEY is set."
            )
            return Refused(number, _path(number), why, damaged=False)
        return promotion

    def _parsed(self, number: int) -> dict[str, Any] | None:
        """Returns what a file holds; None where that is no object of JSON."""
        try:
            content = json.loads(self._storage.read(_path(number), _MOST_BYTES))
        except (OSError, ValueError, RecursionError, ModelFileError):
            return None
        return content if isinstance(content, dict) else None


def _numbers(names: Iterable[str]) -> list[int]:
    """Returns the numbers of those files that are named as promotions are; another spelling is no promotion."""
    matches = (_FILE.fullmatch(name) for name in names)
    return [int(match[1]) for match in matches if match and _path(int(match[1])).endswith(f"/{match[0]}")]


def _path(number: int) -> str:
    return f"{_FOLDER}/{number:06d}.json"


def _promotion(number: int, content: dict[str, Any]) -> Promotion | None:
    """Returns the promotion that a file tells of; None where it tells of none, or has another number."""
    try:
        promotion = Promotion(**{name: value for name, value in content.items() if name != _SIGNATURE})
    except TypeError:
        return None
    texts = (promotion.at, promotion.version, promotion.by, promotion.reason, promotion.card_sha256)
    plain = (
        all(_is_text(text) for text in (*texts, promotion.previous or ""))
        and _is_time(promotion.at)
        and isinstance(promotion.forced, bool)
        and promotion.action in get_args(PromotionAction)
    )
    return promotion if plain and type(promotion.number) is int and promotion.number == number else None


def _is_text(value: object) -> bool:
    """Whether a value is a text that can be printed: half of a character cannot."""
    return isinstance(value, str) and not any("\ud800" <= character <= "\udfff" for character in value)


def _is_time(value: str) -> bool:
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def _none_counts(refused: list[Refused]) -> str:
    """Says why there is no champion although there are promotions; `refused` are theirs, the newest first."""
    if all(entry.damaged for entry in refused):
        return f"{refused[0].why} Run `framing doctor`."
    return (
        f"None of the {len(refused)} promotions is signed with FRAMING_MODEL_KEY, so no model serves. If they are "
        "yours, sign them with `framing sign-models`."
    )


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
