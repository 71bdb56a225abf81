"""Articles to send: a short text with known frames, and any number of distinct long articles.

The long ones are mixed from the words of the shipped corpus. Each of their paragraphs ends with its own number, so that
no score comes from the cache of paragraphs.
"""

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from labels.annotations import DEFAULT_CORPUS, read_corpus
from labels.codebook import read_codebook

TWO_PARAGRAPHS = (
    "The government ignored repeated warnings and failed to protect the province, and no minister has resigned.\n\n"
    "Officials accused the neighbouring state of arming and training the gunmen through its intelligence service."
)
THREE_PARAGRAPHS = (
    f"{TWO_PARAGRAPHS}\n\n"
    "The market reopened on Monday and the road to the coast was cleared of snow by noon, the mayor said."
)
PARAGRAPHS, WORDS = 15, 90

# Makes a request body from the paragraphs of an article.
MakeBody = Callable[[list[str]], dict[str, Any]]


def paragraphs(count: int, seed: int = 20261121) -> Iterator[str]:
    """Yields `count` distinct paragraphs of about ninety words."""
    texts = [paragraph.text for paragraph in read_corpus(DEFAULT_CORPUS, read_codebook())]
    words = [text.split() for text in texts]
    chance = random.Random(seed)
    for number in range(count):
        mixed: list[str] = []
        while len(mixed) < WORDS:
            mixed += chance.choice(words)
        yield f"{' '.join(mixed[:WORDS])} in case {number}."


def articles(count: int, seed: int = 20261121) -> Iterator[list[str]]:
    """Yields `count` articles of fifteen paragraphs; no paragraph occurs twice."""
    texts = paragraphs(count * PARAGRAPHS, seed)
    return (list(article) for article in zip(*[texts] * PARAGRAPHS, strict=True))


def write_bodies(path: Path, count: int, make_body: MakeBody, seed: int = 20261121) -> Path:
    """Writes the request bodies of `count` articles as JSON Lines."""
    with path.open("w", encoding="utf-8") as file:
        for article in articles(count, seed):
            file.write(json.dumps(make_body(article)) + "\n")
    return path


def as_text(**fields: Any) -> MakeBody:
    """Sends the article as a single text, which the service has to split."""
    return lambda article: {"text": "\n\n".join(article), **fields}


def as_paragraphs(**fields: Any) -> MakeBody:
    """Sends the article as a list of paragraphs."""
    return lambda article: {"paragraphs": article, **fields}
