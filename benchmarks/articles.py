"""Articles to measure with: fifteen paragraphs of the shipped corpus each, and no paragraph twice.

Each paragraph gets a number of its own, so that nothing is answered from a memory of paragraphs.
"""

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from labels.annotations import DEFAULT_CORPUS, read_corpus, write_corpus
from labels.codebook import read_codebook

PARAGRAPHS, WORDS = 15, 90

Body = Callable[[list[str]], dict[str, Any]]
"""What is sent of the paragraphs of an article."""

_A_PART = 100


def paragraphs(count: int, seed: int = 20261121) -> Iterator[str]:
    """So many distinct paragraphs of about ninety words, like the corpus in their words."""
    texts = [paragraph.text for paragraph in read_corpus(DEFAULT_CORPUS, read_codebook())]
    words = [text.split() for text in texts]
    chance = random.Random(seed)  # noqa: S311 - a benchmark keeps no secret
    for number in range(count):
        made: list[str] = []
        while len(made) < WORDS:
            made += chance.choice(words)
        yield f"{' '.join(made[:WORDS])} in case {number}."


def articles(count: int, seed: int = 20261121) -> Iterator[list[str]]:
    """So many articles, as their paragraphs."""
    texts = paragraphs(count * PARAGRAPHS, seed)
    return (list(cut) for cut in zip(*[texts] * PARAGRAPHS, strict=True))


def write_part_of_the_corpus(folder: Path) -> Path:
    """Writes a hundred articles of the shipped corpus, from all over it: enough to train, and quickly."""
    corpus = read_corpus(DEFAULT_CORPUS, read_codebook())
    ids = sorted({paragraph.article for paragraph in corpus})
    kept = {ids[number * len(ids) // _A_PART] for number in range(_A_PART)}
    path = folder / "part.jsonl"
    write_corpus([paragraph for paragraph in corpus if paragraph.article in kept], path)
    return path


def write_bodies(path: Path, count: int, body: Body, seed: int = 20261121) -> Path:
    """Writes request bodies, one a line."""
    with path.open("w", encoding="utf-8") as file:
        for cut in articles(count, seed):
            file.write(json.dumps(body(cut)) + "\n")
    return path


def as_text(**more: Any) -> Body:
    """The article as one text."""
    return lambda cut: {"text": "\n\n".join(cut), **more}


def as_paragraphs(**more: Any) -> Body:
    """The paragraphs as they were cut before."""
    return lambda cut: {"paragraphs": cut, **more}
