"""The encoders of this installation, shipped or fine-tuned here, by the digest that a model's card names them by."""

import re
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from training.encoder.files import SHAPE_FILE, digest_of
from training.errors import ModelFileError

if TYPE_CHECKING:
    from training.encoder.encoder import Encoder

BASE_FOLDER = Path(__file__).parents[1] / "base"

_DIGEST = re.compile(r"[0-9a-f]{64}")
# Folders of encoders that were fine-tuned here, each in a folder named by its digest; a registry adds its own.
_own_places: list[Path] = []


def look_also_in(folder: Path) -> None:
    """Makes the encoders that were fine-tuned here known to this process: those in `folder`/DIGEST."""
    # Absolute, because other processes, which may run in another folder, get the path too.
    if folder.absolute() not in _own_places:
        _own_places.append(folder.absolute())


def own_places(digest: str) -> tuple[Path, ...]:
    """Returns the folders of `look_also_in` that hold an encoder, so that other processes can be given them too."""
    return tuple(place for place in _own_places if (place / digest).exists())


def encoder_folders() -> list[Path]:
    """Returns the folders of the shipped encoders."""
    return sorted(path.parent for path in BASE_FOLDER.glob(f"*/{SHAPE_FILE}"))


@lru_cache(maxsize=4)
def encoder_of(digest: str) -> "Encoder":
    """Returns the encoder with a digest, read once per process; raises `ModelFileError` where there is none."""
    from training.encoder.encoder import Encoder  # noqa: PLC0415 - a server of words never needs it

    folder = folder_of(digest)
    if folder is not None:
        return Encoder.read(folder)
    raise ModelFileError(
        f"The model needs an encoder (digest {digest[:12]}…) that is not part of this installation, or is "
        "damaged there: install the version of this program that the model was made with again, restore a backup if "
        "the encoder was fine-tuned here, or train again."
    )


def folder_of(digest: str) -> Path | None:
    """Returns the folder of the encoder with a digest; None where there is none or a file of it is missing."""
    if not _DIGEST.fullmatch(digest):
        return None
    own = [place / digest for place in _own_places if (place / digest / SHAPE_FILE).exists()]
    for folder in (*own, *encoder_folders()):
        with suppress(OSError):
            if digest_of(folder) == digest:
                return folder
    return None
