"""The file of a compiled scorer: facts as JSON and arrays, together as npz. What is read is compared with what it says.

Nothing in such a file can run, and a scorer of the wrong shape is refused when it is read, not when it scores.
"""

import io
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.encoder.arrays import Arrays, read_arrays
from training.errors import ModelFileError

_FACTS = "facts"
_MOST_COLUMNS = 100_000


@dataclass(frozen=True, eq=False)
class ScorerFile:
    """The content of a file; the methods raise for what no scorer has (see `as_scorer`)."""

    facts: Mapping[str, Any]
    arrays: Arrays

    @property
    def kind(self) -> str:
        """The kind of scorer; empty for words, whose files name none."""
        return str(self.facts.get("kind", ""))

    def require_format(self, number: int) -> None:
        """Raises `ModelFileError` for a format of another version of this program."""
        if self.facts["format"] != number:
            raise ModelFileError("The compiled model is in a format that this version does not read.")

    def count(self, name: str, most: int = _MOST_COLUMNS) -> int:
        """Returns a whole number from 1 to `most`."""
        number = self.facts[name]
        if type(number) is not int or not 1 <= number <= most:
            raise ValueError(name)
        return number

    def terms(self, name: str) -> dict[str, int]:
        """Returns the places of terms, which are all different."""
        terms = self.facts[name]
        places = {term: place for place, term in enumerate(terms)}
        if len(places) != len(terms) or not all(isinstance(term, str) for term in terms):
            raise ValueError(name)
        return places

    def numbers(self, name: str, *shape: int | None) -> NDArray[np.float64]:
        """Returns finite numbers of a shape, of which None leaves a side open."""
        array = self.arrays[name]
        same = len(array.shape) == len(shape) and all(
            wanted in (None, side) for wanted, side in zip(shape, array.shape, strict=True)
        )
        if not same or array.dtype.kind != "f" or not np.isfinite(array).all():
            raise ValueError(name)
        return array.astype(np.float64, copy=False)


def write_scorer_file(facts: Mapping[str, Any], **arrays: NDArray[np.float64]) -> bytes:
    """Returns the content of a file."""
    out = io.BytesIO()
    encoded = np.frombuffer(json.dumps(facts).encode(), dtype=np.uint8)
    np.savez_compressed(out, facts=encoded, **arrays)  # type: ignore[arg-type]
    return out.getvalue()


def read_scorer_file(content: bytes) -> ScorerFile:
    """Reads the content of a file; raises `ModelFileError`."""
    with as_scorer():
        arrays = read_arrays(content)
        facts = json.loads(arrays[_FACTS].tobytes())
        if not isinstance(facts, dict):
            raise TypeError(_FACTS)
        return ScorerFile(facts, arrays)


@contextmanager
def as_scorer() -> Iterator[None]:
    """Turns whatever reading a file of another kind may raise, which is anything, into `ModelFileError`."""
    try:
        yield
    except ModelFileError:
        raise
    except Exception as error:
        raise ModelFileError("The compiled model cannot be read.") from error
