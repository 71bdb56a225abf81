"""Reading `.npz` files, of which nothing is believed: neither pickles nor more numbers than the file really holds.

Such a file is a zip of arrays, each with a header that says how many numbers follow. A small file can claim terabytes,
and a zip of zeros unpacks to a thousand times its size, so both are compared before any memory is taken.
"""

import io
import math
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from labels.archives import Limits, Member, safe_members
from labels.errors import UNREADABLE_ARCHIVE, ArchiveError
from training.errors import ModelFileError

Arrays = Mapping[str, NDArray[Any]]

_ENDING = ".npy"
# Numbers and truth values; no objects, which would be pickles, and no records.
_KINDS = "biuf"
_LONGEST_HEADER = 10_000
# Weights that were learned are packed twice, a list of words five times; a file of zeros, a thousand times.
LIMITS = Limits(members=2_000, size=2 * 2**30, ratio=50)


def read_arrays(file: bytes | Path, limits: Limits = LIMITS) -> Arrays:
    """Returns the arrays of an npz file by their names; raises `ModelFileError` before it takes memory for a lie."""
    try:
        with zipfile.ZipFile(io.BytesIO(file) if isinstance(file, bytes) else file) as archive:
            members = safe_members(archive, limits=limits)
            return {member.name.removesuffix(_ENDING): _array(member) for member in members}
    except ArchiveError as error:
        raise ModelFileError(f"The arrays of the model are not taken: {error}") from error
    except (*UNREADABLE_ARCHIVE, TypeError, OverflowError, MemoryError) as error:
        raise ModelFileError("The arrays of the model cannot be read.") from error


def _array(member: Member) -> NDArray[Any]:
    with member.open() as file:
        shape, in_columns, dtype = _header(file)
        if dtype.kind not in _KINDS or dtype.hasobject:
            raise ModelFileError(f"The array '{member.name}' of the model does not hold plain numbers.")
        size = math.prod(shape) * dtype.itemsize
        if min(shape, default=0) < 0 or size > member.size:
            raise ModelFileError(f"The array '{member.name}' of the model claims more numbers than its file holds.")
        array = np.empty(math.prod(shape), dtype)
        # Reads to the end, where the check sum of the file is compared.
        if _fill(file, array.view(np.uint8)) != size or file.read(1):
            raise ModelFileError(f"The array '{member.name}' of the model is not as long as it says.")
    return array.reshape(shape, order="F" if in_columns else "C")


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Returns shape, whether columns come first, and type of the array that follows."""
    version = npy.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(version)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    return read(file, max_header_size=_LONGEST_HEADER)


def _fill(file: IO[bytes], place: NDArray[np.uint8]) -> int:
    """Reads bytes into an array and returns how many there were."""
    done = 0
    while done < len(place):
        count: int = file.readinto(place[done:].data)  # type: ignore[attr-defined]
        if not count:
            break
        done += count
    return done
