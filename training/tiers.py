"""Reliability tiers: how far the figures of a frame may be relied on, by the model's F1 and the coders' agreement.

Both are measured on a user's own articles: figures on other texts say little about these, so until enough of them are
annotated a frame is `not_validated`. The bounds are those of Krippendorff (2004, "Content analysis") for alpha: 0.800
for reliable data, 0.667 for tentative conclusions. F1 has to reach them too. A chart of a C frame is a hint where to
look, not a finding.
"""

from dataclasses import dataclass
from typing import Literal

from labels.agreement import RELIABLE, TENTATIVE
from training.dataset import MIN_POSITIVE
from training.estimates.prevalence import FEWEST_ARTICLES, FEWEST_CODED
from training.model_card import ModelCard

ReliabilityTier = Literal["A", "B", "C", "not_validated"]


@dataclass(frozen=True, slots=True)
class OwnFigures:
    """A frame on annotated paragraphs of a user's own articles, scored by a model that has not seen their articles.

    `carrying` of the paragraphs carry the frame; `f1` and the coders' `alpha` are None where they are undefined.
    """

    paragraphs: int = 0
    articles: int = 0
    carrying: int = 0
    f1: float | None = None
    alpha: float | None = None

    @property
    def validated(self) -> bool:
        """Whether there are enough paragraphs for a judgement on the frame."""
        enough = self.paragraphs >= FEWEST_CODED and self.articles >= FEWEST_ARTICLES
        return enough and self.carrying >= MIN_POSITIVE and self.f1 is not None


def reliability_tier(own: OwnFigures) -> ReliabilityTier:
    """Returns A where F1 and alpha are at least 0.8, B where both are at least 0.667, else C; unknown counts as 0.

    Without enough annotations of own articles it is `not_validated`.
    """
    if not own.validated:
        return "not_validated"
    weaker = min(own.f1 or 0.0, own.alpha or 0.0)
    return "A" if weaker >= RELIABLE else "B" if weaker >= TENTATIVE else "C"


def f1_of(card: ModelCard, frame: str) -> float | None:
    """Returns F1 of a frame on held-out articles, else on sources left out; None where both are undefined."""
    for evaluation in (card.held_out, card.left_out):
        for figures in evaluation.frames if evaluation else ():
            if figures.frame == frame and figures.f1.value is not None:
                return figures.f1.value
    return None
