"""A model against annotations, week by week: what chance explains, and what it does not."""

from datetime import date, timedelta

import numpy as np
import pytest

from training.estimates.weeks import weekly

FIRST = date(2026, 1, 5)


def weeks_of(seed, *, weeks=8, articles=12, worse=None):
    """Weeks of a model that finds three of four frames; in the week `worse` it finds one of five."""
    generator, starts, counts = np.random.default_rng(seed), [], []
    for week in range(weeks):
        for _ in range(articles):
            seen = generator.poisson(2)
            hits = generator.binomial(seen, 0.2 if week == worse else 0.75)
            starts.append(FIRST + timedelta(weeks=week))
            counts.append((hits, generator.binomial(2, 0.15), seen - hits))
    return weekly(starts, np.array(counts, dtype=float))[1]


def test_with_stable_news_any_week_is_said_to_decline_in_a_twentieth_of_the_cases():
    declined = [any(week.declined for week in weeks_of(seed)) for seed in range(200)]
    assert 0.01 <= np.mean(declined) <= 0.1


def test_a_week_in_which_the_model_misses_most_frames_is_said_to_decline_and_no_other():
    assert [week.start for week in weeks_of(3, worse=5) if week.declined] == [FIRST + timedelta(weeks=5)]


def test_weeks_come_in_order_with_the_f1_of_their_own_articles():
    starts = [FIRST + timedelta(weeks=1), FIRST, FIRST]
    whole, weeks = weekly(starts, np.array([(1, 0, 1), (1, 0, 0), (0, 0, 0)], dtype=float))
    assert [(week.start, week.articles) for week in weeks] == [(FIRST, 2), (FIRST + timedelta(weeks=1), 1)]
    assert [week.f1 for week in weeks] == pytest.approx([1, 2 / 3])
    assert whole == pytest.approx(4 / 5)


def test_the_lowest_f1_that_chance_explains_is_never_below_zero():
    lowest = [week.lowest for week in weeks_of(1, weeks=20, articles=1)]
    assert min(lowest) == 0


def test_a_single_week_has_nothing_to_be_compared_with_and_no_annotations_are_no_weeks():
    _, [week] = weekly([FIRST], np.array([[0.0, 3.0, 4.0]]))
    assert (week.lowest, week.declined) == (None, False)
    assert weekly([], np.zeros((0, 3))) == (None, [])
    whole, weeks = weekly([FIRST, FIRST + timedelta(weeks=1)], np.zeros((2, 3)))
    assert (whole, [(week.f1, week.declined) for week in weeks]) == (None, [(None, False)] * 2)
