"""A tiny base model that tells articles on the subject of the codebook from others, and texts of both kinds."""

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from labels.codebook import Codebook
from tests.support.tiny_encoder import write_tiny_base
from training.cross_validation import no_progress
from training.encoder.encoder import Encoder
from training.encoder.heads import Heads, side_by_side
from training.finetuning.paragraphs import LearnedParagraph, Origin
from training.making.assembly import vectors_of
from training.making.subject import SubjectMaterial, fit_subject
from training.registry.base import BaseModel, read_base, write_base

ARTICLES, PER_ARTICLE = 120, 2
_WORDS: dict[Origin, tuple[str, ...]] = {
    "random": ("army", "blame", "leader", "foreign", "envoys", "grievance", "the"),
    "other": ("rain", "sun", "storm", "town", "people"),
}


def text_of(origin: Origin, seed: int, words: int = 24) -> str:
    """Returns a text of random words: `random` is on the subject of the codebook, `other` is not."""
    chance = random.Random(f"{origin} {seed}")
    return f"{' '.join(chance.choices(_WORDS[origin], k=words))}."


def paragraphs_of(origin: Origin, first: int, articles: int = ARTICLES) -> list[LearnedParagraph]:
    """Returns the paragraphs of articles numbered from `first`."""
    return [
        LearnedParagraph(f"{origin}{number}", text_of(origin, PER_ARTICLE * number + place), {}, origin)
        for number in range(first, first + articles)
        for place in range(PER_ARTICLE)
    ]


def material() -> SubjectMaterial:
    """Returns paragraphs to learn from, and to judge on."""
    learned = [*paragraphs_of("random", 0), *paragraphs_of("other", 0)]
    return SubjectMaterial(learned, paragraphs_of("random", 1000), paragraphs_of("other", 1000))


def write_base_with_subject(folder: Path, codebook: Codebook) -> Path:
    """Writes the tiny base into `folder`, with the head of the subject, and returns `folder`."""
    place = write_tiny_base(folder, codebook) / "encoder"
    base, encoder, given = read_base(place), Encoder.read(place), material()
    head, facts = fit_subject(codebook.subject, encoder, given, judged_vectors(encoder, given.judged), no_progress)
    heads = side_by_side([Heads(base.coefficients, base.intercepts), head])
    write_base(place, BaseModel(replace(base.card, subject=facts), heads.coefficients, heads.intercepts))
    return folder


def judged_vectors(
    encoder: Encoder, judged: Sequence[LearnedParagraph]
) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Returns the vectors of judged paragraphs."""
    return vectors_of(encoder, [paragraph.text for paragraph in judged])
