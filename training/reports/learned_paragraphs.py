"""Whether an encoder learned from a paragraph: its texts are not shipped, but the first digits of their digests are."""

import hashlib
from collections.abc import Iterable

from training.encoder.files import DIGESTS_FILE
from training.encoder.shipped import folder_of

# Of each digest, so many digits are stored: enough to tell twelve thousand paragraphs from all others.
_DIGITS = 16


def digest_lines(texts: Iterable[str]) -> list[str]:
    """Returns the lines of the file for the texts of paragraphs."""
    return sorted({hashlib.sha256(text.encode()).hexdigest()[:_DIGITS] for text in texts})


def count_learned(encoder: str, texts: Iterable[str]) -> int:
    """Returns the number of texts that the encoder with a digest was fine-tuned on; 0 where there is none.

    The file beside the encoder has the first 16 digits of the SHA-256 of each paragraph, a line each.
    """
    if not encoder:
        return 0
    folder = folder_of(encoder)
    if folder is None or not (folder / DIGESTS_FILE).exists():
        return 0
    learned = set((folder / DIGESTS_FILE).read_text(encoding="utf-8").split())
    digits = max(map(len, learned), default=0)
    return sum(hashlib.sha256(text.encode()).hexdigest()[:digits] in learned for text in texts)
