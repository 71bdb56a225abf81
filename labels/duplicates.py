"""Near-duplicates: wire copy, and boilerplate that the rules missed.

Near-duplicate paragraphs are removed so that nobody codes the same words twice; near-duplicate articles are recognised
so that a story can be counted once. Both use MinHash over runs of three words: Broder, A. (1997), "On the resemblance
and containment of documents". For paragraphs datasketch computes it. For articles this module does: storing an article
waits for its sketch, so it must be fast, and the sketch is stored, so it must not change with the version of a library.
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

# From this share of common word runs on, two paragraphs count as the same.
PARAGRAPH_SIMILARITY = 0.8
# From this share on, two articles are the same story; it is lower because outlets cut and amend wire copy.
ARTICLE_SIMILARITY = 0.7
_PERMUTATIONS = 32
_ARTICLE_PERMUTATIONS = 60
# Number of sketch values in a band: 15 bands of 4 find 98 of 100 pairs with a similarity of 0.7.
_BAND = 4
# Words in a run.
_RUN = 3
# Arrays for this many runs fit into the cache of a processor.
_RUNS_AT_ONCE = 2048

_Hashes = NDArray[np.uint32]


def _similarity(sketch: "MinHash", text: str) -> float:
    return float(sketch.jaccard(_sketch(normalise(text))))


def grouped(texts: Sequence[str]) -> list[list[int]]:
    """Returns the positions of the texts, those of near-duplicates together, in order: each text joins the first."""
    from datasketch import MinHashLSH  # noqa: PLC0415 - it imports SciPy, which classifying does not need

    index = MinHashLSH(threshold=PARAGRAPH_SIMILARITY, num_perm=_PERMUTATIONS)
    groups: dict[int, list[int]] = {}
    for position, text in enumerate(texts):
        sketch = _sketch(normalise(text))
        alike = (p for p in sorted(index.query(sketch)) if _similarity(sketch, texts[p]) >= PARAGRAPH_SIMILARITY)
        first = next(alike, None)
        if first is None:
            index.insert(position, sketch)
            groups[position] = [position]
        else:
            groups[first].append(position)
    return list(groups.values())


def representatives(texts: Sequence[str]) -> list[int]:
    """Returns the positions of the texts that are not near-duplicates of an earlier text, in order."""
    return [group[0] for group in grouped(texts)]


@dataclass(frozen=True, slots=True)
class ArticleSketch:
    """The MinHash sketch of an article, from which its copies are recognised: 60 values of 32 bits, little-endian.

    The text cannot be reconstructed from it.
    """

    content: bytes

    def bands(self) -> list[int]:
        """Returns 15 keys of 63 bits; two copies very probably have a key in common."""
        width = _BAND * 4
        return [
            int.from_bytes(blake2b(bytes([n]) + self.content[n * width : (n + 1) * width], digest_size=8).digest()) >> 1
            for n in range(_ARTICLE_PERMUTATIONS // _BAND)
        ]

    def is_copy_of(self, other: "ArticleSketch") -> bool:
        """Whether both articles have enough word runs in common to be the same story."""
        own, others = np.frombuffer(self.content, np.uint32), np.frombuffer(other.content, np.uint32)
        return float((own == others).mean()) >= ARTICLE_SIMILARITY


def sketch_article(text: str) -> ArticleSketch:
    """Computes the sketch of an article's text."""
    runs, minima = _hashed_runs(normalise(text)), np.full(_ARTICLE_PERMUTATIONS, _LARGEST)
    for start in range(0, len(runs), _RUNS_AT_ONCE):
        permuted = np.multiply.outer(_FACTORS, runs[start : start + _RUNS_AT_ONCE])
        permuted += _SUMMANDS[:, np.newaxis]
        minima = np.minimum(minima, permuted.min(axis=1))
    return ArticleSketch(minima.astype("<u4").tobytes())


def _hashed_runs(text: str) -> _Hashes:
    """Returns a 32-bit hash for each run of words; a text shorter than a run is padded to a single run."""
    words = np.fromiter(map(crc32, text.encode().split()), np.uint32)
    words = np.pad(words, (0, max(0, _RUN - len(words))))
    runs = sliding_window_view(words, _RUN) @ _WORD_FACTORS
    for shift, factor in ((16, _WORD_FACTORS[0]), (13, _WORD_FACTORS[1]), (16, np.uint32(1))):
        runs = (runs ^ (runs >> np.uint32(shift))) * factor
    return runs


def _constants(count: int, seed: bytes) -> _Hashes:
    """Returns numbers that look random and are the same on every machine, because sketches are stored."""
    return np.frombuffer(shake_128(seed).digest(4 * count), "<u4").astype(np.uint32)


_LARGEST = np.uint32(2**32 - 1)
_WORD_FACTORS = _constants(_RUN, b"words of a run") | np.uint32(1)
# Multiplying by an odd number and adding a number permutes the whole numbers of 32 bits.
_FACTORS = _constants(_ARTICLE_PERMUTATIONS, b"factors") | np.uint32(1)
_SUMMANDS = _constants(_ARTICLE_PERMUTATIONS, b"summands")


@lru_cache(maxsize=20_000)
def _sketch(text: str) -> "MinHash":
    words = text.split()
    runs = set(map(" ".join, zip(*(words[n:] for n in range(_RUN)), strict=False))) or {" ".join(words)}
    sketch = _empty_sketch().copy()
    sketch.update_batch(map(str.encode, runs))
    return sketch


@cache
def _empty_sketch() -> "MinHash":
    """Returns an empty sketch to copy: drawing the permutations takes longer than hashing a paragraph.

    So does SHA-1, the default hash of the library; CRC-32 replaces it.
    """
    from datasketch import MinHash  # noqa: PLC0415

    return MinHash(num_perm=_PERMUTATIONS, hashfunc=crc32)
