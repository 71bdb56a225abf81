"""Models between installations: signed with a key that both have, and refused without.

A model file is a zip of the version's files and of `signature.json`: HMAC-SHA-256 under `FRAMING_MODEL_KEY` over the
name and the SHA-256 of each. It is read, held against the signature and only then registered; until then nothing is
unpickled.
"""

import hashlib
import hmac
import json
import os
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from labels.errors import UNREADABLE_ARCHIVE, FramingError
from service.settings import Settings
from training.registry.card import card_from_json
from training.registry.versions import CARD_FILE, PIPELINE_FILE, SCORER_FILE, Registry

if TYPE_CHECKING:
    from training.registry.card import ModelCard

_SIGNATURE = "signature.json"
_FILES = (CARD_FILE, PIPELINE_FILE, SCORER_FILE)
_LARGEST = 2 * 2**30


class TransferError(FramingError):
    """A model cannot be given away or taken in."""


def export_model(settings: Settings, version: str, path: Path) -> None:
    """Writes a signed model file; raises `TransferError` without a key or where the file is there."""
    key = _key(settings)
    if path.exists():
        raise TransferError(f"{path} is there already.")
    files = Registry(settings.models_location).files(version)
    signature = {"sha256": _digests(files), "hmac_sha256": _sign(key, _digests(files))}
    unfinished = path.with_name(path.name + ".unfinished")
    try:
        with zipfile.ZipFile(unfinished, "w") as archive:
            for name, content in files.items():
                archive.writestr(name, content)
            archive.writestr(_SIGNATURE, json.dumps(signature))
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def import_model(settings: Settings, path: Path) -> "ModelCard":
    """Registers the model of a signed file as the next version; raises `TransferError` for any other file."""
    key = _key(settings)
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(one.file_size for one in archive.infolist()) > _LARGEST:
                raise TransferError(f"{path} is larger than a model can be.")
            files = {name: archive.read(name) for name in _FILES if name in archive.namelist()}
            signature = json.loads(archive.read(_SIGNATURE))
            signed = str(signature["hmac_sha256"])
    except (*UNREADABLE_ARCHIVE, TypeError) as error:
        raise TransferError(f"{path} is no model file that can be read.") from error
    if not hmac.compare_digest(signed, _sign(key, _digests(files))):
        raise TransferError(f"{path} was not signed with this installation's FRAMING_MODEL_KEY, or was changed.")
    if CARD_FILE not in files or PIPELINE_FILE not in files:
        raise TransferError(f"{path} lacks the card or the pipeline.")
    card = card_from_json(files[CARD_FILE])
    return Registry(settings.models_location).adopt(card, files[PIPELINE_FILE], files.get(SCORER_FILE, b""))


def export_skops(settings: Settings, version: str, path: Path) -> None:
    """Writes the pipeline in the format of skops, which is loaded without unpickling."""
    try:
        from skops.io import dump  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise TransferError("Install media-framing[skops] to write this format.") from error
    if path.exists():
        raise TransferError(f"{path} is there already.")
    dump(Registry(settings.models_location).pipeline(version), path)


def _key(settings: Settings) -> bytes:
    if settings.model_key is None:
        raise TransferError(
            "Models are given away and taken in only under a key that both installations have: set FRAMING_MODEL_KEY."
        )
    return settings.model_key.get_secret_value().encode()


def _digests(files: dict[str, bytes]) -> dict[str, str]:
    return {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())}


def _sign(key: bytes, digests: dict[str, str]) -> str:
    return hmac.new(key, json.dumps(digests, sort_keys=True).encode(), "sha256").hexdigest()
