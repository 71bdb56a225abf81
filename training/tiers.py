"""Reliability tiers: how far the figures of a frame may be relied on, by the model's F1 and the coders' agreement.

The bounds are those of Krippendorff (2004, "Content analysis") for alpha: 0.800 for reliable data, 0.667 for tentative
conclusions. F1 has to reach them too. A chart of a C frame is a hint where to look, not a finding.
"""

from typing import Literal

from labels.agreement import RELIABLE, TENTATIVE
from training.model_card import ModelCard

ReliabilityTier = Literal["A", "B", "C"]


def reliability_tier(card: ModelCard, frame: str) -> ReliabilityTier:
    """Returns A where F1 and alpha are at least 0.8, B where both are at least 0.667, else C; unknown counts as 0."""
    weaker = min(f1_of(card, frame) or 0.0, card.agreement.get(frame) or 0.0)
    return "A" if weaker >= RELIABLE else "B" if weaker >= TENTATIVE else "C"


def f1_of(card: ModelCard, frame: str) -> float | None:
    """Returns F1 of a frame on held-out articles, else on sources left out; None where both are undefined."""
    for evaluation in (card.held_out, card.left_out):
        for figures in evaluation.frames if evaluation else ():
            if figures.frame == frame and figures.f1.value is not None:
                return figures.f1.value
    return None
