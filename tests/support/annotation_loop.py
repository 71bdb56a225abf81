"""The loop of annotating, retraining, rescoring and estimating, in memory, on a simulated stream of news.

Each week articles appear, the queue draws paragraphs and whole articles, and coders annotate them without a mistake.
After some weeks the model is retrained and everything is rescored. Drawing, training and estimating are the product's
own functions; what the store does between them is done on arrays, and a test compares both.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from service.coding.queue import ARTICLES_AT_ONCE, MAX_POOL
from service.schemas.prevalence import Unit
from tests.support.simulated_news import FRAMES, Stream, stream, world
from training.cross_validation import no_progress
from training.dataset import Dataset, fold_of, is_held_out
from training.encoder.heads import Array, Heads
from training.estimates.inclusion import Draws, inclusion_probabilities
from training.estimates.prevalence import CodedUnits, Share, Sums, corrected_share
from training.kinds.adaptation import Adapted, adapt
from training.lexicon import Lexicon
from training.sampling import draw
from training.scoring.article_score import scores_of_articles
from training.scoring.compiled import sigmoid

UNITS: tuple[Unit, ...] = ("paragraph", "article")
When = Literal["before", "after"]


@dataclass(frozen=True, slots=True)
class Plan:
    """So many weeks of articles, what is drawn in each week, and the weeks (from 1) after which a model is trained."""

    weeks: int = 12
    articles: int = 200
    paragraphs_drawn: int = 100
    articles_drawn: int = 40
    retrained_after: tuple[int, ...] = (3, 6, 9)
    # How strongly the base holds the model; None has cross-validation choose it.
    pull: float | None = None


@dataclass(eq=False)
class Coding:
    """What was drawn of n paragraphs of m articles, and annotated.

    taken_by: the place of the draw that took each paragraph, (n,), and whole: that took each article as a whole, (m,),
    -1 for none; recorded: the probability of each paragraph in its draw, (n,); draws: of each its time, its pool, the
    number of units that it drew, and whether they were whole articles.
    """

    taken_by: NDArray[np.int64]
    whole: NDArray[np.int64]
    recorded: Array
    draws: list[tuple[float, int, int, bool]] = field(default_factory=list)

    @property
    def drawn(self) -> NDArray[np.bool_]:
        """Which paragraphs were drawn, (n,)."""
        return self.taken_by >= 0

    def take(self, rows: NDArray[np.int64], probability: Array, at: float, pool: int) -> None:
        """Adds a draw of paragraphs."""
        self.taken_by[rows], self.recorded[rows] = len(self.draws), probability
        self.draws.append((at, pool, len(rows), False))

    def take_articles(self, news: Stream, articles: NDArray[np.int64], at: float, pool: int) -> None:
        """Adds a draw of whole articles, of which some paragraphs may have been drawn before."""
        rows = np.flatnonzero(np.isin(news.article, articles) & ~self.drawn)
        self.taken_by[rows], self.recorded[rows] = len(self.draws), len(articles) / pool
        self.whole[articles] = len(self.draws)
        self.draws.append((at, pool, len(articles), True))


@dataclass(frozen=True, eq=False)
class Scores:
    """Scores of n paragraphs and m articles: the model's, (n, k) and (m, k), and those of its fold models.

    Of these `mean` is the average, and `left_out` is by that which has not seen the article.
    """

    own: tuple[Array, Array]
    mean: tuple[Array, Array]
    left_out: tuple[Array, Array]

    def uncrossed(self) -> "Scores":
        """The scores as if a model said as much about what it was trained on as about anything else."""
        return Scores(self.own, self.own, self.own)


class Loop:
    """A run of the loop."""

    def __init__(self, plan: Plan, seed: int) -> None:
        self.plan = plan
        self.generator = np.random.default_rng([seed, 7])
        self.news: Stream = stream(self.generator, plan.weeks, plan.articles)
        count = len(self.news.article)
        self.coding = Coding(np.full(count, -1), np.full(len(self.news.ids), -1), np.zeros(count))
        base = world().base
        self.scores = self.scored(Heads(base.coefficients, base.intercepts))

    def run(self) -> Iterator[tuple[int, When]]:
        """Stops before and after each retraining, and at the end, for a look at the estimates."""
        for week in range(1, self.plan.weeks + 1):
            self.annotate(week)
            if week in self.plan.retrained_after:
                yield week, "before"
                self.scores = self.scored(self.retrained().heads)
                yield week, "after"
        if self.plan.weeks not in self.plan.retrained_after:
            yield self.plan.weeks, "before"

    def annotate(self, week: int) -> None:
        """Draws paragraphs, then whole articles, of all weeks until this, and annotates them."""
        news, there = self.news, self.week_of_paragraph < week
        pool = np.flatnonzero(there & ~self.coding.drawn)
        sample = self.generator.permutation(pool)[:MAX_POOL]
        drawn = draw(self.scores.own[0][sample], self.plan.paragraphs_drawn, self.generator)
        rows = sample[[each.position for each in drawn]]
        probabilities = np.array([each.inclusion_probability for each in drawn]) * len(sample) / len(pool)
        self.coding.take(rows, probabilities, week + 0.1, len(pool))
        for request in range(-(-self.plan.articles_drawn // ARTICLES_AT_ONCE)):
            left = np.flatnonzero((self.coding.whole < 0) & (news.weeks < week))
            chosen = self.generator.permutation(left)[:ARTICLES_AT_ONCE]
            self.coding.take_articles(news, chosen, week + 0.2 + 0.01 * request, len(left))

    def retrained(self) -> Adapted:
        """The base after adaptation to the annotations, with its fold models."""
        rows = np.flatnonzero(self.coding.drawn & ~self.held_out[self.news.article])
        ids = np.array(self.news.ids, dtype=object)[self.news.article[rows]]
        shape = (len(rows), len(FRAMES))
        training = Dataset(
            frames=FRAMES,
            texts=ids,
            normalised=ids,
            targets=self.news.labels[rows],
            articles=ids,
            sources=ids,
            stances=np.full(shape, -1, dtype=np.int8),
            coded=np.ones(shape, dtype=bool),
            lexicon=Lexicon(),
        )
        return adapt(self.news.vectors[rows], training, world().base, no_progress, self.plan.pull)

    def scored(self, heads: Heads) -> Scores:
        """The scores by the heads of k frames, and by those of the fold models if they follow."""
        news, k, facts = self.news, len(FRAMES), world().base.card.article
        scores = sigmoid(heads.logits(news.vectors)).reshape(len(news.article), -1, k).transpose(1, 0, 2)
        own, *folds = [(by_model, scores_of_articles(facts, by_model, news.begins)) for by_model in scores]
        if not folds:
            return Scores(own, own, own)
        paragraphs, articles = (np.stack(each) for each in zip(*folds, strict=True))
        left_out = (
            paragraphs[self.folds[news.article], np.arange(len(news.article))],
            articles[self.folds, np.arange(len(news.ids))],
        )
        return Scores(own, (paragraphs.mean(axis=0), articles.mean(axis=0)), left_out)

    @cached_property
    def folds(self) -> NDArray[np.int64]:
        """The fold of each article, (m,)."""
        return np.array([fold_of(article) for article in self.news.ids])

    @cached_property
    def held_out(self) -> NDArray[np.bool_]:
        """Which articles are held out, (m,)."""
        return np.array([is_held_out(article) for article in self.news.ids])

    @cached_property
    def week_of_paragraph(self) -> NDArray[np.int64]:
        """The week of each paragraph, (n,)."""
        return self.news.weeks[self.news.article]

    def weights(self) -> tuple[Array, Array]:
        """The weight of each paragraph, (n,), and of each article as a whole, (m,); 0 if it was not drawn."""
        at, pool, units, whole = (np.array(column) for column in zip(*self.coding.draws, strict=True))
        draws = Draws(at, pool.astype(float), units.astype(float), units.astype(float), whole)
        of_articles = Draws(at[whole], draws.pool[whole], draws.drawn[whole], draws.annotated[whole], whole[whole])
        # The place of a draw among those of whole articles.
        taken_by = np.where(self.coding.whole < 0, -1, (np.cumsum(whole) - 1)[self.coding.whole])
        recorded = (draws.drawn / draws.pool)[self.coding.whole]
        return (
            _weights(draws, self.coding.taken_by, self.coding.recorded, self.week_of_paragraph),
            _weights(of_articles, taken_by, recorded, self.news.weeks),
        )


def _weights(draws: Draws, taken_by: NDArray[np.int64], recorded: Array, weeks: NDArray[np.int64]) -> Array:
    """The weights of units from these weeks (from 0), which are stored before the draws of their week (from 1)."""
    weights, drawn = np.zeros(len(taken_by)), np.flatnonzero(taken_by >= 0)
    stored = weeks[drawn] + 1.0
    weights[drawn] = 1 / inclusion_probabilities(
        draws, taken_by[drawn].tolist(), recorded[drawn].tolist(), stored.tolist()
    )
    return weights


class Cells:
    """The corrected shares of the weeks, from the annotations of a loop and some scores."""

    def __init__(self, loop: Loop, scores: Scores) -> None:
        news = self._news = loop.news
        self._week, self._drawn, self._complete = loop.week_of_paragraph, loop.coding.drawn, loop.coding.whole >= 0
        self._weight, self._article_weight = loop.weights()
        annotated = np.bincount(news.article[self._drawn], minlength=len(news.ids)) > 0
        self._left_out = scores.left_out
        # What an article contributes to the sums: by all fold models, or, if annotated, by that which has not seen it.
        of_paragraphs = np.where(annotated[news.article, None], scores.left_out[0], scores.mean[0])
        self._paragraphs_of = np.add.reduceat(of_paragraphs, news.begins)
        self._article_scores = np.where(annotated[:, None], scores.left_out[1], scores.mean[1])
        self._any = np.maximum.reduceat(news.labels, news.begins)

    def share(self, unit: Unit, week: int, frame: int) -> Share | None:
        """The corrected share of a frame in a week; None with too few annotations."""
        articles = np.flatnonzero(self._news.weeks == week)
        if unit == "article":
            sizes, scores = np.ones(len(articles)), self._article_scores[articles, frame]
            coded = self._coded_articles(articles, frame)
        else:
            sizes, scores = self._news.sizes[articles].astype(float), self._paragraphs_of[articles, frame]
            coded = self._coded_paragraphs(week, frame)
        sums = (sizes.sum(), scores.sum(), sizes @ sizes, scores @ scores, sizes @ scores)
        return corrected_share(Sums(len(articles), *map(float, sums)), coded) if coded.enough else None

    def _coded_articles(self, articles: NDArray[np.int64], frame: int) -> CodedUnits:
        complete = articles[self._complete[articles]]
        ones, scores = np.ones(len(complete)), self._left_out[1][complete, frame]
        label, weight = self._any[complete, frame].astype(float), self._article_weight[complete]
        return CodedUnits(label, scores, weight, np.arange(len(complete)), ones, scores)

    def _coded_paragraphs(self, week: int, frame: int) -> CodedUnits:
        rows = np.flatnonzero(self._drawn & (self._week == week))
        articles, place = np.unique(self._news.article[rows], return_inverse=True)
        return CodedUnits(
            self._news.labels[rows, frame].astype(float),
            self._left_out[0][rows, frame],
            self._weight[rows],
            place,
            self._news.sizes[articles].astype(float),
            self._paragraphs_of[articles, frame],
        )
