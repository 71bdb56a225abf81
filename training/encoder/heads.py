"""Linear heads on vectors, fitted with a pull towards heads that are known already.

A fit minimises the log-loss plus half of `pull` times the squared distance of the weights from the known weights: the
adaptation of Chelba and Acero (2006), "Adaptation of maximum entropy capitalizer: little data can help a lot". Few
annotations move the weights little, many move them far, and an infinite pull returns the known heads. Heads that are
learned from nothing are pulled towards zero weights and the rarity of their frame. Vectors may be sparse. Callers
limit the threads of sums: on a busy machine several wait for each other far longer than the sums take.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import minimize
from scipy.special import expit, log_softmax, softmax

Array = NDArray[np.float64]

# Pulls that are tried. Vectors are scaled to length 1 on average, so that the same pulls suit every encoder.
PULLS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, np.inf)
# The share of the pull that holds the intercepts: how common a frame is differs most between outlets.
_INTERCEPT_SHARE = 0.1

# Returns the losses (n,) of log-odds (n, c) and their gradient (n, c), for targets (n, c).
Loss = Callable[[Array, Array], tuple[Array, Array]]


@dataclass(frozen=True, eq=False)
class Heads:
    """Linear heads of c columns: coefficients (d, c) and intercepts (c,)."""

    coefficients: Array
    intercepts: Array

    def logits(self, vectors: Array) -> Array:
        """Returns log-odds (n, c) of vectors (n, d)."""
        return np.asarray(vectors @ self.coefficients + self.intercepts)

    def columns(self, chosen: slice) -> "Heads":
        """Returns the heads of some columns."""
        return Heads(self.coefficients[:, chosen], self.intercepts[chosen])

    def calibrated(self, slopes: Array, offsets: Array) -> "Heads":
        """Returns the heads of slope · logit + offset, (c,) each."""
        return Heads(self.coefficients * slopes, self.intercepts * slopes + offsets)


def side_by_side(heads: list[Heads]) -> Heads:
    """Returns several heads as a single `Heads` that has the columns of all."""
    return Heads(
        np.concatenate([head.coefficients for head in heads], axis=1),
        np.concatenate([head.intercepts for head in heads]),
    )


def from_nothing(width: int, targets: Array) -> Heads:
    """Returns heads without weights whose intercepts (c,) are the log-odds of the smoothed shares of targets (n, c).

    Targets that are NaN are not known and do not count.
    """
    shares = (np.nansum(targets, axis=0) + 1) / ((~np.isnan(targets)).sum(axis=0) + 2)
    return Heads(np.zeros((width, targets.shape[1])), np.log(shares) - np.log1p(-shares))


def of_presence(logits: Array, targets: Array) -> tuple[Array, Array]:
    """The log-loss of a column of its own, as a `Loss` for targets of 0 and 1; NaN is not known and costs nothing."""
    unknown = np.isnan(targets)
    targets = np.where(unknown, 0, targets)
    losses, slope = np.logaddexp(0, logits) - targets * logits, expit(logits) - targets
    return np.where(unknown, 0, losses).sum(axis=1), np.where(unknown, 0, slope)


def of_choice(logits: Array, targets: Array) -> tuple[Array, Array]:
    """The log-loss of a choice among the columns, as a `Loss` for targets with a single 1 per row."""
    return -(targets * log_softmax(logits, axis=1)).sum(axis=1), softmax(logits, axis=1) - targets


def fit_pulled(vectors: Array, targets: Array, known: Heads, pull: float, loss: Loss) -> Heads:
    """Returns heads fitted to vectors (n, d) and targets (n, c), pulled towards the heads that are known."""
    if np.isinf(pull) or not vectors.shape[0]:
        return known
    centre, scale, scaled = _scaled(vectors)
    start = np.vstack([known.coefficients * scale, known.intercepts + centre @ known.coefficients])
    strength = np.full((len(start), 1), pull)
    strength[-1] *= _INTERCEPT_SHARE

    def objective(flat: Array) -> tuple[float, Array]:
        weights = flat.reshape(start.shape)
        moved = weights - start
        losses, slope = loss(scaled @ weights[:-1] + weights[-1], targets)
        gradient = np.vstack([scaled.T @ slope, slope.sum(axis=0)]) + strength * moved
        return float(losses.sum() + (strength * moved**2).sum() / 2), gradient.ravel()

    weights = minimize(objective, start.ravel(), jac=True, method="L-BFGS-B").x.reshape(start.shape)
    coefficients = weights[:-1] / scale
    return Heads(coefficients, weights[-1] - centre @ coefficients)


def _scaled(vectors: Any) -> tuple[Array, float, Any]:
    """Returns the centre of n vectors (d,), their length and the vectors from there, of length 1 on average.

    Sparse vectors, those of words, stay where they are: moved, they would not be sparse.
    """
    if sparse.issparse(vectors):
        scale = float(np.sqrt(vectors.multiply(vectors).sum() / vectors.shape[0])) or 1.0
        return np.zeros(vectors.shape[1]), scale, vectors / scale
    centre = vectors.mean(axis=0)
    scale = float(np.sqrt(((vectors - centre) ** 2).sum(axis=1).mean())) or 1.0
    return centre, scale, (vectors - centre) / scale


def fit_separately(vectors: Array, targets: Array, known: Heads, pull: float, fewest: int = 1) -> Heads:
    """Returns heads of c frames, each fitted by itself; a frame that fewer than `fewest` carry keeps its known head."""
    columns = []
    for column in range(targets.shape[1]):
        chosen = slice(column, column + 1)
        carried = np.nansum(targets[:, column]) >= fewest
        head = known.columns(chosen)
        columns.append(fit_pulled(vectors, targets[:, chosen], head, pull, of_presence) if carried else head)
    return side_by_side(columns)


def cross_fit(
    vectors: Array, targets: Array, folds: NDArray[np.int64], fit: Callable[[Array, Array, float], Heads], pull: float
) -> Array:
    """Returns log-odds (n, c) of each of n vectors from heads fitted without its fold, (n,)."""
    logits = np.zeros(targets.shape)
    for fold in np.unique(folds):
        inside = folds == fold
        logits[inside] = fit(vectors[~inside], targets[~inside], pull).logits(vectors[inside])
    return logits


def left_out_logits(of_folds: Sequence[Heads], vectors: Array, folds: NDArray[np.int64]) -> Array:
    """Returns log-odds (n, c) of each of n vectors from the heads of its fold, (n,)."""
    logits = np.zeros((vectors.shape[0], len(of_folds[0].intercepts)))
    for fold, heads in enumerate(of_folds):
        inside = folds == fold
        logits[inside] = heads.logits(vectors[inside])
    return logits


def choose_pull(
    vectors: Array,
    targets: Array,
    folds: NDArray[np.int64],
    fit: Callable[[Array, Array, float], Heads],
    loss: Loss,
    progress: Callable[[float], None] = lambda _share: None,
    pulls: Sequence[float] = PULLS,
) -> tuple[float, Array]:
    """Returns the strongest of `pulls` that is as good as the best on folds left out, and its log-odds without each.

    fit: from vectors, targets and pull to heads. As good means: the loss differs from the smallest by at most its
    standard error over paragraphs (Breiman et al. 1984, "Classification and regression trees"), so that chance
    moves no head.
    """
    return choose(lambda pull: cross_fit(vectors, targets, folds, fit, pull), targets, loss, progress, pulls)


def choose(
    left_out: Callable[[float], Array],
    targets: Array,
    loss: Loss,
    progress: Callable[[float], None] = lambda _share: None,
    pulls: Sequence[float] = PULLS,
) -> tuple[float, Array]:
    """Returns what `choose_pull` does, where `left_out` returns the log-odds at a pull of paragraphs left out."""
    tried: list[tuple[float, Array, Array]] = []
    for done, pull in enumerate(sorted(pulls, reverse=True), 1):
        logits = left_out(pull)
        tried.append((pull, logits, loss(logits, targets)[0]))
        progress(done / len(pulls))
    smallest = min((losses for _, _, losses in tried), key=lambda losses: float(losses.sum()))
    return next((pull, logits) for pull, logits, losses in tried if _as_good(losses, smallest))


def _as_good(losses: Array, smallest: Array) -> bool:
    excess = losses - smallest
    return float(excess.sum()) <= float(excess.std() * np.sqrt(len(excess)))
