"""From scores to an answer: decisions per paragraph, evidence, and the roll-up to the article.

Roll-up rule `article_score`, version 2: an article has a score of its own (`training.scoring.article_score`) and is
present, uncertain or absent by cuts of its own, so a single paragraph does not decide by accident; `share` is the share
of its paragraphs that are present. A model whose card has no facts about articles, because an earlier version of this
program registered it, follows `any_paragraph`, version 1: the score is the highest of the paragraphs' scores, and the
article is present where any paragraph is, else uncertain where any is, else absent.

An article about something else than the subject of the codebook carries no frame: what its paragraphs say about
leaders or foreign states does not concern violence. Scores stay as they are, and a caller's own threshold decides by
itself, on the scores of paragraphs and of the article alike.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from labels.annotations import SPECIFIED_STANCES, Stance
from training.scoring.article_score import article_scores
from training.scoring.evidence import FrameExplanation
from training.scoring.frame_model import FrameModel, Scored
from training.scoring.operating_points import Cut, Decision, OperatingPoint, fixed_cut
from training.scoring.subject import About, about_article

ROLL_UP_RULE, ROLL_UP_VERSION = "article_score", 2

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
    """The score of a frame in an article and the decision on it.

    `paragraphs` and `uncertain` count the paragraphs in which the frame is present or uncertain; `share` is the share
    in which it is present. `stances` adds up those of the present paragraphs; None without such paragraphs, or for a
    model without stances. `cross` is known of stored articles that a model with fold models has scored.
    """

    score: float
    decision: Decision
    share: float
    paragraphs: int
    uncertain: int
    mean_score: float
    stances: Stances | None = None
    cross: "CrossScores | None" = None


class CrossScores(NamedTuple):
    """Scores of a frame in an article by the fold models: of all of them on average, and of that which never saw it.

    Each is given as the mean score of the paragraphs and as the score of the article.
    """

    mean_score: float
    score: float
    left_out_mean_score: float
    left_out_score: float


@dataclass(frozen=True, slots=True, eq=False)
class FoldScores:
    """Scores of an article by the fold models: of its n paragraphs, (folds, n, k), and of itself, (folds, k)."""

    frames: tuple[str, ...]
    paragraphs: NDArray[np.float64]
    article: NDArray[np.float64]

    def left_out(self, fold: int) -> dict[str, list[float]]:
        """Returns the score of each paragraph, by frame, by the fold model that has not seen a fold."""
        return dict(zip(self.frames, self.paragraphs[fold].T.tolist(), strict=True))

    def crossed(self, fold: int) -> dict[str, CrossScores]:
        """Returns the scores of the article, by frame, if it is in a fold."""
        means = self.paragraphs.mean(axis=1)
        columns = (means.mean(axis=0), self.article.mean(axis=0), means[fold], self.article[fold])
        return dict(zip(self.frames, map(CrossScores, *(column.tolist() for column in columns)), strict=True))


@dataclass(frozen=True, slots=True)
class Classification:
    """Decisions on the frames of each paragraph, in order, and of the article.

    `about` is None for a model that cannot tell what an article is about, `folds` for a model without fold models.
    """

    paragraphs: tuple[Mapping[str, FrameDecision], ...]
    article: Mapping[str, ArticleFrame]
    about: About | None = None
    folds: FoldScores | None = None


@dataclass(frozen=True, slots=True)
class Cuts:
    """The cuts of each frame, of paragraphs and of the article.

    `article` is None for a model that decides on an article by its paragraphs.
    """

    paragraphs: Mapping[str, Cut]
    article: Mapping[str, Cut] | None


def cuts_at(model: FrameModel, operating_point: OperatingPoint, thresholds: Mapping[str, float]) -> Cuts:
    """Returns the cuts of each frame: the caller's own threshold if `thresholds` has it, else the operating point's."""
    own = {frame: fixed_cut(threshold) for frame, threshold in thresholds.items()}
    of_paragraphs, facts = model.card.cuts[operating_point], model.card.article
    return Cuts(
        paragraphs={frame: own.get(frame, of_paragraphs[frame]) for frame in model.frames},
        article=None
        if facts is None
        else {frame: own.get(frame, facts.cuts[operating_point]) for frame in model.frames},
    )


def decide(scores: NDArray[np.float64], cut: Cut) -> list[Decision]:
    """Returns the decision on each of n scores (n,)."""
    decisions = np.where(scores < cut.absent_below, "absent", "uncertain")
    if cut.present_from is not None:
        decisions[scores >= cut.present_from] = "present"
    return decisions.tolist()  # type: ignore[no-any-return]


def classify(model: FrameModel, texts: Sequence[str], cuts: Cuts, *, explain: bool) -> Classification:
    """Scores the n paragraphs of an article, decides on their frames and rolls the decisions up to the article."""
    explanations: Sequence[Sequence[FrameExplanation | None]]
    frames = model.frames
    if explain:
        scored, explanations = model.score_and_explain(texts)
    else:
        scored, explanations = model.score_with_stances(texts), [(None,) * len(frames)] * len(texts)
    about = about_of(model, scored, texts)
    decisions = [decide_about(about, scored.frames[:, k], cuts.paragraphs[frame]) for k, frame in enumerate(frames)]
    stances = _stances(scored, decisions)
    paragraphs = tuple(
        dict(zip(frames, map(FrameDecision, *columns), strict=True))
        for columns in zip(scored.frames.tolist(), zip(*decisions, strict=True), explanations, stances, strict=True)
    )
    rolled = _roll_up(model, scored, decisions, cuts, about)
    return Classification(paragraphs, rolled, about, _fold_scores(model, scored))


def _fold_scores(model: FrameModel, scored: Scored) -> FoldScores | None:
    """Returns the scores of an article by the fold models; None for a model without them."""
    if scored.folds is None:
        return None
    by_fold = scored.folds.transpose(1, 0, 2)
    of_article = np.array([article_scores(model.card.article, scores) for scores in by_fold])
    return FoldScores(model.frames, by_fold, of_article)


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
    model: FrameModel, scored: Scored, decisions_by_frame: Sequence[Sequence[Decision]], cuts: Cuts, about: About | None
) -> dict[str, ArticleFrame]:
    mean = scored.frames.mean(axis=0)
    of_article = _decide_on_article(model, scored.frames, decisions_by_frame, cuts, about)
    rolled = {}
    for k, frame in enumerate(model.frames):
        decisions, (score, decision) = decisions_by_frame[k], of_article[k]
        present = decisions.count("present")
        rolled[frame] = ArticleFrame(
            score=score,
            decision=decision,
            share=present / len(decisions),
            paragraphs=present,
            uncertain=decisions.count("uncertain"),
            mean_score=float(mean[k]),
            stances=_sum_of_stances(scored.stances[:, k], decisions) if present else None,
        )
    return rolled


def _decide_on_article(
    model: FrameModel,
    scores: NDArray[np.float64],
    decisions_by_frame: Sequence[Sequence[Decision]],
    cuts: Cuts,
    about: About | None = None,
) -> list[tuple[float, Decision]]:
    """Returns score and decision of an article on each frame, given scores (n, k) and decisions of its paragraphs."""
    of_article = article_scores(model.card.article, scores)
    if cuts.article is None:
        decisions = [any_paragraph(decisions) for decisions in decisions_by_frame]
    else:
        decisions = [
            decide_about(about, of_article[k : k + 1], cuts.article[frame])[0] for k, frame in enumerate(model.frames)
        ]
    return list(zip(of_article.tolist(), decisions, strict=True))


def any_paragraph(decisions: Sequence[Decision]) -> Decision:
    """Decides on an article by the decisions on its paragraphs: one is enough."""
    return "present" if "present" in decisions else "uncertain" if "uncertain" in decisions else "absent"


def merge_roll_ups(
    model: FrameModel, cuts: Cuts, parts: Sequence[tuple[NDArray[np.float64], Mapping[str, ArticleFrame]]]
) -> dict[str, ArticleFrame]:
    """Merges the roll-ups of the parts of an article; each comes after the scores of its n paragraphs, (n, k).

    What the article is about is not asked: a model that can tell does not score an article in parts.
    """
    scores = np.concatenate([part for part, _ in parts])
    of_parts = [[rolled[frame].decision for _, rolled in parts] for frame in model.frames]
    of_article = _decide_on_article(model, scores, of_parts, cuts)
    sizes = [len(part) for part, _ in parts]
    return {
        frame: _merge_frame(sizes, [rolled[frame] for _, rolled in parts], *of_article[k])
        for k, frame in enumerate(model.frames)
    }


def _merge_frame(sizes: Sequence[int], parts: Sequence[ArticleFrame], score: float, decision: Decision) -> ArticleFrame:
    present = sum(frame.paragraphs for frame in parts)
    stances = [frame.stances for frame in parts if frame.stances is not None]
    return ArticleFrame(
        score=score,
        decision=decision,
        share=present / sum(sizes),
        paragraphs=present,
        uncertain=sum(frame.uncertain for frame in parts),
        mean_score=sum(size * frame.mean_score for size, frame in zip(sizes, parts, strict=True)) / sum(sizes),
        stances=tuple(map(sum, zip(*stances, strict=True))) if stances else None,
    )


def _sum_of_stances(stances: NDArray[np.float64], decisions: Sequence[Decision]) -> Stances | None:
    """Adds up the stances (n, s) of the paragraphs in which a frame is present."""
    if not stances.shape[1]:
        return None
    present = [row for row, decision in enumerate(decisions) if decision == "present"]
    return tuple(stances[present].sum(axis=0).tolist())
