"""How probable it was to be annotated, when coders leave paragraphs out and these are drawn again."""

from dataclasses import replace

import numpy as np
import pytest

from training.estimates.inclusion import Draws, Returns, inclusion_probabilities
from training.sampling import draw

WEEKS, PER_WEEK, COUNT = 12, 120, 40
NOTHING = Returns(np.zeros(0, dtype=int), np.zeros(0), np.zeros(0))


def made(at, pool, drawn, annotated, returns=NOTHING):
    columns = (np.array(column, dtype=float) for column in (at, pool, drawn, annotated))
    return Draws(*columns, whole=np.zeros(len(at), dtype=bool), returns=returns)


def returned(*entries):
    places, at, share = zip(*entries, strict=True)
    return Returns(np.array(places), np.array(at, dtype=float), np.array(share, dtype=float))


def probability(draws, *, stored_at=0.0):
    """Of a unit that the last draw took with the probability of all in its pool."""
    last = len(draws.at) - 1
    return inclusion_probabilities(draws, [last], [draws.drawn[last] / draws.pool[last]], [stored_at])[0]


def test_what_waits_for_its_coder_cannot_be_drawn_again():
    draws = made([1, 2], [100, 50], [50, 25], [10, 25])
    assert probability(draws) == pytest.approx(0.5 * 0.2 + 0.5 * 0.5)


def test_what_was_returned_before_a_draw_can_be():
    draws = made([1, 2], [100, 90], [50, 45], [10, 45], returned((0, 1.5, 1.0)))
    assert probability(draws) == pytest.approx(0.5 * 0.2 + (0.5 + 0.5 * 0.8) * 0.5)


def test_with_everything_returned_before_the_next_draw_it_is_one_minus_the_product():
    draws = made([1, 2, 3], [100, 90, 80], [50, 45, 40], [10, 20, 30], returned((0, 1.5, 1.0), (1, 2.5, 1.0)))
    missed = (1 - 0.5 * 0.2) * (1 - 0.5 * 20 / 45) * (1 - 0.5 * 0.75)
    assert probability(draws) == pytest.approx(1 - missed)


def test_a_part_that_was_returned_counts_as_a_part():
    draws = made([1, 2], [100, 70], [50, 35], [10, 35], returned((0, 1.5, 0.25), (0, 2.5, 0.75)))
    assert probability(draws) == pytest.approx(0.5 * 0.2 + (0.5 + 0.5 * 0.8 * 0.25) * 0.5)


def test_a_return_is_of_no_use_to_what_was_stored_after_the_draw():
    draws = made([1, 2], [100, 90], [50, 45], [10, 45], returned((0, 1.5, 1.0)))
    assert probability(draws, stored_at=1.2) == pytest.approx(0.5)


def test_a_clock_that_was_set_back_returns_nothing_before_it_was_drawn():
    late = made([1, 2], [100, 90], [50, 45], [10, 45], returned((0, 0.1, 1.0)))
    in_time = replace(late, returns=returned((0, 1.5, 1.0)))
    assert probability(late) == pytest.approx(probability(in_time))


def coded_for_twelve_weeks(generator):
    """A store that grows, whose coders leave much out; what they leave is returned a week or three later, or never.

    Returns the draws, and of each paragraph its week, whether it carries the frame, whether it is annotated, the draw
    that took it last, and the probability which that draw recorded.
    """
    week = np.repeat(np.arange(WEEKS, dtype=float), PER_WEEK)
    carries = generator.random(len(week)) < 0.1 + 0.04 * week
    # The model is surest of late paragraphs without the frame, so these are drawn more seldom.
    score = np.clip(0.5 - 0.035 * week * ~carries + generator.normal(0, 0.08, len(week)), 0.02, 0.98)
    state, recorded = np.full(len(week), -1), np.full(len(week), np.nan)
    annotated = np.zeros(len(week), dtype=bool)
    pools, drawn, answered, returns = [], [], [], []
    waiting = {}
    for number in range(WEEKS):
        for place, (due, left) in list(waiting.items()):
            if due <= number and len(left):
                returns.append((place, number - 0.5, 1.0))
                state[left] = -1
                del waiting[place]
        pool = np.flatnonzero((week <= number) & (state < 0))
        entries = draw(score[pool, None], COUNT, generator)
        places = pool[[entry.position for entry in entries]]
        state[places], recorded[places] = number, [entry.inclusion_probability for entry in entries]
        coded = generator.random(len(places)) < (0.2, 0.9, 0.5)[number % 3]
        annotated[places[coded]] = True
        waiting[number] = (number + (1, 3, 99)[number % 3], places[~coded])
        pools.append(len(pool))
        drawn.append(len(places))
        answered.append(coded.sum())
    draws = made(np.arange(WEEKS), pools, drawn, answered, returned(*returns))
    return draws, week, carries, annotated, state, recorded


def estimates(seed, change=lambda draws: draws):
    """The weights of all annotations by week, as a share of the paragraphs, and the corrected share of the frame."""
    draws, week, carries, annotated, state, recorded = coded_for_twelve_weeks(np.random.default_rng(seed))
    rows = np.flatnonzero(annotated)
    probabilities = inclusion_probabilities(change(draws), state[rows], recorded[rows], week[rows])
    weight = 1 / probabilities
    of_weeks = np.bincount(week[rows].astype(int), weight, WEEKS) / PER_WEEK
    return of_weeks, (weight * carries[rows]).sum() / weight.sum() - carries.mean()


def test_annotations_stand_for_all_paragraphs_and_shares_are_unbiased_although_much_was_returned_and_drawn_again():
    of_weeks, errors = zip(*(estimates(seed) for seed in range(300)), strict=True)
    assert np.mean(of_weeks, axis=0) == pytest.approx(np.ones(WEEKS), abs=0.08)
    assert np.mean(of_weeks) == pytest.approx(1, abs=0.03)
    assert abs(np.mean(errors)) < 4 * np.std(errors) / np.sqrt(len(errors)) + 0.002


def test_they_would_not_if_returns_were_not_counted():
    of_weeks, _ = zip(
        *(estimates(seed, lambda draws: replace(draws, returns=NOTHING)) for seed in range(50)), strict=True
    )
    assert np.mean(of_weeks, axis=0)[0] > 1.2
