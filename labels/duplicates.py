"""Near-duplicates: wire copy, and boiler plate that slipped through.

Of paragraphs, so that nobody codes the same words twice; of articles, so that a story can be counted once.
MinHash over runs of three words (Broder 1997), by datasketch. The sketch of an article is made here: every article that
is stored waits for it, and it is kept, so that it must not change with a library.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from hashlib import blake2b, shake_128
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from labels.normalise import normalise

if TYPE_CHECKING:
    from datasketch import MinHash

ALIKE = 0.8
"""Share of their word runs that two paragraphs have in common to count as the same."""
COPIED = 0.7
"""Share of their word runs that two articles have in common to tell the same story: outlets cut and amend wire copy."""
_PERMUTATIONS = 32
_ARTICLE_PERMUTATIONS = 60
_BAND = 4
"""Values of a sketch that make a band: 15 bands of 4 find 98 of 100 pairs that are alike by 0.7."""
_RUN = 3
_RUNS_AT_ONCE = 2048
"""What is computed with so many stays in the cache of a processor."""

_Hashes = NDArray[np.uint32]


def representatives(texts: Sequence[str]) -> list[int]:
    """Positions of the texts that are no near-duplicate of an earlier one."""
    from datasketch import MinHashLSH  # noqa: PLC0415 - it brings SciPy, which one who only classifies need not load

    index = MinHashLSH(threshold=ALIKE, num_perm=_PERMUTATIONS)
    kept = []
    for place, text in enumerate(texts):
        sketch = _sketch(normalise(text))
        if not any(sketch.jaccard(_sketch(normalise(texts[other]))) >= ALIKE for other in index.query(sketch)):
            index.insert(place, sketch)
            kept.append(place)
    return kept


@dataclass(frozen=True, slots=True)
class ArticleSketch:
    """What is kept of an article to know its copies by: 60 values of 32 bits. Nothing of the text can be read in it."""

    content: bytes

    def bands(self) -> list[int]:
        """Keys that two copies very probably share at least one of; whole numbers of 63 bits."""
        width = _BAND * 4
        return [
            int.from_bytes(blake2b(bytes([n]) + self.content[n * width : (n + 1) * width], digest_size=8).digest()) >> 1
            for n in range(_ARTICLE_PERMUTATIONS // _BAND)
        ]

    def is_copy_of(self, other: "ArticleSketch") -> bool:
        own, its = np.frombuffer(self.content, np.uint32), np.frombuffer(other.content, np.uint32)
        return float((own == its).mean()) >= COPIED


def sketch_article(text: str) -> ArticleSketch:
    """The sketch of an article's text."""
    runs, least = _hashed_runs(normalise(text)), np.full(_ARTICLE_PERMUTATIONS, _LARGEST)
    for start in range(0, len(runs), _RUNS_AT_ONCE):
        ordered = np.multiply.outer(_FACTORS, runs[start : start + _RUNS_AT_ONCE])
        ordered += _SUMMANDS[:, np.newaxis]
        least = np.minimum(least, ordered.min(axis=1))
    return ArticleSketch(least.astype("<u4").tobytes())


def _hashed_runs(text: str) -> _Hashes:
    """A number for each run of words; one for a text that has no run."""
    words = np.fromiter(map(crc32, text.encode().split()), np.uint32)
    words = np.pad(words, (0, max(0, _RUN - len(words))))
    runs = sliding_window_view(words, _RUN) @ _ODD
    for shift, odd in ((16, _ODD[0]), (13, _ODD[1]), (16, np.uint32(1))):
        runs = (runs ^ (runs >> np.uint32(shift))) * odd
    return runs


def _drawn(count: int, what: bytes) -> _Hashes:
    """Numbers that look random and are the same everywhere and for ever."""
    return np.frombuffer(shake_128(what).digest(4 * count), "<u4").astype(np.uint32)


_LARGEST = np.uint32(2**32 - 1)
_ODD = _drawn(_RUN, b"words of a run") | np.uint32(1)
# Multiplied by an odd number and moved, 32 bits are put into another order.
_FACTORS = _drawn(_ARTICLE_PERMUTATIONS, b"factors") | np.uint32(1)
_SUMMANDS = _drawn(_ARTICLE_PERMUTATIONS, b"summands")


@lru_cache(maxsize=20_000)
def _sketch(text: str) -> "MinHash":
    words = text.split()
    runs = set(map(" ".join, zip(*(words[n:] for n in range(_RUN)), strict=False))) or {" ".join(words)}
    sketch = _empty().copy()
    sketch.update_batch(map(str.encode, runs))
    return sketch


@cache
def _empty() -> "MinHash":
    """Drawing the permutations takes longer than hashing a paragraph; so would SHA-1, the library's own choice."""
    from datasketch import MinHash  # noqa: PLC0415

    return MinHash(num_perm=_PERMUTATIONS, hashfunc=crc32)
