"""Transfer of models between installations: a model is signed with a key that both have, else it is refused.

A model file is a zip of the version's files, of its encoder if that was fine-tuned there, and of `signature.json`:
HMAC-SHA-256 under `FRAMING_MODEL_KEY` over the name and the SHA-256 of each file. An import verifies the signature
before it registers anything. Nothing is unpickled.
"""

import hmac
import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from labels.archives import Limits, Member, safe_members
from labels.errors import UNREADABLE_ARCHIVE, ArchiveError, FramingError
from service.settings import Settings
from training.encoder.files import DIGESTS_FILE
from training.registry.card import card_from_json
from training.registry.encoders import NAMES as ENCODER_FILES
from training.registry.model_files import CARD_FILE, PIPELINE_FILE, SCORER_FILE
from training.registry.signatures import SIGNATURE_FILE, digests
from training.registry.versions import Registry

if TYPE_CHECKING:
    from training.model_card import ModelCard

# Files of an encoder that was fine-tuned where the model comes from; a shipped encoder is in every installation.
_ENCODER = "encoder/"
_FILES = (CARD_FILE, PIPELINE_FILE, SCORER_FILE, DIGESTS_FILE, *(_ENCODER + name for name in ENCODER_FILES))
# Weights of zero are packed several hundred times smaller.
_LIMITS = Limits(members=20, size=2 * 2**30, ratio=1_000)
# Digests of 20 files take some 3 kB.
_MAX_SIGNATURE_BYTES = 2**16


class TransferError(FramingError):
    """A model cannot be exported or imported."""


def export_model(settings: Settings, version: str, path: Path) -> None:
    """Writes a signed model file; raises `TransferError` without a key, or if the file exists."""
    key = _key(settings)
    if path.exists():
        raise TransferError(f"{path} already exists.")
    registry = Registry(settings.models_location, settings.trust)
    files = registry.files(version)
    digest = registry.card(version).encoder_digest
    files |= {_ENCODER + name: content for name, content in registry.encoders.files(digest).items()}
    sha256 = digests(files)
    signature = {"sha256": sha256, "hmac_sha256": _sign(key, sha256)}
    unfinished = path.with_name(path.name + ".unfinished")
    try:
        with zipfile.ZipFile(unfinished, "w") as archive:
            for name, content in files.items():
                archive.writestr(name, content)
            archive.writestr(SIGNATURE_FILE, json.dumps(signature))
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def import_model(settings: Settings, path: Path) -> "ModelCard":
    """Registers the model of a signed file as the next version; raises `TransferError` for any other file."""
    key = _key(settings)
    try:
        with zipfile.ZipFile(path) as archive:
            members = {member.name: member for member in safe_members(archive, limits=_LIMITS)}
            _require_signed(path, members, key)
            files = {name: members[name].read() for name in _FILES if name in members}
    except ArchiveError as error:
        raise TransferError(f"{path} is not taken as a model file: {error}") from error
    except (*UNREADABLE_ARCHIVE, TypeError, MemoryError) as error:
        raise TransferError(f"{path} cannot be read as a model file.") from error
    if CARD_FILE not in files or PIPELINE_FILE not in files:
        raise TransferError(f"{path} lacks the card or the pipeline.")
    card, registry = card_from_json(files[CARD_FILE]), Registry(settings.models_location, settings.trust)
    encoder = {name.removeprefix(_ENCODER): files[name] for name in files if name.startswith(_ENCODER)}
    if encoder:
        registry.encoders.add_files(card.encoder_digest, encoder)
    rest = (files.get(name, b"") for name in (SCORER_FILE, DIGESTS_FILE))
    return registry.adopt(card, files[PIPELINE_FILE], *rest)


def export_skops(settings: Settings, version: str, path: Path) -> None:
    """Writes a pipeline of the model's arrays in the format of skops; nothing is unpickled for it or to load it.

    Raises `TransferError`, or `ModelFileError` for a model without a compiled form.
    """
    try:
        from skops.io import dump  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise TransferError("Install media-framing[skops] to write this format.") from error
    if path.exists():
        raise TransferError(f"{path} already exists.")
    dump(Registry(settings.models_location, settings.trust).pipeline(version), path)


def _key(settings: Settings) -> bytes:
    if settings.model_key is None:
        raise TransferError(
            "Models are exported and imported only with a key that both installations have: set FRAMING_MODEL_KEY."
        )
    return settings.model_key.get_secret_value().encode()


def _require_signed(path: Path, members: Mapping[str, Member], key: bytes) -> None:
    """Compares the signature with the files, none of which is taken into memory as long as nobody vouches for it."""
    if SIGNATURE_FILE not in members or members[SIGNATURE_FILE].size > _MAX_SIGNATURE_BYTES:
        raise TransferError(f"{path} has no signature of a model file.")
    signed = str(json.loads(members[SIGNATURE_FILE].read())["hmac_sha256"])
    actual = {name: members[name].sha256() for name in _FILES if name in members}
    if not hmac.compare_digest(signed.encode(errors="replace"), _sign(key, actual).encode()):
        raise TransferError(f"{path} was not signed with this installation's FRAMING_MODEL_KEY, or was changed.")


def _sign(key: bytes, sha256: Mapping[str, str]) -> str:
    return hmac.new(key, json.dumps(sha256, sort_keys=True).encode(), "sha256").hexdigest()
