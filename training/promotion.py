"""Champion against challenger on the same articles: which should serve, and why.

Paired bootstrap over articles (Berg-Kirkpatrick, Burkett and Klein 2012, "An empirical investigation of statistical
significance in NLP"): both models are evaluated on every resample, so that what is hard for both cancels out.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labels.wording import counted
from training.evaluation import Figure, article_counts, article_draws, f1_of, figure_of

# Largest loss of F1 on a single frame with which a model may still be promoted.
FRAME_MARGIN = 0.05

# The smallest gain for which the number of annotations is said that would show it.
_SMALLEST_GAIN = 0.02

# Fewer articles, or fewer of their paragraphs with a frame, cannot show that a model is better: what holds for a
# handful of articles says little about others.
FEWEST_ARTICLES = FEWEST_CARRYING = 10


@dataclass(frozen=True, slots=True)
class FrameComparison:
    """F1 of both models on a frame, and the challenger's gain with its 95% interval."""

    frame: str
    champion: float | None
    challenger: float | None
    gain: Figure


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the challenger should replace the champion.

    `better_in` is the share of resamples in which the challenger's macro F1 is higher. `base` is a sentence about the
    base model, for information; empty for a challenger that was not made of one.
    """

    promote: bool
    reason: str
    champion: str | None
    paragraphs: int
    articles: int
    champion_macro_f1: float | None
    challenger_macro_f1: float | None
    gain: Figure
    better_in: float | None
    frames: tuple[FrameComparison, ...]
    base: str = ""


def first_model_verdict() -> Verdict:
    """Returns the verdict on the first model, which has no champion to beat."""
    nothing = Figure(None, None, None)
    return Verdict(True, "It is the first model.", None, 0, 0, None, None, nothing, None, ())


def compare(
    champion: str,
    frames: Sequence[str],
    targets: NDArray[np.bool_],
    champion_decisions: NDArray[np.bool_],
    challenger_decisions: NDArray[np.bool_],
    articles: NDArray[np.object_],
    *,
    left_out_frames: Sequence[str] = (),
    seed: int = 0,
) -> Verdict:
    """Compares decisions (n, k) of both models on the k frames that both have, and returns the verdict.

    `left_out_frames` are frames of only a single model, left out because the codebook has changed.
    """
    names, membership = np.unique(articles.astype(str), return_inverse=True)
    if not len(names) or not targets.any():
        reason = (
            "No annotated paragraph carries a frame that both models could be compared on."
            if len(targets) and len(frames)
            else "There are no annotated paragraphs that neither model has seen, so they could not be compared."
        )
        return Verdict(
            False, reason, champion, len(targets), len(names), None, None, Figure(None, None, None), None, ()
        )
    draws = article_draws(len(names), seed)
    old, old_spread = f1_of(article_counts(champion_decisions, targets, membership, len(names)), draws)
    new, new_spread = f1_of(article_counts(challenger_decisions, targets, membership, len(names)), draws)
    compared = tuple(
        FrameComparison(
            frame, _value(old[k]), _value(new[k]), figure_of(new[k] - old[k], new_spread[:, k] - old_spread[:, k])
        )
        for k, frame in enumerate(frames)
    )
    old_macro, new_macro = float(np.nanmean(old)), float(np.nanmean(new))
    spread = _macro(new_spread) - _macro(old_spread)
    gain = figure_of(np.float64(new_macro - old_macro), spread)
    promote, reason = _judge(gain, compared, left_out_frames, len(targets), len(names))
    carrying = int(targets.any(axis=1).sum())
    if promote and (len(names) < FEWEST_ARTICLES or carrying < FEWEST_CARRYING):
        promote, reason = False, _too_few(len(names), carrying)
    return Verdict(
        promote=promote,
        reason=reason,
        champion=champion,
        paragraphs=len(targets),
        articles=len(names),
        champion_macro_f1=old_macro,
        challenger_macro_f1=new_macro,
        gain=gain,
        better_in=float((spread > 0).mean()),
        frames=compared,
    )


def _too_few(articles: int, carrying: int) -> str:
    return (
        f"It was compared on {counted(articles, 'article')} with {counted(carrying, 'paragraph')} that carry a frame, "
        f"too few to say that it is better: that takes {FEWEST_ARTICLES} of each. Annotate more, or decide yourself."
    )


def _macro(figures: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns the mean over the frames that a resample (B, k) carries, (B,); NaN where it carries none."""
    carried = ~np.isnan(figures)
    numbers = np.where(carried.any(axis=1), carried.sum(axis=1), np.nan)
    return np.asarray(np.where(carried, figures, 0.0).sum(axis=1) / numbers)


def _value(figure: np.float64) -> float | None:
    return None if np.isnan(figure) else float(figure)


def _judge(
    gain: Figure, compared: Sequence[FrameComparison], left_out_frames: Sequence[str], paragraphs: int, articles: int
) -> tuple[bool, str]:
    changed = f" The codebook changed: {', '.join(left_out_frames)} could not be compared." if left_out_frames else ""
    value, low, high = (figure or 0.0 for figure in (gain.value, gain.low, gain.high))
    where = f"{counted(paragraphs, 'annotated paragraph')} of {counted(articles, 'article')}"
    measured = f"by {abs(value):.3f}, 95% interval {low:+.3f} to {high:+.3f}, on {where}"
    if high < 0:
        return False, f"Its macro F1 is lower {measured}.{changed}"
    if low <= 0:
        return (
            False,
            f"There is no difference that {where} can show. {_how_many(value, low, high, paragraphs)}{changed}",
        )
    losing = [c for c in compared if c.gain.value is not None and c.gain.value < -FRAME_MARGIN]
    if losing:
        named = ", ".join(f"{c.frame} by {-(c.gain.value or 0):.3f}" for c in losing)
        return False, f"It loses more than {FRAME_MARGIN} of F1 on a frame: {named}.{changed}"
    return True, f"Its macro F1 is higher {measured}, and no frame loses more than {FRAME_MARGIN}.{changed}"


def _how_many(value: float, low: float, high: float, paragraphs: int) -> str:
    """Says how many annotated paragraphs would show a gain, where these are too few for that.

    The interval narrows with the root of their number.
    """
    if low == high:
        return "Both models decide alike on them."
    differs = f"The challenger's macro F1 differs by {value:+.3f}, 95% interval {low:+.3f} to {high:+.3f}"
    wanted, half = max(value, _SMALLEST_GAIN), (high - low) / 2
    if value < _SMALLEST_GAIN and half < _SMALLEST_GAIN:
        return f"{differs}; a gain of {wanted:.3f} would have shown."
    needed = max(1, round(paragraphs * (half / wanted) ** 2))
    needed = max(paragraphs + 1, round(needed, 1 - int(np.log10(needed))))
    return f"{differs}; some {needed:,} would show a gain of {wanted:.3f}."
