"""A simulated stream of news with known shares: weeks of articles whose paragraphs are vectors that carry frames.

What a paragraph carries depends on its vector, in each week and outlet in another way, and on its article beyond what
the vector shows. The base model has learned part of this in another world and is too generous here: its errors are of
every kind that annotations have to correct. The true shares are integrals, computed without simulation.
"""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from training.encoder.heads import Array
from training.model_card import ModelCard
from training.registry.base import BaseModel, shipped_base
from training.scoring.compiled import sigmoid
from training.scoring.operating_points import OPERATING_POINTS, fixed_cut

FRAMES = ("common", "rare")
WIDTH = 128
# The world is made of so many weeks; a longer stream needs more.
MOST_WEEKS = 12
# Share of each outlet's articles, and mean number of paragraphs of an article beyond the first.
_OUTLETS = np.array([0.4, 0.3, 0.2, 0.1])
_LENGTHS = np.array([2.0, 4.0, 5.0, 8.0])
# Variance of a vector's entries within articles; the rest of 1 is between articles.
_WITHIN = 0.7
# Standard deviation of what an article adds to the log-odds beyond what its vectors show.
_HIDDEN = 0.5
_INTERCEPTS = np.array([-1.6, -3.0])


@dataclass(frozen=True, eq=False)
class World:
    """How paragraphs carry k frames: weights of vectors (d, k), and log-odds by week and outlet, (weeks, outlets, k).

    `places` are the mean vectors of weeks and outlets, (weeks, outlets, d).
    """

    weights: Array
    offsets: Array
    places: Array
    base: BaseModel


@dataclass(frozen=True, eq=False)
class Stream:
    """m articles in the order in which they appear, and their n paragraphs in reading order.

    ids, weeks and outlets: (m,); article: (n,), the place of each paragraph's article; vectors: (n, d); labels: (n, k).
    """

    ids: tuple[str, ...]
    weeks: NDArray[np.int64]
    outlets: NDArray[np.int64]
    article: NDArray[np.int64]
    vectors: Array
    labels: NDArray[np.bool_]

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Number of paragraphs of each article, (m,)."""
        return np.bincount(self.article, minlength=len(self.ids))

    @property
    def begins(self) -> NDArray[np.int64]:
        """Place of the first paragraph of each article, (m,)."""
        return np.cumsum(self.sizes) - self.sizes


@cache
def world() -> World:
    """The world of all simulations."""
    generator = np.random.default_rng(20261129)
    weights = generator.normal(size=(WIDTH, len(FRAMES)))
    weights *= 1.6 / np.linalg.norm(weights, axis=0)
    by_week = generator.normal(scale=0.4, size=(MOST_WEEKS, 1, len(FRAMES)))
    by_outlet = generator.normal(scale=0.3, size=(1, len(_OUTLETS), len(FRAMES)))
    places = generator.normal(scale=1.2, size=(MOST_WEEKS, len(_OUTLETS), WIDTH)) / np.sqrt(WIDTH)
    learned = 0.2 * weights + generator.normal(scale=1.0 / np.sqrt(WIDTH), size=weights.shape)
    base = BaseModel(_card(), learned, _INTERCEPTS + 0.8)
    return World(weights, _INTERCEPTS + by_week + by_outlet, places, base)


def _card() -> ModelCard:
    """The card of the shipped base, with the frames of this world and without stances and subject."""
    shipped = shipped_base("words")
    assert shipped is not None
    cuts = {point: dict.fromkeys(FRAMES, fixed_cut(0.5)) for point in OPERATING_POINTS}
    titles = {frame: frame for frame in FRAMES}
    return replace(shipped.card, frames=titles, cuts=cuts, stances=(), stances_left_out=None, subject=None)


def stream(generator: np.random.Generator, weeks: int, articles: int) -> Stream:
    """So many weeks of so many articles each."""
    truth, count = world(), weeks * articles
    week, outlet = np.repeat(np.arange(weeks), articles), generator.choice(len(_OUTLETS), count, p=_OUTLETS)
    article = np.repeat(np.arange(count), 1 + generator.poisson(_LENGTHS[outlet]))
    vectors = truth.places[week, outlet] + generator.normal(scale=np.sqrt(1 - _WITHIN), size=(count, WIDTH))
    vectors = vectors[article] + generator.normal(scale=np.sqrt(_WITHIN), size=(len(article), WIDTH))
    hidden = truth.offsets[week, outlet] + generator.normal(scale=_HIDDEN, size=(count, len(FRAMES)))
    labels = generator.random((len(article), len(FRAMES))) < sigmoid(vectors @ truth.weights + hidden[article])
    run = generator.integers(2**62)
    return Stream(tuple(f"{run:x}-{number}" for number in range(count)), week, outlet, article, vectors, labels)


@cache
def true_shares() -> tuple[Array, Array]:
    """The shares of paragraphs and of articles that carry each frame, (weeks, k) each, in all that could be printed."""
    truth = world()
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    weights = weights / weights.sum()
    variance = (truth.weights**2).sum(axis=0)
    centre = truth.offsets + truth.places @ truth.weights
    between = np.sqrt((1 - _WITHIN) * variance + _HIDDEN**2) * nodes[:, None]
    within = np.sqrt(_WITHIN * variance) * nodes[:, None]
    # (weeks, outlets, k, nodes of the article): the share of its paragraphs.
    logits = centre[..., None, None] + between.T[:, :, None] + within.T[:, None, :]
    shares = sigmoid(logits) @ weights
    length = 1 + _LENGTHS
    paragraphs = np.einsum("wokn,n,o->wk", shares, weights, _OUTLETS * length / (_OUTLETS @ length))
    # Of an article of 1 + Poisson(l) paragraphs that each lack the frame with probability q, all do with q exp(l(q-1)).
    lacking = (1 - shares) * np.exp(-shares * _LENGTHS[None, :, None, None])
    return paragraphs, 1 - np.einsum("wokn,n,o->wk", lacking, weights, _OUTLETS)
