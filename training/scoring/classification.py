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

from labels.annotations import SPECIFIED_STANCES, Stance
from training.scoring.compiled import FrameExplanation
from training.scoring.frame_model import FrameModel, Scored
from training.scoring.operating_points import Cut, Decision, OperatingPoint, decide, fixed_cut

ROLL_UP_RULE, ROLL_UP_VERSION = "any_paragraph", 1

Stances = tuple[float, ...]
"""A score for each stance that the model knows, in its order; they add up to 1."""


def likeliest(stances: Stances) -> Stance:
    """The stance with the highest score."""
    return SPECIFIED_STANCES[stances.index(max(stances))]


def stance_shares(added: Stances | None) -> dict[Stance, float] | None:
    """Stances of paragraphs added up, as shares of them; None where there are none."""
    total = sum(added) if added else 0.0
    if not added or not total > 0:
        return None
    # Sums that were added to and taken from may be a rounding below 0.
    return {stance: max(0.0, value / total) for stance, value in zip(SPECIFIED_STANCES, added, strict=True)}


class FrameDecision(NamedTuple):
    """One frame of one paragraph; `stances` where it is not absent and the model tells them apart."""

    score: float
    decision: Decision
    explanation: FrameExplanation | None
    stances: Stances | None = None


@dataclass(frozen=True, slots=True)
class ArticleFrame:
    """One frame of a whole article: `paragraphs` are present, `share` of all; `score` is the highest of them.

    `stances` are those of the present paragraphs added up; None where there is none, or the model knows no stances.
    """

    score: float
    decision: Decision
    share: float
    paragraphs: int
    uncertain: int
    mean_score: float
    stances: Stances | None = None


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
        scored, explanations = model.score_and_explain(texts)
    else:
        scored, explanations = model.score_with_stances(texts), [(None,) * len(frames)] * len(texts)
    decisions = [decide(scored.frames[:, k], cuts[frame]) for k, frame in enumerate(frames)]
    voices = _voices(scored, decisions)
    paragraphs = tuple(
        dict(zip(frames, map(FrameDecision, *columns), strict=True))
        for columns in zip(scored.frames.tolist(), zip(*decisions, strict=True), explanations, voices, strict=True)
    )
    return Classification(paragraphs, _roll_up(frames, scored, decisions))


def _voices(scored: Scored, of_frames: Sequence[Sequence[Decision]]) -> list[list[Stances | None]]:
    """The stances of each paragraph and frame that is not absent."""
    if not scored.stances.shape[2]:
        return [[None] * len(of_frames)] * len(scored.frames)
    return [
        [None if decision == "absent" else tuple(stances) for stances, decision in zip(row, decided, strict=True)]
        for row, decided in zip(scored.stances.tolist(), zip(*of_frames, strict=True), strict=True)
    ]


def _roll_up(frames: Sequence[str], scored: Scored, of_frames: Sequence[Sequence[Decision]]) -> dict[str, ArticleFrame]:
    scores = scored.frames
    highest, mean = scores.max(axis=0), scores.mean(axis=0)
    rolled = {}
    for k, frame in enumerate(frames):
        decisions = of_frames[k]
        present, uncertain = decisions.count("present"), decisions.count("uncertain")
        rolled[frame] = ArticleFrame(
            score=float(highest[k]),
            decision=_of_the_whole(present, uncertain),
            share=present / len(decisions),
            paragraphs=present,
            uncertain=uncertain,
            mean_score=float(mean[k]),
            stances=_added(scored.stances[:, k], decisions) if present else None,
        )
    return rolled


def _of_the_whole(present: int, uncertain: int) -> Decision:
    """The decision on an article, given how many of its paragraphs are present and how many uncertain."""
    return "present" if present else "uncertain" if uncertain else "absent"


def rolled_together(parts: Sequence[tuple[int, Mapping[str, ArticleFrame]]]) -> dict[str, ArticleFrame]:
    """The roll-up of an article, given the number of paragraphs and the roll-up of each of its parts."""
    total = sum(size for size, _ in parts)
    return {frame: _together([(size, part[frame]) for size, part in parts], total) for frame in parts[0][1]}


def _together(parts: Sequence[tuple[int, ArticleFrame]], total: int) -> ArticleFrame:
    present, uncertain = sum(found.paragraphs for _, found in parts), sum(found.uncertain for _, found in parts)
    voices = [found.stances for _, found in parts if found.stances is not None]
    return ArticleFrame(
        score=max(found.score for _, found in parts),
        decision=_of_the_whole(present, uncertain),
        share=present / total,
        paragraphs=present,
        uncertain=uncertain,
        mean_score=sum(size * found.mean_score for size, found in parts) / total,
        stances=tuple(map(sum, zip(*voices, strict=True))) if voices else None,
    )


def _added(stances: NDArray[np.float64], decisions: Sequence[Decision]) -> Stances | None:
    """The stances (n, s) of the present paragraphs of a frame, added up."""
    if not stances.shape[1]:
        return None
    present = [row for row, decision in enumerate(decisions) if decision == "present"]
    return tuple(stances[present].sum(axis=0).tolist())
