"""What a model learned from, as digests of the texts of paragraphs: most of these texts may not be kept.

Beside each version and each base stands a file with the first 16 digits of the SHA-256 of every paragraph, a line each.
White space counts as a single space, because files of other tools seldom keep it.
"""

import hashlib
import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from labels.annotations import DEFAULT_CORPUS
from training.encoder import shipped
from training.encoder.files import DIGESTS_FILE
from training.model_card import Kind, ModelCard

# Of each digest, so many digits are stored: enough to tell some ten thousand paragraphs from all others.
_DIGITS = 16

Digests = frozenset[str]


def digests_of(texts: Iterable[str]) -> Digests:
    """Returns the digests of the texts of paragraphs."""
    return frozenset(digest_of_text(" ".join(text.split())) for text in texts)


def has_learned(digests: Digests, text: str) -> bool:
    """Whether a text is among those that a model learned from."""
    return digest_of_text(" ".join(text.split())) in digests or digest_of_text(text) in digests


def to_file(digests: Iterable[str]) -> bytes:
    """Returns the content of a file of digests."""
    return "".join(f"{line}\n" for line in sorted(digests)).encode()


def from_file(content: bytes) -> Digests:
    """Reads the content of a file of digests."""
    return frozenset(line[:_DIGITS] for line in content.decode().split())


def learned_by_base(kind: Kind) -> Digests:
    """Returns what the base of a kind learned from; nothing where this installation has no such base.

    An encoder learned from a sample of the written corpus too; which paragraphs were in it is not recorded.
    """
    folder = shipped.BASE_FOLDER / kind
    written = digests_of_the_corpus() if kind != "words" and folder.exists() else frozenset()
    return learned_beside(folder) | written


def known_of(card: ModelCard) -> Digests:
    """Returns what is known of a version that was registered before versions recorded what they learned from."""
    if card.encoder is not None:
        folder = shipped.folder_of(card.encoder.digest)
        return learned_by_base(card.encoder.kind) | (learned_beside(folder) if folder else frozenset())
    return learned_by_base("words") if "base" in card.hyperparameters else frozenset()


@cache
def digests_of_the_corpus() -> Digests:
    """Returns the digests of the written corpus, which ships."""
    lines = (line for path in DEFAULT_CORPUS.glob("*.jsonl") for line in path.read_text(encoding="utf-8").splitlines())
    return digests_of(json.loads(line)["text"] for line in lines if line.strip())


def learned_beside(folder: Path) -> Digests:
    """Returns what the file in a folder of a base or an encoder has; nothing where there is none."""
    file = folder / DIGESTS_FILE
    return from_file(file.read_bytes()) if file.exists() else frozenset()


def digest_of_text(text: str) -> str:
    """Returns the first digits of the digest of a text, as it is."""
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]
