"""The registry: stored model versions, which of them is champion, and who promoted it when and why.

    models/
    ├── versions/v1/{pipeline.joblib, scorer.npz, card.json}    immutable once there
    └── promotions/000001.json                                  append-only; the highest number names the champion

Whoever creates the pipeline of a version has its number; the version is there once its card is, which is written last.
A promotion is one file, created under the next free number. Both are atomic, in a folder and in an object store, so a
reader sees the old state or the new one, whoever is killed when, and of two promoters at once both are in the history
and the later number has won.
"""

import hashlib
import json
import re
import warnings
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from training.errors import (
    ChampionChangedError,
    ModelFileError,
    NoChampionError,
    NoSuchVersionError,
    RegistryError,
    VerdictError,
)
from training.registry.card import ModelCard, card_from_json, card_to_json, current_libraries
from training.registry.storage import storage_at
from training.scoring.compiled import TOLERANCE, CompiledScorer, PipelineScorer, agrees, compile_pipeline
from training.scoring.frame_model import FrameModel

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from training.challenger import Challenger

PIPELINE_FILE, SCORER_FILE, CARD_FILE = "pipeline.joblib", "scorer.npz", "card.json"

_VERSIONS, _PROMOTIONS = "versions", "promotions"
_VERSION = re.compile(r"v[1-9]\d{0,8}")
_PROMOTION = re.compile(r"(\d{6,})\.json")
_MUST_MATCH = ("scikit-learn", "numpy")


@dataclass(frozen=True, slots=True)
class Promotion:
    """One line of the history: from then on `version` is champion."""

    number: int
    at: str
    action: Literal["promote", "rollback"]
    version: str
    previous: str | None
    by: str
    reason: str
    card_sha256: str
    forced: bool = False
    """Whether it overruled the model's verdict."""


class Registry:
    """Model versions in a folder, which is made when first written to, or at a URL that fsspec knows.

    All methods raise `StorageError` where that place does not answer.
    """

    def __init__(self, location: Path | str) -> None:
        self.storage = storage_at(location)

    # -- versions ---------------------------------------------------------------------------------------------------

    def versions(self) -> list[str]:
        """All versions, the oldest first."""
        paths = [path.split("/") for path in self.storage.files(_VERSIONS)]
        names = [path[1] for path in paths if path[2:] == [CARD_FILE] and _VERSION.fullmatch(path[1])]
        return sorted(names, key=_number)

    def card(self, version: str) -> ModelCard:
        """The card of a version; raises `NoSuchVersionError` or `ModelFileError`."""
        return card_from_json(self._read(version, CARD_FILE))

    def register(self, challenger: "Challenger") -> ModelCard:
        """Stores a challenger, with its compiled form where it has one, as the next version and returns its card.

        Raises `RegistryError` where the compiled form scores otherwise than the pipeline.
        """
        import joblib  # noqa: PLC0415 - servers never register

        buffer = BytesIO()
        joblib.dump(challenger.pipeline, buffer, compress=3)
        return self._store(challenger.card, buffer.getvalue(), _compiled(challenger))

    def adopt(self, card: ModelCard, pipeline: bytes, scorer: bytes) -> ModelCard:
        """Stores the files of a model from elsewhere as the next version, if they are those that its card names.

        Whose word the card is worth is for the caller to know. Raises `ModelFileError`.
        """
        if hashlib.sha256(pipeline).hexdigest() != card.pipeline_sha256 or (
            hashlib.sha256(scorer).hexdigest() != card.scorer_sha256 if card.scorer_sha256 else scorer
        ):
            raise ModelFileError("The files of the model are not those that its card names.")
        return self._store(replace(card, run="", verdict=None), pipeline, scorer)

    def _store(self, card: ModelCard, pipeline: bytes, scorer: bytes) -> ModelCard:
        """Stores files as the next version, the card last: with it the version is there."""
        digest, scorer_digest = (hashlib.sha256(file).hexdigest() if file else "" for file in (pipeline, scorer))
        version = self._claim(pipeline)
        if scorer:
            self.storage.write(f"{_VERSIONS}/{version}/{SCORER_FILE}", scorer)
        card = card.registered(version, digest, scorer_digest)
        self.storage.write(f"{_VERSIONS}/{version}/{CARD_FILE}", card_to_json(card).encode())
        return card

    def files(self, version: str) -> dict[str, bytes]:
        """The files of a version by name, each vouched for by its card."""
        card = self.card(version)
        found = {CARD_FILE: self._read(version, CARD_FILE)}
        found[PIPELINE_FILE] = self._vouched(version, PIPELINE_FILE, card.pipeline_sha256)
        if card.scorer_sha256:
            found[SCORER_FILE] = self._vouched(version, SCORER_FILE, card.scorer_sha256)
        return found

    def pipeline(self, version: str) -> "Pipeline":
        """The scikit-learn pipeline of a version, unpickled if its digest is the one on the card."""
        card = self.card(version)
        return _unpickled(self._vouched(version, PIPELINE_FILE, card.pipeline_sha256), card)

    def _claim(self, pipeline: bytes) -> str:
        """Stores a pipeline as that of the next version, which nobody else can then have."""
        taken = [_number(name) for name in self.storage.names(_VERSIONS) if _VERSION.fullmatch(name)]
        number = max(taken, default=0) + 1
        while not self.storage.create(f"{_VERSIONS}/v{number}/{PIPELINE_FILE}", pipeline):
            number += 1
        return f"v{number}"

    def load(self, version: str) -> FrameModel:
        """The model of a version: its compiled form, else its pipeline, unpickled if its digest is the one on the card.

        Raises `NoSuchVersionError`, or `ModelFileError` for a damaged, tampered or foreign file or other libraries.
        """
        card = self.card(version)
        if card.version != version:
            raise ModelFileError(f"The card in the folder of model '{version}' belongs to '{card.version}'.")
        pipeline = self._vouched(version, PIPELINE_FILE, card.pipeline_sha256)
        scorer = self._vouched(version, SCORER_FILE, card.scorer_sha256) if card.scorer_sha256 else b""
        own = (
            CompiledScorer.from_bytes(scorer)
            if scorer
            else PipelineScorer(_unpickled(pipeline, card), len(card.frames))
        )
        return FrameModel(own, card)

    def _vouched(self, version: str, name: str, digest: str) -> bytes:
        """The content of a file whose digest is the one on the card."""
        content = self._read(version, name)
        if hashlib.sha256(content).hexdigest() != digest:
            raise ModelFileError(
                f"The file {name} of model '{version}' is not the one that was registered (its SHA-256 differs from "
                "the card's), so it was not opened."
            )
        return content

    def _read(self, version: str, name: str) -> bytes:
        if not _VERSION.fullmatch(version):
            raise NoSuchVersionError(version)
        try:
            return self.storage.read(f"{_VERSIONS}/{version}/{name}")
        except FileNotFoundError as error:
            if name == CARD_FILE:
                raise NoSuchVersionError(version) from error
            raise ModelFileError(f"Model '{version}' has no readable {name}.") from error

    # -- champion ---------------------------------------------------------------------------------------------------

    def history(self) -> list[Promotion]:
        """Every promotion and rollback, the oldest first."""
        return [self._promotion(number) for number in self._promotion_numbers()]

    def champion(self) -> Promotion:
        """The promotion in force; raises `NoChampionError` before the first."""
        numbers = self._promotion_numbers()
        if not numbers:
            raise NoChampionError
        return self._promotion(numbers[-1])

    def load_champion(self) -> tuple[FrameModel, Promotion]:
        """The champion, whose card must be the one that was promoted."""
        promotion = self.champion()
        if self._card_digest(promotion.version) != promotion.card_sha256:
            raise ModelFileError(f"The card of model '{promotion.version}' was changed after its promotion.")
        return self.load(promotion.version), promotion

    def promote(
        self, version: str, *, by: str, reason: str, force: bool = False, judged_against: str | None = None
    ) -> Promotion:
        """Makes a version champion after loading it, so that one which cannot serve never is.

        Raises `VerdictError` where its verdict is against it, unless forced; that is kept in the history. With
        `judged_against` only that version is replaced: whoever else was quicker, `ChampionChangedError` is raised.
        """
        verdict = self.load(version).card.verdict
        against = verdict is not None and not verdict.promote
        if verdict is not None and against and not force:
            raise VerdictError(version, verdict.reason)
        return self._append("promote", version, by, reason, forced=against, replacing=judged_against)

    def made_by(self, run: str) -> ModelCard | None:
        """The card of the model that a training run registered, or None."""
        for version in reversed(self.versions()):
            with suppress(ModelFileError):
                card = self.card(version)
                if card.run == run:
                    return card
        return None

    def roll_back(self, *, by: str, reason: str) -> Promotion:
        """Makes the champion before the present one champion again."""
        history = self.history()
        if not history:
            raise NoChampionError
        previous = history[-1].previous
        if previous is None:
            raise RegistryError("There is no earlier champion to roll back to.")
        self.load(previous)
        return self._append("rollback", previous, by, reason)

    def _append(
        self,
        action: Literal["promote", "rollback"],
        version: str,
        by: str,
        reason: str,
        *,
        forced: bool = False,
        replacing: str | None = None,
    ) -> Promotion:
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
            if self.storage.create(_promotion_file(promotion.number), content.encode()):
                return promotion

    def _promotion_numbers(self) -> list[int]:
        found = (_PROMOTION.fullmatch(name) for name in self.storage.names(_PROMOTIONS))
        return sorted(int(match[1]) for match in found if match)

    def _promotion(self, number: int) -> Promotion:
        try:
            return Promotion(**json.loads(self.storage.read(_promotion_file(number))))
        except (OSError, ValueError, TypeError) as error:
            raise ModelFileError(f"Promotion {number} in the history cannot be read.") from error

    def _card_digest(self, version: str) -> str:
        return hashlib.sha256(self._read(version, CARD_FILE)).hexdigest()

    # -- leftovers --------------------------------------------------------------------------------------------------

    def unfinished(self) -> list[str]:
        """Versions and files that a killed process did not finish, or another one is writing at the moment."""
        finished = set(self.versions())
        begun = [name for name in self.storage.names(_VERSIONS) if _VERSION.fullmatch(name) and name not in finished]
        return [*(f"{_VERSIONS}/{name}" for name in sorted(begun, key=_number)), *self.storage.unfinished()]


def _number(version: str) -> int:
    return int(version[1:])


def _promotion_file(number: int) -> str:
    return f"{_PROMOTIONS}/{number:06d}.json"


def _previous(history: list[Promotion], action: str, version: str) -> str | None:
    """What a rollback from the new champion leads to: one step down, and after a rollback further down."""
    if not history:
        return None
    if action == "promote":
        return history[-1].version if history[-1].version != version else history[-1].previous
    reached = [promotion for promotion in history if promotion.version == version]
    return reached[0].previous if reached else None


def _compiled(challenger: "Challenger") -> bytes:
    """The file of the compiled form; empty where there is none."""
    scorer = compile_pipeline(challenger.pipeline, len(challenger.card.frames))
    if scorer is None:
        return b""
    content = scorer.to_bytes()
    if not agrees(CompiledScorer.from_bytes(content), challenger.pipeline):
        raise RegistryError(
            f"The compiled form of this model scores otherwise than its pipeline by more than {TOLERANCE:g}, so it was "
            "not registered."
        )
    return content


def _unpickled(content: bytes, card: ModelCard) -> "Pipeline":
    """The pipeline of a file whose digest was found right."""
    import joblib  # noqa: PLC0415 - only models without a compiled form need it
    from sklearn.exceptions import InconsistentVersionWarning  # noqa: PLC0415

    _require_libraries(card)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", InconsistentVersionWarning)
            pipeline = joblib.load(BytesIO(content))
            _ = pipeline.predict_proba
            return pipeline
    except InconsistentVersionWarning as error:
        raise ModelFileError(f"Model '{card.version}' was stored by another version of scikit-learn.") from error
    except Exception as error:  # whatever unpickling a file of another kind may raise
        raise ModelFileError(f"The file of model '{card.version}' holds no pipeline that can be read.") from error


def _require_libraries(card: ModelCard) -> None:
    """A minor release may change what a pipeline computes, so it must be the same."""
    here = current_libraries()
    for name in _MUST_MATCH:
        stored, installed = card.libraries.get(name, "unknown"), here[name]
        if stored.split(".")[:2] != installed.split(".")[:2]:
            raise ModelFileError(
                f"Model '{card.version}' was trained with {name} {stored} and {installed} is installed: "
                "train it again or install that version."
            )
