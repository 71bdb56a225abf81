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
from training.dataset import FOLDS, Dataset, fold_of, is_held_out
from training.encoder.heads import Array, Heads
from training.estimates.inclusion import Draws, inclusion_probabilities
from training.kinds.adaptation import adapt
from training.lexicon import Lexicon
from training.prevalence import CodedUnits, Share, Sums, corrected_share
from training.sampling import draw
from training.scoring.article_score import scores_of_articles
from training.scoring.compiled import sigmoid

UNITS: tuple[Unit, ...] = ("paragraph", "article")
When = Literal["before", "after"]


@dataclass(frozen=True, slots=True)
class Plan:
    """So many weeks of articles, what is drawn in each week, and the weeks (from 1) after which a model is trained."""

    weeks: int = 12
    articles: int = 120
    paragraphs_drawn: int = 100
    articles_drawn: int = 40
    retrained_after: tuple[int, ...] = (3, 6, 9)


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
                self.scores = self.scored(self.retrained())
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

    def retrained(self) -> Heads:
        """The heads of the base after adaptation to the annotations, and of its fold models."""
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
        return adapt(self.news.vectors[rows], training, world().base, no_progress).heads

    def scored(self, heads: Heads) -> Scores:
        """The scores by the heads of k frames, and by those of the fold models if they follow."""
        news, k, facts = self.news, len(FRAMES), world().base.card.article
        scores = sigmoid(heads.logits(news.vectors)).reshape(len(news.article), -1, k)
        by_model = [(scores[:, model], scores_of_articles(facts, scores[:, model], news.begins)) for model in range(scores.shape[1])]
        own, *folds = by_model
        if not folds:
            return Scores(own, own, own)
        paragraphs, articles = (np.stack(each) for each in zip(*folds, strict=True))
        fold = self.folds
        left_out = (paragraphs[fold[news.article], np.arange(len(news.article))], articles[fold, np.arange(len(fold))])
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
        """The weight of each paragraph, (n,), and of each article that was drawn as a whole, (m,); 0 if not drawn."""
        at, pool, units, whole = (np.array(column) for column in zip(*self.coding.draws, strict=True))
        draws = Draws(at, pool.astype(float), units.astype(float), units.astype(float), whole)
        weights = _weights(draws, self.coding.taken_by, self.coding.recorded, self.week_of_paragraph)
        place = np.where(self.coding.whole < 0, -1, (np.cumsum(whole) - 1)[self.coding.whole])
        articles = Draws(*(each[whole] for each in (at, pool.astype(float), units.astype(float), units.astype(float), whole)))
        of_articles = _weights(articles, place, (units / pool)[self.coding.whole], self.news.weeks)
        return weights, of_articles


def _weights(draws: Draws, taken_by: NDArray[np.int64], recorded: Array, stored_at: NDArray[np.int64]) -> Array:
    weights, drawn = np.zeros(len(taken_by)), np.flatnonzero(taken_by >= 0)
    weights[drawn] = 1 / inclusion_probabilities(draws, taken_by[drawn], recorded[drawn], stored_at[drawn].astype(float))
    return weights


class Cells:
    """The corrected shares of the weeks, from the annotations of a loop and some scores."""

    def __init__(self, loop: Loop, scores: Scores) -> None:
        news, coding = loop.news, loop.coding
        self._news, self._scores = news, scores
        (self._weight, self._article_weight), self._drawn = loop.weights(), coding.drawn
        count = len(news.ids)
        annotated = np.bincount(news.article[coding.drawn], minlength=count) > 0
        self._complete = coding.whole >= 0
        # What an article contributes to the sums: by all fold models, or by that which has not seen its annotations.
        self._of_paragraphs, self._of_articles = (
            np.where(annotated[:, None], left_out, mean)
            for left_out, mean in zip(map(self._by_article, scores.left_out), map(self._by_article, scores.mean), strict=True)
        )
        self._any = np.maximum.reduceat(news.labels, news.begins)

    def _by_article(self, scores: Array) -> Array:
        """The sum of the scores of each article's paragraphs, (m, k); scores of articles stay as they are."""
        return scores if len(scores) == len(self._news.ids) else np.add.reduceat(scores, self._news.begins)

    def share(self, unit: Unit, week: int, frame: int) -> Share | None:
        """The corrected share of a frame in a week; None with too few annotations."""
        articles = np.flatnonzero(self._news.weeks == week)
        if unit == "article":
            sizes, scores = np.ones(len(articles)), self._of_articles[articles, frame]
            coded = self._coded_articles(articles, frame)
        else:
            sizes, scores = self._news.sizes[articles].astype(float), self._of_paragraphs[articles, frame]
            coded = self._coded_paragraphs(week, frame)
        squares = (sizes @ sizes, scores @ scores, sizes @ scores)
        population = Sums(len(articles), sizes.sum(), scores.sum(), *squares)
        return corrected_share(population, coded) if coded.enough else None

    def _coded_articles(self, articles: NDArray[np.int64], frame: int) -> CodedUnits:
        complete = articles[self._complete[articles]]
        ones, scores = np.ones(len(complete)), self._scores.left_out[1][complete, frame]
        label = self._any[complete, frame].astype(float)
        return CodedUnits(label, scores, self._article_weight[complete], np.arange(len(complete)), ones, scores)

    def _coded_paragraphs(self, week: int, frame: int) -> CodedUnits:
        rows = np.flatnonzero(self._drawn & (self._news.weeks[self._news.article] == week))
        articles, place = np.unique(self._news.article[rows], return_inverse=True)
        return CodedUnits(
            self._news.labels[rows, frame].astype(float),
            self._scores.left_out[0][rows, frame],
            self._weight[rows],
            place,
            self._news.sizes[articles].astype(float),
            self._of_paragraphs[articles, frame],
        )
