"""Articles to measure with: fifteen paragraphs of the shipped corpus each, and no paragraph twice.

Each paragraph gets a number of its own, so that nothing is answered from a memory of paragraphs.
"""

import json
import random
from pathlib import Path
from typing import Any

from labels.annotations import DEFAULT_CORPUS, read_corpus
from labels.codebook import read_codebook

PARAGRAPHS, WORDS = 15, 90


def paragraphs(count: int, seed: int = 20261121) -> list[str]:
    """So many distinct paragraphs of about ninety words, like the corpus in their words."""
    texts = [paragraph.text for paragraph in read_corpus(DEFAULT_CORPUS, read_codebook())]
    chance = random.Random(seed)  # noqa: S311 - a benchmark keeps no secret
    made = []
    for number in range(count):
        words: list[str] = []
        while len(words) < WORDS:
            words += chance.choice(texts).split()
        made.append(f"{' '.join(words[:WORDS])} in case {number}.")
    return made


def write_bodies(path: Path, count: int, *, as_text: bool, seed: int, **more: Any) -> Path:
    """Writes request bodies, one a line: articles as one text, or as paragraphs that were cut before."""
    texts = paragraphs(count * PARAGRAPHS, seed)
    with path.open("w", encoding="utf-8") as file:
        for start in range(0, len(texts), PARAGRAPHS):
            cut = texts[start : start + PARAGRAPHS]
            body = {"text": "\n\n".join(cut)} if as_text else {"paragraphs": cut}
            file.write(json.dumps({**body, **more}) + "\n")
    return path
