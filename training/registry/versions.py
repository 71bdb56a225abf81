"""The registry: stored model versions, and the champion among them.

    models/
    ├── versions/v1/{pipeline.joblib, scorer.npz, training-paragraphs.sha256, signature.json, card.json}
    ├── promotions/000001.json                                  see `training.registry.promotions`
    └── encoders/DIGEST/                                        see `training.registry.encoders`

The process that creates the pipeline of a version owns its number. The version exists once its card does, which is
written last; its files never change, but for the signature. A promotion is a single file. Both steps are atomic, in a
folder and in an object store: a reader sees the old state or the new state, no matter which process is killed when.

`pipeline.joblib` is a pickle, and no method here opens it: versions score from their compiled form. Where there is
none, a process of its own unpickles the pipeline, if `Trust` allows it (see `training.scoring.pipeline_process`).
"""

import hashlib
import json
import re
from contextlib import suppress
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from training.encoder.files import DIGESTS_FILE
from training.errors import ModelFileError, NoChampionError, NoSuchVersionError, RegistryError, VerdictError
from training.model_card import ModelCard
from training.registry.card import card_from_json, card_to_json
from training.registry.encoders import OwnEncoders
from training.registry.learned import Digests, from_file, known_of, to_file
from training.registry.model_files import CARD_FILE, PIPELINE_FILE, SCORER_FILE, compiled_form, require_libraries
from training.registry.promotions import Promotion, Promotions, Refused
from training.registry.signatures import SIGNATURE_FILE, Trust, digests
from training.registry.storage import MOST_BYTES, storage_at
from training.scoring.compilation import PipelineScorer, pipeline_of, read_scorer
from training.scoring.frame_model import FrameModel, columns_of
from training.scoring.pipeline_process import PipelineProcess

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from training.challenger import Challenger

_FOLDER = "versions"
_KIND = "version"
_MOST_BYTES_OF_JSON = 16 * 2**20
_VERSION = re.compile(r"v[1-9]\d{0,8}")


class Registry:
    """Model versions in a folder, which is created with the first version, or in an object store.

    All methods raise `StorageError` where that place does not answer. With a key in `trust`, versions and promotions
    are signed as they are made, and promotions without a valid signature count for nothing.
    """

    def __init__(self, location: Path | str, trust: Trust | None = None) -> None:
        self.storage = storage_at(location)
        self.encoders = OwnEncoders(self.storage)
        self._trust = trust or Trust()

    # -- versions ---------------------------------------------------------------------------------------------------

    def versions(self) -> list[str]:
        """Returns all versions, the oldest first."""
        paths = [path.split("/") for path in self.storage.files(_FOLDER)]
        names = [path[1] for path in paths if path[2:] == [CARD_FILE] and _VERSION.fullmatch(path[1])]
        return sorted(names, key=_number)

    def card(self, version: str) -> ModelCard:
        """Returns the card of a version; raises `NoSuchVersionError` or `ModelFileError`."""
        return card_from_json(self._card_file(version))

    def card_of_run(self, run: str) -> ModelCard | None:
        """Returns the card of the model that a training run registered, or None."""
        for version in reversed(self.versions()):
            with suppress(ModelFileError):
                card = self.card(version)
                if card.run == run:
                    return card
        return None

    def register(self, challenger: "Challenger") -> ModelCard:
        """Stores a challenger as the next version, compiled too where that is possible, and returns its card.

        Raises `RegistryError` where the compiled form scores differently from the pipeline, and `ModelFileError` where
        this installation lacks its encoder.
        """
        import joblib  # noqa: PLC0415 - servers never register

        buffer = BytesIO()
        joblib.dump(challenger.pipeline, buffer, compress=3)
        scorer = compiled_form(challenger.pipeline, challenger.card)
        return self._store(challenger.card, buffer.getvalue(), scorer, to_file(challenger.learned))

    def adopt(self, card: ModelCard, pipeline: bytes, scorer: bytes, learned: bytes = b"") -> ModelCard:
        """Stores the files of a model from elsewhere as the next version, if their digests are those on its card.

        The caller must know whether the card itself can be trusted. Raises `ModelFileError`.
        """
        named = (card.pipeline_sha256, card.scorer_sha256, card.learned_sha256)
        if tuple(map(_sha256, (pipeline, scorer, learned))) != named:
            raise ModelFileError("The files of the model are not those that its card names.")
        return self._store(replace(card, run="", verdict=None), pipeline, scorer, learned)

    def files(self, version: str) -> dict[str, bytes]:
        """Returns the files of a version by name, each checked against the digest on the card."""
        files = {CARD_FILE: self._card_file(version)}
        card = card_from_json(files[CARD_FILE])
        files[PIPELINE_FILE] = self._verified(version, PIPELINE_FILE, card.pipeline_sha256)
        if card.scorer_sha256:
            files[SCORER_FILE] = self._verified(version, SCORER_FILE, card.scorer_sha256)
        if card.learned_sha256:
            files[DIGESTS_FILE] = self._verified(version, DIGESTS_FILE, card.learned_sha256)
        return files

    def learned(self, version: str) -> Digests:
        """Returns the digests of the paragraphs that a version learned from, after checking that of their file.

        Of a version without that file, which an earlier version of this program registered, only those of its base are
        known.
        """
        card = self.card(version)
        if not card.learned_sha256:
            return known_of(card)
        return from_file(self._verified(version, DIGESTS_FILE, card.learned_sha256))

    def pipeline(self, version: str) -> "Pipeline":
        """Returns a scikit-learn pipeline that scores as a version does, made of the arrays of its compiled form.

        Raises `ModelFileError` where there is only a pickle, which is not opened here.
        """
        card = _own_card(version, self._card_file(version))
        if not card.scorer_sha256:
            raise ModelFileError(
                f"Model '{version}' has no compiled form, only a pickle, which is not opened for this."
            )
        return pipeline_of(read_scorer(self._verified(version, SCORER_FILE, card.scorer_sha256)))

    def load(self, version: str) -> FrameModel:
        """Returns the model of a version, after checking the digests of its files: its compiled form.

        Where there is only a pickle, a process of its own scores, which starts with the first score. Raises
        `NoSuchVersionError`, or `ModelFileError` for a damaged, tampered or foreign file, other libraries, or a pickle
        that may not be opened.
        """
        return self._model(version, self._card_file(version))

    def _model(self, version: str, card_file: bytes) -> FrameModel:
        """Returns the model of a card that was read already: whoever writes to the folder cannot exchange it now."""
        card = _own_card(version, card_file)
        if not card.scorer_sha256:
            return self._pickled_model(version)
        self._verified(version, PIPELINE_FILE, card.pipeline_sha256)
        scorer = read_scorer(self._verified(version, SCORER_FILE, card.scorer_sha256))
        if (scorer.columns, scorer.frames) != (columns_of(card), len(card.frames)):
            raise ModelFileError(f"The compiled form of model '{version}' has other columns than its card names.")
        return FrameModel(scorer, card)

    def _pickled_model(self, version: str) -> FrameModel:
        """Returns the model of a pickle, if it may be opened: its process gets the very bytes that are signed."""
        files = self.files(version)
        card = _own_card(version, files[CARD_FILE])
        self._require_trusted(version, files)
        require_libraries(card)
        process = PipelineProcess(files[PIPELINE_FILE], columns_of(card), version)
        return FrameModel(PipelineScorer(process, len(card.frames)), card)

    def is_signed(self, version: str) -> bool:
        """Whether the key has signed the files of a version; never without a key."""
        return self._has_signed(version, self.files(version))

    def _has_signed(self, version: str, files: dict[str, bytes]) -> bool:
        try:
            content = json.loads(self._read(version, SIGNATURE_FILE, _MOST_BYTES_OF_JSON))
            signature = content["hmac_sha256"]
        except (ModelFileError, ValueError, TypeError, KeyError, RecursionError):
            return False
        return self._trust.has_signed(_KIND, digests(files), signature)

    def has_signature(self, version: str) -> bool:
        """Whether a version has a signature, of whichever key."""
        return SIGNATURE_FILE in self.storage.names(f"{_FOLDER}/{version}")

    def sign(self, version: str) -> None:
        """Signs the files of a version, after checking their digests; raises `RegistryError` without a key."""
        self._require_key()
        self._write_signature(version, self.files(version))

    def sign_promotions(self, *, replace: bool = False) -> list[Promotion]:
        """Signs the promotions that lack a signature, with `replace` also those of another key, and returns them.

        Raises `RegistryError` without a key.
        """
        self._require_key()
        return self._promotions.sign(replace=replace)

    def _require_key(self) -> None:
        if self._trust.key is None:
            raise RegistryError("Nothing can be signed without a key: set FRAMING_MODEL_KEY.")

    def _require_trusted(self, version: str, files: dict[str, bytes]) -> None:
        """Raises `ModelFileError` unless a pickle may be opened: the operator allows it, and the version is signed."""
        lacks = None
        if not self._trust.allow_pickle:
            lacks = "FRAMING_ALLOW_PICKLE is off"
        elif not self._has_signed(version, files):
            lacks = "it is not signed with FRAMING_MODEL_KEY"
        if lacks is not None:
            raise ModelFileError(
                f"Model '{version}' has no compiled form, only a pickle, which could run any code. It was not opened: "
                f"{lacks}. Both are needed."
            )

    def unfinished(self) -> list[str]:
        """Returns what a killed process left unfinished or another is writing, and encoders that no model reads."""
        finished = set(self.versions())
        begun = [name for name in self.storage.names(_FOLDER) if _VERSION.fullmatch(name) and name not in finished]
        unfinished = [*(f"{_FOLDER}/{name}" for name in sorted(begun, key=_number)), *self.storage.unfinished()]
        try:
            used = {self.card(version).encoder_digest for version in finished}
        except ModelFileError:  # a card that cannot be read may name any encoder
            return unfinished
        return [*unfinished, *self.encoders.unused(used)]

    def _store(self, card: ModelCard, pipeline: bytes, scorer: bytes, learned: bytes) -> ModelCard:
        """Stores files as the next version; the card comes last, because with it the version exists."""
        version = self._claim(pipeline)
        for name, content in ((SCORER_FILE, scorer), (DIGESTS_FILE, learned)):
            if content:
                self.storage.write(f"{_FOLDER}/{version}/{name}", content)
        card = card.registered(version, *map(_sha256, (pipeline, scorer, learned)))
        content = card_to_json(card).encode()
        files = {CARD_FILE: content, PIPELINE_FILE: pipeline, SCORER_FILE: scorer, DIGESTS_FILE: learned}
        if self._trust.key is not None:
            self._write_signature(version, {name: file for name, file in files.items() if file})
        self.storage.write(f"{_FOLDER}/{version}/{CARD_FILE}", content)
        return card

    def _write_signature(self, version: str, files: dict[str, bytes]) -> None:
        content = {"hmac_sha256": self._trust.sign(_KIND, digests(files))}
        self.storage.write(f"{_FOLDER}/{version}/{SIGNATURE_FILE}", json.dumps(content).encode())

    def _claim(self, pipeline: bytes) -> str:
        """Stores a pipeline under the next free version, which no other process can then claim."""
        taken = [_number(name) for name in self.storage.names(_FOLDER) if _VERSION.fullmatch(name)]
        number = max(taken, default=0) + 1
        while not self.storage.create(f"{_FOLDER}/v{number}/{PIPELINE_FILE}", pipeline):
            number += 1
        return f"v{number}"

    def _verified(self, version: str, name: str, digest: str) -> bytes:
        """Returns the content of a file; raises `ModelFileError` where its digest is not that on the card."""
        content = self._read(version, name)
        if hashlib.sha256(content).hexdigest() != digest:
            raise ModelFileError(
                f"The file {name} of model '{version}' is not the one that was registered (its SHA-256 differs from "
                "the card's), so it was not opened."
            )
        return content

    def _read(self, version: str, name: str, most: int = MOST_BYTES) -> bytes:
        if not _VERSION.fullmatch(version):
            raise NoSuchVersionError(version)
        try:
            return self.storage.read(f"{_FOLDER}/{version}/{name}", most)
        except FileNotFoundError as error:
            if name == CARD_FILE:
                raise NoSuchVersionError(version) from error
            raise ModelFileError(f"Model '{version}' has no readable {name}.") from error

    def _card_file(self, version: str) -> bytes:
        return self._read(version, CARD_FILE, _MOST_BYTES_OF_JSON)

    def _card_digest(self, version: str) -> str:
        return _sha256(self._card_file(version))

    # -- champion ---------------------------------------------------------------------------------------------------

    @property
    def _promotions(self) -> Promotions:
        return Promotions(self.storage, self._card_digest, self._trust)

    def history(self) -> list[Promotion]:
        """Returns every promotion and rollback that counts, the oldest first."""
        return self._promotions.history()

    def refused_promotions(self) -> list[Refused]:
        """Returns the promotions that count for nothing: damaged ones, and those that the key did not sign."""
        return self._promotions.refused()

    def newest_promotion(self) -> tuple[Promotion | None, list[Refused]]:
        """Returns the promotion of the champion, None where none counts, and the refused files that are newer."""
        return self._promotions.newest()

    def set_aside_damaged(self) -> list[str]:
        """Renames damaged files of the history, so that nothing reads them again, and returns their new names."""
        return self._promotions.set_aside()

    def was_promoted(self) -> bool:
        """Whether any version was ever promoted, even if no promotion counts any longer."""
        return bool(self._promotions.numbers())

    def champion(self) -> Promotion:
        """Returns the promotion of the champion.

        Raises `NoChampionError` before the first, `ModelFileError` where there are promotions and none counts.
        """
        return self._promotions.latest()

    def champion_card(self) -> ModelCard | None:
        """Returns the card of the champion; None before the first promotion."""
        try:
            return self.card(self.champion().version)
        except NoChampionError:
            return None

    def load_champion(self) -> tuple[FrameModel, Promotion]:
        """Loads the champion; raises `ModelFileError` where its card has changed since the promotion, or is gone."""
        promotion = self.champion()
        try:
            card_file = self._card_file(promotion.version)
        except NoSuchVersionError as error:
            raise ModelFileError(f"Promotion {promotion.number} names a model that does not exist: {error}") from error
        if _sha256(card_file) != promotion.card_sha256:
            raise ModelFileError(f"The card of model '{promotion.version}' was changed after its promotion.")
        return self._model(promotion.version, card_file), promotion

    def promote(
        self, version: str, *, by: str, reason: str, force: bool = False, judged_against: str | None = None
    ) -> Promotion:
        """Makes a version champion after loading it, so that a version which cannot serve never becomes champion.

        Raises `VerdictError` where its verdict is against it; `force` overrules that and is recorded in the history.
        With `judged_against` it replaces only that version: where another became champion since, it raises
        `ChampionChangedError`.
        """
        model = self.load(version)
        model.prepare()
        verdict = model.card.verdict
        against = verdict is not None and not verdict.promote
        if verdict is not None and against and not force:
            raise VerdictError(version, verdict.reason)
        return self._promotions.append("promote", version, by, reason, forced=against, replacing=judged_against)

    def roll_back(self, *, by: str, reason: str) -> Promotion:
        """Makes the previous champion champion again.

        Raises `RegistryError` where there was none, and `ModelFileError` where no promotion counts.
        """
        previous = self.champion().previous
        if previous is None:
            raise RegistryError("There is no earlier champion to roll back to.")
        self.load(previous).prepare()
        return self._promotions.append("rollback", previous, by, reason)


def _own_card(version: str, content: bytes) -> ModelCard:
    """Reads the card of a version; raises `ModelFileError` where it belongs to another."""
    card = card_from_json(content)
    if card.version != version:
        raise ModelFileError(f"The card in the folder of model '{version}' belongs to '{card.version}'.")
    return card


def _number(version: str) -> int:
    return int(version[1:])


def _sha256(file: bytes) -> str:
    """Returns the digest of a file; an empty text where there is none."""
    return hashlib.sha256(file).hexdigest() if file else ""
