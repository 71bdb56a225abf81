"""From scores to an answer: decisions a paragraph, evidence, and the roll-up to the article.

Roll-up rule `any_paragraph`, version 1: an article's score is its highest paragraph score; it is present where any
paragraph is, else uncertain where any paragraph is, else absent; `share` is the share of its paragraphs that are
present. A long article has more chances to carry a frame, so compare articles by `share`, not by `score`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from training.frame_model import FrameModel
from training.operating_points import Cut, Decision, OperatingPoint, decide, fixed_cut
from training.scorer import FrameExplanation

ROLL_UP_RULE, ROLL_UP_VERSION = "any_paragraph", 1


class FrameDecision(NamedTuple):
    """One frame of one paragraph."""

    score: float
    decision: Decision
    explanation: FrameExplanation | None


@dataclass(frozen=True, slots=True)
class ArticleFrame:
    """One frame of a whole article: `paragraphs` are present, `share` of all; `score` is the highest of them."""

    score: float
    decision: Decision
    share: float
    paragraphs: int
    uncertain: int
    mean_score: float


@dataclass(frozen=True, slots=True)
class Classification:
    """Frames of each paragraph, in order, and of the article."""

    paragraphs: tuple[Mapping[str, FrameDecision], ...]
    article: Mapping[str, ArticleFrame]


def cuts_at(model: FrameModel, operating_point: OperatingPoint, thresholds: Mapping[str, float]) -> dict[str, Cut]:
    """The cut of each frame: the caller's own threshold where one is given, else the operating point's."""
    cuts = model.card.cuts[operating_point]
    return {
        frame: fixed_cut(thresholds[frame]) if frame in thresholds else cuts[frame] for frame in model.card.frame_keys
    }


def classify(model: FrameModel, texts: Sequence[str], cuts: Mapping[str, Cut], *, explain: bool) -> Classification:
    """Scores and decides each paragraph and rolls them up."""
    explanations: Sequence[Sequence[FrameExplanation | None]]
    frames = model.card.frame_keys
    if explain:
        scores, explanations = model.score_and_explain(texts)
    else:
        scores, explanations = model.score(texts), [(None,) * len(frames)] * len(texts)
    decisions = [decide(scores[:, k], cuts[frame]) for k, frame in enumerate(frames)]
    paragraphs = tuple(
        dict(zip(frames, map(FrameDecision, row, decided, explained), strict=True))
        for row, decided, explained in zip(scores.tolist(), zip(*decisions, strict=True), explanations, strict=True)
    )
    return Classification(paragraphs, _roll_up(frames, scores, decisions))


def _roll_up(
    frames: Sequence[str], scores: NDArray[np.float64], of_frames: Sequence[Sequence[Decision]]
) -> dict[str, ArticleFrame]:
    highest, mean = scores.max(axis=0), scores.mean(axis=0)
    rolled = {}
    for k, frame in enumerate(frames):
        decisions = of_frames[k]
        present = decisions.count("present")
        decision: Decision = "present" if present else "uncertain" if "uncertain" in decisions else "absent"
        rolled[frame] = ArticleFrame(
            score=float(highest[k]),
            decision=decision,
            share=present / len(decisions),
            paragraphs=present,
            uncertain=decisions.count("uncertain"),
            mean_score=float(mean[k]),
        )
    return rolled
