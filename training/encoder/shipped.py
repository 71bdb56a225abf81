"""The encoders that are shipped with this package, by the digest that a model's card names them by."""

from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from training.encoder.files import SHAPE_FILE, digest_of
from training.errors import ModelFileError

if TYPE_CHECKING:
    from training.encoder.encoder import Encoder

BASE_FOLDER = Path(__file__).parents[1] / "base"


def encoder_folders() -> list[Path]:
    """Returns the folders of the shipped encoders."""
    return sorted(path.parent for path in BASE_FOLDER.glob(f"*/{SHAPE_FILE}"))


@lru_cache(maxsize=4)
def encoder_of(digest: str) -> "Encoder":
    """Returns the shipped encoder with a digest, read once per process; raises `ModelFileError` where there is none."""
    from training.encoder.encoder import Encoder  # noqa: PLC0415 - a server of words never needs it

    folder = folder_of(digest)
    if folder is not None:
        return Encoder.read(folder)
    raise ModelFileError(
        f"The model needs an encoder (digest {digest[:12]}…) that is not part of this installation, or is "
        "damaged there: install the version of this program that the model was made with again, or train again."
    )


def folder_of(digest: str) -> Path | None:
    """Returns the folder of the shipped encoder with a digest; None where there is none or a file of it is missing."""
    for folder in encoder_folders():
        with suppress(OSError):
            if digest_of(folder) == digest:
                return folder
    return None
