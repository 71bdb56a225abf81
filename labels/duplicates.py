"""Near-duplicate paragraphs (wire copy, boiler plate that slipped through), so that nobody codes the same words twice.

MinHash over runs of three words (Broder 1997), by datasketch.
"""

from collections.abc import Sequence
from functools import lru_cache

from datasketch import MinHash, MinHashLSH

from labels.normalise import normalise

ALIKE = 0.8
"""Share of their word runs that two paragraphs have in common to count as the same."""
_PERMUTATIONS = 32
_RUN = 3


def representatives(texts: Sequence[str]) -> list[int]:
    """Positions of the texts that are no near-duplicate of an earlier one."""
    index = MinHashLSH(threshold=ALIKE, num_perm=_PERMUTATIONS)
    kept = []
    for place, text in enumerate(texts):
        sketch = _sketch(normalise(text))
        if not any(sketch.jaccard(_sketch(normalise(texts[other]))) >= ALIKE for other in index.query(sketch)):
            index.insert(place, sketch)
            kept.append(place)
    return kept


@lru_cache(maxsize=20_000)
def _sketch(text: str) -> MinHash:
    words = text.split()
    runs = {" ".join(words[n : n + _RUN]) for n in range(max(1, len(words) - _RUN + 1))}
    sketch = MinHash(num_perm=_PERMUTATIONS)
    sketch.update_batch([run.encode() for run in runs])
    return sketch
