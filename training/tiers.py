"""Reliability tiers: how far the numbers of a frame may be relied on, from the model's F1 and the coders' agreement.

The bounds of agreement are Krippendorff's (2004): 0.800 for reliable data, 0.667 for tentative conclusions; the same
are asked of F1. A chart of a C frame shows where to look, not what is.
"""

from typing import Literal

from training.registry.card import ModelCard

Tier = Literal["A", "B", "C"]

RELIABLE, TENTATIVE = 0.8, 0.667


def reliability_tier(card: ModelCard, frame: str) -> Tier:
    """A: F1 and alpha at least 0.8; B: both at least 0.667; else C. An unknown figure counts as none."""
    weaker = min(f1_of(card, frame) or 0.0, card.agreement.get(frame) or 0.0)
    return "A" if weaker >= RELIABLE else "B" if weaker >= TENTATIVE else "C"


def f1_of(card: ModelCard, frame: str) -> float | None:
    """F1 on held-out articles, else on sources left out; None where neither is known."""
    for evaluation in (card.held_out, card.left_out):
        for figures in evaluation.frames if evaluation else ():
            if figures.frame == frame and figures.f1.value is not None:
                return figures.f1.value
    return None
