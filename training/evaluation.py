"""A model's decisions against gold labels: precision, recall, F1, average precision, calibration.

Baselines that a model has to beat are evaluated in the same way: the commoner label of each frame, and the codebook's
keywords.

Intervals are 95% percentile bootstrap intervals over whole articles, because paragraphs of the same article are alike.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labels.codebook import Codebook
from training.calibration import ReliabilityBin, expected_calibration_error, reliability
from training.dataset import Dataset

RESAMPLES = 1000
# Part of `how` where the annotations are too few to measure a model: its card has the figures of its base instead.
OF_THE_BASE = "the base model"


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure with its 95% interval; all None where it is undefined, as the recall of a frame without paragraphs."""

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class FrameFigures:
    """How well a frame is recognised. `support` is the number of paragraphs that carry it.

    `ece` is None where no paragraph counts.
    """

    frame: str
    support: int
    precision: Figure
    recall: Figure
    f1: Figure
    average_precision: Figure
    ece: float | None
    reliability: tuple[ReliabilityBin, ...]


@dataclass(frozen=True, slots=True)
class Averages:
    """Precision, recall and F1 averaged over frames (macro) or over all decisions (micro)."""

    precision: Figure
    recall: Figure
    f1: Figure


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Figures of a set of decisions; `how` describes the paragraphs and how they were held out of training."""

    how: str
    paragraphs: int
    articles: int
    frames: tuple[FrameFigures, ...]
    macro: Averages
    micro: Averages
    macro_average_precision: Figure
    ece: float | None

    @property
    def in_short(self) -> str:
        """`how` without its details, such as "held-out articles"; for legends, which have little room."""
        return OF_THE_BASE if OF_THE_BASE in self.how else re.split(r", | \(", self.how)[0]


@dataclass(frozen=True, slots=True)
class StanceFigures:
    """How well a model distinguishes the stances of frames that are present: over all frames and for each.

    `majority` has the figures of always choosing the commonest stance. In each `Evaluation` the stances take the place
    of the frames.
    """

    overall: Evaluation
    majority: Evaluation
    frames: Mapping[str, Evaluation]


def evaluate(
    how: str,
    frames: tuple[str, ...],
    scores: NDArray[np.float64],
    decisions: NDArray[np.bool_],
    targets: NDArray[np.bool_],
    articles: NDArray[np.object_],
    *,
    weights: NDArray[np.float64] | None = None,
    seed: int = 0,
) -> Evaluation:
    """Returns the figures of scores, decisions and targets, (n, k) each, by the article of each paragraph, (n,).

    `weights` (n, k) says for each frame how many paragraphs each stands for; None means a paragraph each, and 0 that
    nobody decided about the frame there, whose target is then False. Supports and numbers of paragraphs are not
    weighted.
    """
    names, membership = np.unique(articles.astype(str), return_inverse=True)
    draws = article_draws(len(names), seed)
    counts = article_counts(decisions, targets, membership, len(names), weights)
    total = counts.sum(axis=0)  # (k, 3): hits, called, carrying
    resampled = np.tensordot(draws, counts, axes=1)  # (B, k, 3)
    per_frame, spread = _ratios(total), _ratios(resampled)
    ap, ap_spread = _average_precisions(scores, targets, draws[:, membership], weights)
    columns = [_counting(scores[:, k], targets[:, k], weights, k) for k in range(len(frames))]
    errors = [expected_calibration_error(*column) if len(column[0]) else None for column in columns]
    figures = tuple(
        FrameFigures(
            frame=frame,
            support=int(targets[:, k].sum()),
            precision=figure_of(per_frame[k, 0], spread[:, k, 0]),
            recall=figure_of(per_frame[k, 1], spread[:, k, 1]),
            f1=figure_of(per_frame[k, 2], spread[:, k, 2]),
            average_precision=figure_of(ap[k], ap_spread[:, k]),
            ece=errors[k],
            reliability=reliability(*columns[k]),
        )
        for k, frame in enumerate(frames)
    )
    return Evaluation(
        how=how,
        paragraphs=len(targets),
        articles=len(names),
        frames=figures,
        macro=_averages(_mean(per_frame, 0), _mean(spread, 1)),
        micro=_averages(_ratios(total.sum(axis=0)), _ratios(resampled.sum(axis=1))),
        macro_average_precision=figure_of(_mean(ap, 0), _mean(ap_spread, 1)),
        ece=float(np.mean(defined)) if (defined := [error for error in errors if error is not None]) else None,
    )


def _counting(
    scores: NDArray[np.float64], target: NDArray[np.bool_], weights: NDArray[np.float64] | None, frame: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.float64] | None]:
    """Returns scores, targets and weights of the paragraphs that count for a frame, (m,) each."""
    if weights is None:
        return scores, target, None
    counting = weights[:, frame] > 0
    return scores[counting], target[counting], weights[counting, frame]


def article_draws(articles: int, seed: int) -> NDArray[np.int64]:
    """Draws bootstrap resamples of articles: the count of each article in each resample, (B, articles)."""
    generator = np.random.default_rng(seed)
    return generator.multinomial(articles, np.full(articles, 1 / articles), size=RESAMPLES)


def article_counts(
    decisions: NDArray[np.bool_],
    targets: NDArray[np.bool_],
    membership: NDArray[np.int64],
    articles: int,
    weights: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """Counts hits, called and carrying paragraphs of each article and frame, (articles, k, 3), with weights (n, k)."""
    counts = np.zeros((articles, targets.shape[1], 3))
    marks = np.stack([decisions & targets, decisions, targets], axis=2).astype(float)
    np.add.at(counts, membership, marks if weights is None else marks * weights[:, :, None])
    return counts


def f1_of(counts: NDArray[np.float64], draws: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Returns F1 per frame, (k,), and per resample, (B, k), from `article_counts`.

    NaN for a frame that no paragraph carries.
    """
    return _ratios(counts.sum(axis=0))[:, 2], _ratios(np.tensordot(draws, counts, axes=1))[..., 2]


def _ratios(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns precision, recall and F1 from counts (…, 3) of hits, called, carrying; NaN where nothing is carried.

    Calling nothing has precision 0 by convention, as in scikit-learn with zero_division=0.
    """
    hits, called, carrying = counts[..., 0], counts[..., 1], counts[..., 2]
    with np.errstate(divide="ignore", invalid="ignore"):
        recall = np.where(carrying > 0, hits / carrying, np.nan)
        precision = np.where(called > 0, hits / called, 0.0)
        f1 = np.where(carrying > 0, 2 * hits / (called + carrying), np.nan)
    return np.stack([precision, recall, f1], axis=-1)


def _average_precisions(
    scores: NDArray[np.float64],
    targets: NDArray[np.bool_],
    repeats: NDArray[np.int64],
    weights: NDArray[np.float64] | None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Returns average precision per frame, (k,), and per resample, (B, k), from weights (n, k).

    `repeats` (B, n) says how often each resample repeats each paragraph.
    """
    values, spread = [], []
    for k in range(scores.shape[1]):
        weight = np.ones(len(scores)) if weights is None else weights[:, k]
        values.append(_average_precision(scores[:, k], targets[:, k], weight[None, :])[0])
        resampled = repeats if weights is None else repeats * weight
        spread.append(_average_precision(scores[:, k], targets[:, k], resampled))
    return np.array(values), np.stack(spread, axis=1)


def _average_precision(
    score: NDArray[np.float64], target: NDArray[np.bool_], weights: NDArray[np.float64] | NDArray[np.int64]
) -> NDArray[np.float64]:
    order = np.argsort(-score, kind="stable")
    weight = weights[:, order].astype(np.float32)
    hit = weight * target[order]
    called, hits = np.cumsum(weight, axis=1), np.cumsum(hit, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        precision = np.where(called > 0, hits / called, 0.0)
        return np.asarray((precision * hit).sum(axis=1) / hits[:, -1], dtype=np.float64)


def _mean(values: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    """Returns the mean over defined values; NaN where all are undefined."""
    defined = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(defined, values, 0).sum(axis=axis) / defined.sum(axis=axis))


def _averages(values: NDArray[np.float64], spread: NDArray[np.float64]) -> Averages:
    return Averages(*(figure_of(values[part], spread[:, part]) for part in range(3)))


def figure_of(value: np.float64 | NDArray[np.float64], spread: NDArray[np.float64]) -> Figure:
    """Returns a figure with the middle 95% of its resamples as interval."""
    defined = spread[~np.isnan(spread)]
    if np.isnan(value) or not len(defined):
        return Figure(None, None, None)
    low, high = np.quantile(defined, [0.025, 0.975])
    return Figure(float(value), float(low), float(high))


# -- baselines --------------------------------------------------------------------------------------------------------


def majority_decisions(training: Dataset, paragraphs: int) -> NDArray[np.bool_]:
    """Returns the commoner label of each frame for every paragraph: (paragraphs, k)."""
    return np.tile(training.targets.sum(axis=0) > training.coded.sum(axis=0) / 2, (paragraphs, 1))


def keyword_decisions(codebook: Codebook, texts: NDArray[np.object_]) -> NDArray[np.bool_]:
    """Calls a frame wherever any of its keywords occurs as a word: (n, k)."""
    columns = []
    for frame in codebook.frames:
        words = "|".join(re.escape(keyword) for keyword in frame.keywords) or r"(?!)"
        pattern = re.compile(rf"\b(?:{words})\b", re.IGNORECASE)
        columns.append([bool(pattern.search(text)) for text in texts])
    return np.array(columns, dtype=bool).T


def evaluate_baselines(training: Dataset, judged: Dataset, codebook: Codebook) -> tuple[Evaluation, ...]:
    """Returns the figures of the baselines on the judged paragraphs; keywords only where the codebook lists some."""
    candidates = {"majority": majority_decisions(training, len(judged))}
    if any(frame.keywords for frame in codebook.frames):
        candidates["keywords"] = keyword_decisions(codebook, judged.texts)
    return tuple(
        evaluate(
            name,
            judged.frames,
            decisions.astype(float),
            decisions,
            judged.targets,
            judged.articles,
            weights=judged.weights,
        )
        for name, decisions in candidates.items()
    )
