"""Annotating, retraining, rescoring and estimating on simulated news: corrected shares hold what they promise."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from sqlalchemy import func, select

from benchmarks.quality.loop import document
from labels.paragraphs import split_paragraphs
from service.coding.queue import ARTICLES_AT_ONCE, tasks_for
from service.prevalence.estimates import Estimates, Question
from service.store import annotations, unscored
from service.store import draws as store
from service.store.articles import Metadata, add_articles, new_article
from service.store.prevalence import Population
from service.store.scorings import Scoring
from service.store.tables import draws
from tests.support.annotation_loop import UNITS, Cells, Loop, Plan
from tests.support.coverage import BY_HEART, Coverage, band, looks, measure
from tests.support.simulated_news import FRAMES, stream, true_shares, world
from training.encoder.heads import Heads
from training.scoring.classification import classify, cuts_at
from training.scoring.frame_model import FrameModel
from training.tiers import OwnFigures

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
REPETITIONS = 40
CROSSED, UNCROSSED = 0, 1


@pytest.fixture(scope="module")
def outcomes():
    """Whether the truth was in the interval after a retraining, (repetitions, 2, units, frames)."""
    return measure(BY_HEART, REPETITIONS, jobs=1).outcomes[:, 1, :, :, 0, :, 0]


def test_corrected_shares_cover_the_truth_after_a_retraining(outcomes):
    covered = np.nanmean(outcomes[:, CROSSED], axis=(0, 2))
    assert (covered >= 0.88).all(), covered


def test_they_do_not_if_a_model_scores_what_it_was_trained_on(outcomes):
    covered = np.nanmean(outcomes[:, UNCROSSED], axis=(0, 2))
    assert (covered < 0.85).all(), covered


def test_the_true_shares_of_the_simulation_are_those_of_a_long_stream():
    news = stream(np.random.default_rng(1), 1, 6000)
    of_paragraphs, of_articles = true_shares()
    assert news.labels.mean(axis=0) == pytest.approx(of_paragraphs[0], abs=0.015)
    carried = np.maximum.reduceat(news.labels, news.begins)
    assert carried.mean(axis=0) == pytest.approx(of_articles[0], abs=0.025)


def test_the_document_has_the_coverage_of_each_look_and_marks_weeks_outside_the_band():
    names = looks(Plan())
    outcomes = np.ones((50, len(names), 2, len(UNITS), 12, len(FRAMES), 2))
    outcomes[:, :, :, :, 3] = 0.5
    outcomes[:25, :, :, :, 3, :, 0], outcomes[25:, :, :, :, 3, :, 0] = 0, 1
    coverage = Coverage(names, outcomes)
    text = document(coverage, coverage, Plan())
    assert "| week 3, after | paragraph | 1,200 | 95.8% |" in text
    assert "| 4 | " + " | ".join(["**50.0%**"] * len(names)) + " |" in text
    low, high = band(2000, 12)
    assert 0.93 < low < 0.95 < high < 0.97


class InMemory:
    """Scores the paragraphs of a stream by their vectors."""

    def __init__(self, heads, vectors):
        self._heads, self._vectors = heads, vectors

    def logits(self, texts):
        return self._heads.logits(np.array([self._vectors[text] for text in texts]))


class Stored:
    """A loop whose articles, draws, annotations and scores are in a database; its memory follows."""

    def __init__(self, database, plan):
        self.database, self.loop = database, Loop(plan, seed=1)
        self.news, self.coding = self.loop.news, self.loop.coding
        # Words that no two paragraphs share.
        self.texts = [" ".join(f"{word}{place}" for word in "abcdefgh") for place in range(len(self.news.article))]
        self.vectors = dict(zip(self.texts, self.news.vectors, strict=True))
        self.article = {identifier: place for place, identifier in enumerate(self.news.ids)}
        base = world().base
        self.use(Heads(base.coefficients, base.intercepts), replace(base.card, version="v1"))

    def use(self, heads, card):
        self.model = FrameModel(InMemory(heads, self.vectors), card)
        self.loop.scores = self.loop.scored(heads)

    def place(self, article_id, paragraph):
        return self.news.begins[self.article[article_id]] + paragraph

    def store_articles(self, week):
        arrived = []
        for article in np.flatnonzero(self.news.weeks == week):
            begin, size = self.news.begins[article], self.news.sizes[article]
            split = split_paragraphs(self.texts[begin : begin + size])
            published = MONDAY + timedelta(weeks=week)
            new = new_article(Metadata(published_at=published), "en", split, self.scoring(split))
            arrived.append(replace(new, article=replace(new.article, id=self.news.ids[article])))
        with self.database.write() as connection:
            assert {placement.outcome for placement in add_articles(connection, arrived)} == {"stored"}

    def scoring(self, split):
        texts, card = [paragraph.text for paragraph in split.paragraphs], self.model.card
        classification = classify(self.model, texts, cuts_at(self.model, "balanced", {}), explain=False)
        return Scoring(card.version, card.codebook_version, "balanced", classification)

    def annotate(self, week):
        """Lets a coder annotate paragraphs of the queue, then whole articles."""
        plan = self.loop.plan
        of_articles = plan.articles_drawn // ARTICLES_AT_ONCE
        for request in range(1 + of_articles):
            count = ARTICLES_AT_ONCE if request else plan.paragraphs_drawn
            with self.database.write() as connection:
                last = connection.scalar(select(func.max(draws.c.number))) or 0
                tasks_for(connection, "coder", count, self.model, self.loop.generator, whole=request > 0)
                drawn = connection.execute(select(draws).where(draws.c.number > last)).all()
                self.remember(drawn, week + 1 + 0.01 * request)
                for task in store.open_tasks(connection, "coder", 10_000):
                    self.code(connection, task)

    def remember(self, drawn, at):
        ids = [row.unit.split(":")[0] for row in drawn]
        if drawn[0].whole:
            articles = sorted({self.article[identifier] for identifier in ids})
            self.coding.take_articles(self.news, np.array(articles), at, drawn[0].pool)
        else:
            places = [self.place(identifier, row.paragraph) for identifier, row in zip(ids, drawn, strict=True)]
            recorded = np.array([row.inclusion_probability for row in drawn])
            self.coding.take(np.array(places), recorded, at, drawn[0].pool)

    def code(self, connection, task):
        unit = annotations.article_unit(connection, task.article_id, task.paragraph)
        labels = self.news.labels[self.place(task.article_id, task.paragraph)]
        frames = {frame: "advanced" for frame, carried in zip(FRAMES, labels, strict=True) if carried}
        covered = frozenset(FRAMES)
        new = annotations.NewAnnotation("coder", "coder", unit, frames, "", 1, covered=covered)
        annotations.add(connection, new)

    def retrain(self, version):
        adapted = self.loop.retrained()
        self.use(adapted.heads, replace(self.model.card, version=version, folds=adapted.folds))
        with self.database.write() as connection:
            numbers = range(1, unscored.newest_number(connection) + 1)
            pending = unscored.not_scored_by(connection, version, numbers, len(numbers))
            unscored.add_all(connection, [(article, self.scoring(article.split)) for article in pending])


def test_the_simulation_estimates_what_the_store_does_before_and_after_retraining(database):
    stored = Stored(database, Plan(weeks=2, articles=40, paragraphs_drawn=30, articles_drawn=30, retrained_after=()))
    stored.store_articles(0)
    stored.annotate(0)
    compare(stored, weeks=1)
    stored.retrain("v2")
    compare(stored, weeks=1)
    stored.store_articles(1)
    stored.annotate(1)
    compare(stored, weeks=2)


def compare(stored, weeks):
    cells, shown = Cells(stored.loop, stored.loop.scores), 0
    for unit in UNITS:
        with stored.database.read() as connection:
            question = Question(Population(stored.model.card.version, FRAMES), period="week", unit=unit)
            rows = Estimates(connection, question, stored.model.card, dict.fromkeys(FRAMES, OwnFigures())).rows()
        assert [(row.period, row.frame) for row in rows] == [
            ((MONDAY + timedelta(weeks=week)).date(), frame) for week in range(weeks) for frame in FRAMES
        ]
        for place, row in enumerate(rows):
            share = cells.share(unit, *divmod(place, len(FRAMES)))
            assert (share is None) == (row.corrected_share is None)
            if share is not None:
                shown += 1
                mine = (share.value, share.low, share.high, share.standard_error, share.tuning)
                assert mine == pytest.approx(
                    (row.corrected_share, row.low, row.high, row.standard_error, row.tuning), abs=1e-9
                )
    assert shown >= len(UNITS) * len(FRAMES)
