"""From scores to an answer: decisions per paragraph, evidence, and the roll-up to the article.

Roll-up rule `any_paragraph`, version 1: an article's score is its highest paragraph score; it is present where any
paragraph is, else uncertain where any paragraph is, else absent; `share` is the share of its paragraphs that are
present. A long article has more chances to carry a frame, so compare articles by `share`, not by `score`.

An article about something else than the subject of the codebook carries no frame: what its paragraphs say about
leaders or foreign states does not concern violence. Scores stay as they are, and a caller's own threshold decides by
itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from labels.annotations import SPECIFIED_STANCES, Stance
from training.scoring.evidence import FrameExplanation
from training.scoring.frame_model import FrameModel, Scored
from training.scoring.operating_points import Cut, Decision, OperatingPoint, fixed_cut
from training.scoring.subject import About, about_article

ROLL_UP_RULE, ROLL_UP_VERSION = "any_paragraph", 1

# A score for each stance that the model knows, in its order; they add up to 1.
Stances = tuple[float, ...]


def likeliest(stances: Stances) -> Stance:
    """Returns the stance with the highest score."""
    return SPECIFIED_STANCES[stances.index(max(stances))]


def stance_shares(sums: Stances | None) -> dict[Stance, float] | None:
    """Turns sums of stance scores over paragraphs into shares; None where the sums are missing or 0."""
    total = sum(sums) if sums else 0.0
    if not sums or not total > 0:
        return None
    # The store adds to these sums and subtracts from them, so rounding may leave a sum slightly below 0.
    return {stance: max(0.0, value / total) for stance, value in zip(SPECIFIED_STANCES, sums, strict=True)}


class FrameDecision(NamedTuple):
    """The decision on a frame in a paragraph. It has `stances` unless the frame is absent or the model knows none."""

    score: float
    decision: Decision
    explanation: FrameExplanation | None
    stances: Stances | None = None


@dataclass(frozen=True, slots=True)
class ArticleFrame:
    """The decision on a frame in an article.

    `paragraphs` and `uncertain` count the paragraphs in which the frame is present or uncertain; `share` is the share
    in which it is present. `stances` adds up those of the present paragraphs; None without such paragraphs, or for a
    model without stances.
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
    """Decisions on the frames of each paragraph, in order, and of the article.

    `about` is None for a model that cannot tell what an article is about.
    """

    paragraphs: tuple[Mapping[str, FrameDecision], ...]
    article: Mapping[str, ArticleFrame]
    about: About | None = None


def cuts_at(model: FrameModel, operating_point: OperatingPoint, thresholds: Mapping[str, float]) -> dict[str, Cut]:
    """Returns the cut of each frame: the caller's own threshold if `thresholds` has it, else the operating point's."""
    cuts = model.card.cuts[operating_point]
    return {frame: fixed_cut(thresholds[frame]) if frame in thresholds else cuts[frame] for frame in model.frames}


def decide(scores: NDArray[np.float64], cut: Cut) -> list[Decision]:
    """Returns the decision on each of n scores (n,)."""
    decisions = np.where(scores < cut.absent_below, "absent", "uncertain")
    if cut.present_from is not None:
        decisions[scores >= cut.present_from] = "present"
    return decisions.tolist()  # type: ignore[no-any-return]


def classify(model: FrameModel, texts: Sequence[str], cuts: Mapping[str, Cut], *, explain: bool) -> Classification:
    """Scores the n paragraphs of an article, decides on their frames and rolls the decisions up to the article."""
    explanations: Sequence[Sequence[FrameExplanation | None]]
    frames = model.frames
    if explain:
        scored, explanations = model.score_and_explain(texts)
    else:
        scored, explanations = model.score_with_stances(texts), [(None,) * len(frames)] * len(texts)
    about = about_of(model, scored, texts)
    decisions = [decide_about(about, scored.frames[:, k], cuts[frame]) for k, frame in enumerate(frames)]
    stances = _stances(scored, decisions)
    paragraphs = tuple(
        dict(zip(frames, map(FrameDecision, *columns), strict=True))
        for columns in zip(scored.frames.tolist(), zip(*decisions, strict=True), explanations, stances, strict=True)
    )
    return Classification(paragraphs, _roll_up(frames, scored, decisions), about)


def about_of(model: FrameModel, scored: Scored, texts: Sequence[str]) -> About | None:
    """Returns what an article of n paragraphs is about; None for a model that cannot tell."""
    facts = model.card.subject
    return None if facts is None or scored.subject is None else about_article(facts, scored.subject, texts)


def decide_about(about: About | None, scores: NDArray[np.float64], cut: Cut) -> list[Decision]:
    """Returns the decision on each of n scores (n,) of an article about something."""
    return ["absent"] * len(scores) if about is not None and about.other and not cut.own else decide(scores, cut)


def _stances(scored: Scored, decisions: Sequence[Sequence[Decision]]) -> list[list[Stances | None]]:
    """Returns the stances of each paragraph and frame that is not absent; `decisions` has a sequence per frame."""
    if not scored.stances.shape[2]:
        return [[None] * len(decisions)] * len(scored.frames)
    return [
        [None if decision == "absent" else tuple(stances) for stances, decision in zip(row, decided, strict=True)]
        for row, decided in zip(scored.stances.tolist(), zip(*decisions, strict=True), strict=True)
    ]


def _roll_up(
    frames: Sequence[str], scored: Scored, decisions_by_frame: Sequence[Sequence[Decision]]
) -> dict[str, ArticleFrame]:
    scores = scored.frames
    highest, mean = scores.max(axis=0), scores.mean(axis=0)
    rolled = {}
    for k, frame in enumerate(frames):
        decisions = decisions_by_frame[k]
        present, uncertain = decisions.count("present"), decisions.count("uncertain")
        rolled[frame] = ArticleFrame(
            score=float(highest[k]),
            decision=_article_decision(present, uncertain),
            share=present / len(decisions),
            paragraphs=present,
            uncertain=uncertain,
            mean_score=float(mean[k]),
            stances=_sum_of_stances(scored.stances[:, k], decisions) if present else None,
        )
    return rolled


def _article_decision(present: int, uncertain: int) -> Decision:
    """Decides on an article by its numbers of present and of uncertain paragraphs."""
    return "present" if present else "uncertain" if uncertain else "absent"


def merge_roll_ups(parts: Sequence[tuple[int, Mapping[str, ArticleFrame]]]) -> dict[str, ArticleFrame]:
    """Merges the roll-ups of the parts of an article; each part comes with its number of paragraphs."""
    total = sum(size for size, _ in parts)
    return {frame: _merge_frame([(size, part[frame]) for size, part in parts], total) for frame in parts[0][1]}


def _merge_frame(parts: Sequence[tuple[int, ArticleFrame]], total: int) -> ArticleFrame:
    present, uncertain = sum(frame.paragraphs for _, frame in parts), sum(frame.uncertain for _, frame in parts)
    stances = [frame.stances for _, frame in parts if frame.stances is not None]
    return ArticleFrame(
        score=max(frame.score for _, frame in parts),
        decision=_article_decision(present, uncertain),
        share=present / total,
        paragraphs=present,
        uncertain=uncertain,
        mean_score=sum(size * frame.mean_score for size, frame in parts) / total,
        stances=tuple(map(sum, zip(*stances, strict=True))) if stances else None,
    )


def _sum_of_stances(stances: NDArray[np.float64], decisions: Sequence[Decision]) -> Stances | None:
    """Adds up the stances (n, s) of the paragraphs in which a frame is present."""
    if not stances.shape[1]:
        return None
    present = [row for row, decision in enumerate(decisions) if decision == "present"]
    return tuple(stances[present].sum(axis=0).tolist())
