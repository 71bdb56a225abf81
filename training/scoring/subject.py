"""Whether an article is about the subject of the codebook or about something else, such as sport or taxes.

A linear head gives each paragraph log-odds that it comes from news on the subject. Those of an article are their mean,
weighted by the length of the paragraphs, so an article stays on its subject where a few paragraphs digress.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labels.codebook import OTHER
from training.model_card import SubjectFacts
from training.scoring.compiled import sigmoid


@dataclass(frozen=True, slots=True)
class About:
    """What an article is about: `name` is the subject of the codebook or "other"; `score` is that of the subject."""

    name: str
    score: float

    @property
    def other(self) -> bool:
        """Whether the article is about something else than the subject of the codebook."""
        return self.name == OTHER


def about_article(facts: SubjectFacts, logits: NDArray[np.float64], texts: Sequence[str]) -> About:
    """Decides what an article is about, by the log-odds (n,) of its n paragraphs."""
    score = float(sigmoid(article_logit(logits, texts)))
    return About(OTHER if score < facts.other_below(len(texts)) else facts.name, score)


def places_by_article(articles: Iterable[str]) -> dict[str, list[int]]:
    """Returns the places of the paragraphs of each article, given the article of each of n paragraphs."""
    places: dict[str, list[int]] = {}
    for place, article in enumerate(articles):
        places.setdefault(article, []).append(place)
    return places


def article_logit(logits: NDArray[np.float64], texts: Sequence[str]) -> NDArray[np.float64]:
    """Returns the log-odds of an article, (), given those of its n paragraphs, (n,)."""
    lengths = np.array([max(1, len(text)) for text in texts])
    return np.asarray((logits * lengths).sum() / lengths.sum())
