"""Long jobs say before they start how long they take: by their own first paragraphs, with the other kind beside it."""

from types import SimpleNamespace

import numpy as np
import pytest

from training.scoring import pace
from training.scoring.frame_model import FrameModel
from training.scoring.pace import Estimate, duration, paragraphs_per_second


class Scorer:
    """Scores every paragraph 0.5, in a given time, on a clock of its own."""

    def __init__(self, seconds):
        self.seconds, self.now, self.scored = seconds, 0.0, []

    def logits(self, texts):
        self.scored += texts
        self.now += self.seconds * len(texts)
        return np.zeros((len(texts), 1))


@pytest.fixture
def model(monkeypatch):
    def make(seconds):
        scorer = Scorer(seconds)
        monkeypatch.setattr(pace.time, "perf_counter", lambda: scorer.now)
        card = SimpleNamespace(frames={"a": "A"}, frame_keys=("a",), stances=(), subject=None, folds=None)
        return FrameModel(scorer, card), scorer

    return make


TEXTS = [f"paragraph {number}" for number in range(5000)]


@pytest.mark.parametrize("seconds", [0.05, 0.00005])
def test_the_pace_is_that_of_the_jobs_first_paragraphs_which_are_not_scored_again(model, seconds):
    timed, scorer = model(seconds)
    assert paragraphs_per_second(timed, TEXTS, seconds=0.2) == pytest.approx(1 / seconds)
    assert scorer.now < 0.2 + 17 * 0.05
    before = list(scorer.scored)
    assert before == TEXTS[: len(before)]
    timed.score(TEXTS[: len(before)])
    assert scorer.scored == before


def test_paragraphs_that_occur_twice_are_timed_once_and_too_few_have_no_pace(model):
    timed, _ = model(0.05)
    assert paragraphs_per_second(timed, TEXTS[:4] * 10) is None
    assert paragraphs_per_second(timed, []) is None


def test_an_estimate_names_the_kind_the_paragraphs_the_time_and_that_of_the_other_kind(monkeypatch):
    monkeypatch.setattr(pace, "available_cores", lambda: 2)
    sentence = Estimate("encoder", 52_340, 1 / 40, 1 / 10_000).sentence()
    assert sentence.startswith(
        "Scoring about 52,000 paragraphs: about 22 minutes at 40 paragraphs per second (kind enc"
    )
    assert sentence.endswith(
        "; others would take: a model of words about 8 seconds and a small encoder about 4 minutes."
    )
    assert "Scoring 12 paragraphs: about 1 second" in Estimate("words", 12, 1 / 30_000, exact=True).sentence()
    assert "an encoder about 22 minutes" in Estimate("words", 52_340, 1 / 30_000).sentence("Rescoring")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.01, "1 second"), (80, "80 seconds"), (100, "2 minutes"), (7200, "2 hours"), (9 * 86_400, "9 days")],
)
def test_a_time_is_given_in_a_unit_that_suits_it(seconds, words):
    assert duration(seconds) == words
