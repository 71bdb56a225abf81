"""Regressions with corrected labels recover known coefficients, and those on a model's decisions do not."""

from dataclasses import replace

import numpy as np
import pytest

from training.errors import RegressionError
from training.estimates.inclusion import Draws, inclusion_probabilities
from training.estimates.regression import Sample, corrected_labels, regress
from training.sampling import draw

REPETITIONS = 500
TERMS = ("intercept", "outlet", "day")
WEEKS = 12


def simulated(generator, *, articles=300, coded=200):
    """A corpus whose classifier errs more on one outlet and on some days; returns it with the label of everything."""
    article = np.repeat(np.arange(articles), generator.integers(3, 12, articles))
    outlet = generator.integers(0, 2, articles)[article].astype(float)
    day = generator.uniform(0, 1, articles)[article]
    leaning = -1.2 + 0.8 * outlet + 1.0 * day + generator.normal(0, 0.5, articles)[article]
    carries = (generator.random(len(article)) < 1 / (1 + np.exp(-leaning))).astype(float)
    noise = generator.normal(0, 0.8, len(article))
    score = 1 / (1 + np.exp(-(-1 + 2.2 * carries - outlet * (1 - day) + noise)))
    wanted = np.sqrt(score * (1 - score)) + 0.05
    chance = np.minimum(1, coded * wanted / wanted.sum())
    drawn = generator.random(len(article)) < chance
    sample = Sample(
        terms=TERMS,
        design=np.column_stack([np.ones(len(article)), outlet, day]),
        score=score,
        decision=(score > 0.5).astype(float),
        label=np.where(drawn, carries, np.nan),
        probability=np.where(drawn, chance, np.nan),
        article=article,
    )
    return sample, carries


def known(sample, carries):
    """The same corpus where everything is annotated."""
    return replace(sample, label=carries, probability=np.ones(len(carries)))


def theirs(sample, outcome, link):
    """What statsmodels makes of the same regression."""
    import statsmodels.api as sm

    family = sm.families.Gaussian() if link == "linear" else sm.families.Binomial()
    model = sm.GLM(outcome, sample.design, family=family)
    return model.fit(cov_type="cluster", cov_kwds={"groups": sample.article})


@pytest.mark.parametrize("link", ["linear", "logistic"])
@pytest.mark.parametrize("coded", [60, 200])
def test_intervals_hold_the_known_coefficients_and_a_regression_on_decisions_misses_them(link, coded):
    whole, carries = simulated(np.random.default_rng(0), articles=40_000)
    truth = np.array([entry.coefficient for entry in regress(known(whole, carries), link)])
    inside, uncorrected, errors, values = np.zeros(3), [], [], []
    for seed in range(1, REPETITIONS + 1):
        estimated = regress(simulated(np.random.default_rng(seed), coded=coded)[0], link)
        inside += [entry.low <= true <= entry.high for entry, true in zip(estimated, truth, strict=True)]
        values.append([entry.coefficient for entry in estimated])
        errors.append([entry.standard_error for entry in estimated])
        uncorrected.append([entry.raw_coefficient for entry in estimated])
    assert all(0.93 <= share <= 0.98 for share in inside / REPETITIONS)
    assert np.std(values, axis=0) == pytest.approx(np.mean(errors, axis=0), rel=0.12)
    # The outlet whose frames the classifier misses looks as if it hardly differed.
    assert np.mean(uncorrected, axis=0)[1] < 0.4 * truth[1]
    assert np.mean(values, axis=0)[1] == pytest.approx(truth[1], rel=0.06)


@pytest.mark.filterwarnings("ignore")  # of libraries that statsmodels brings
@pytest.mark.parametrize("link", ["linear", "logistic"])
def test_with_every_label_known_it_is_the_ordinary_regression_clustered_by_article(link):
    sample, carries = simulated(np.random.default_rng(3))
    ours, other = regress(known(sample, carries), link), theirs(sample, carries, link)
    assert [entry.coefficient for entry in ours] == pytest.approx(list(other.params), rel=1e-6)
    assert [entry.standard_error for entry in ours] == pytest.approx(list(other.bse), rel=1e-6)
    naive = theirs(sample, sample.decision, link)
    assert [entry.raw_coefficient for entry in ours] == pytest.approx(list(naive.params), rel=1e-6)


def test_corrected_labels_are_labels_on_average_whatever_the_scores_are():
    sample, carries = simulated(np.random.default_rng(4))
    chance = np.full(len(carries), 0.25)
    generator = np.random.default_rng(5)
    for score in (sample.score, np.zeros(len(carries)), generator.random(len(carries))):
        means = []
        for _ in range(300):
            drawn = generator.random(len(carries)) < chance
            again = replace(
                sample,
                score=score,
                label=np.where(drawn, carries, np.nan),
                probability=np.where(drawn, chance, np.nan),
            )
            means.append(corrected_labels(again).mean())
        assert np.mean(means) == pytest.approx(carries.mean(), abs=0.005)


@pytest.mark.parametrize("link", ["linear", "logistic"])
@pytest.mark.parametrize("unit", [1e-290, 1e-17, 1e6, 1e200])
def test_a_coefficient_does_not_depend_on_the_unit_of_its_variable(link, unit):
    sample, _ = simulated(np.random.default_rng(4))
    day = regress(sample, link)[2]
    scaled = regress(replace(sample, design=sample.design * [1, 1, unit]), link)[2]
    figures = [(entry.coefficient, entry.standard_error, entry.raw_coefficient) for entry in (day, scaled)]
    assert np.multiply(figures[1], unit) == pytest.approx(figures[0])


def test_variables_that_say_the_same_are_named():
    sample, _ = simulated(np.random.default_rng(6))
    twice = np.column_stack([sample.design, 1 - sample.design[:, 1]])
    with pytest.raises(RegressionError, match="'other outlet' says nothing"):
        regress(replace(sample, terms=(*TERMS, "other outlet"), design=twice), "linear")


def test_a_logistic_regression_without_a_solution_says_so_and_the_linear_has_one():
    sample, carries = simulated(np.random.default_rng(7))
    never = known(sample, carries * sample.design[:, 1])
    with pytest.raises(RegressionError, match="has no solution"):
        regress(never, "logistic")
    assert regress(never, "linear")[0].coefficient == pytest.approx(0, abs=0.05)


def test_without_annotations_there_is_no_regression():
    sample, carries = simulated(np.random.default_rng(8))
    nothing = np.full(len(carries), np.nan)
    with pytest.raises(RegressionError, match="No annotation corrects"):
        regress(replace(sample, label=nothing, probability=nothing), "linear")


def growing(generator, *, per_week=25, count=30):
    """A store that grows for twelve weeks, of whose paragraphs the queue draws some each week; few are coded in one."""
    article = np.repeat(np.arange(WEEKS * per_week), generator.integers(3, 8, WEEKS * per_week))
    week = (article // per_week).astype(float)
    leaning = -1.2 + 0.08 * week + generator.normal(0, 0.5, WEEKS * per_week)[article]
    carries = (generator.random(len(article)) < 1 / (1 + np.exp(-leaning))).astype(float)
    # The classifier takes the language of later weeks for the frame.
    later = 0.15 * week * (carries == 0)
    score = 1 / (1 + np.exp(-(-1.4 + 2.2 * carries + later + generator.normal(0, 0.8, len(article)))))
    taken, recorded, coded = np.full(len(article), -1), np.full(len(article), np.nan), np.zeros(len(article), bool)
    pools, drawn, annotated = [], [], []
    for number in range(WEEKS):
        pool = np.flatnonzero((week <= number) & (taken < 0))
        draws = draw(score[pool, None], count, generator)
        places = pool[[entry.position for entry in draws]]
        taken[places], recorded[places] = number, [entry.inclusion_probability for entry in draws]
        coded[places] = generator.random(len(places)) < (0.45 if number == 3 else 0.9)
        pools.append(len(pool))
        drawn.append(len(places))
        annotated.append(coded[places].sum())
    made = Draws(
        np.arange(WEEKS, dtype=float), *(np.array(each, dtype=float) for each in (pools, drawn, annotated)),
        whole=np.zeros(WEEKS, dtype=bool),
    )  # fmt: skip
    probability = np.full(len(article), np.nan)
    of = np.flatnonzero(coded)
    probability[of] = inclusion_probabilities(made, taken[of], recorded[of], week[of])
    sample = Sample(
        ("intercept", "week"),
        np.column_stack([np.ones(len(article)), week]),
        score,
        (score > 0.5).astype(float),
        np.where(coded, carries, np.nan),
        probability,
        article,
    )
    return sample, carries


def test_in_a_store_that_grows_while_it_is_coded_the_annotations_of_each_week_stand_for_all_its_paragraphs():
    represented = []
    for seed in range(300):
        sample, _ = growing(np.random.default_rng(seed))
        weight = np.nan_to_num(1 / sample.probability)
        week = sample.design[:, 1].astype(int)
        represented.append(np.bincount(week, weight, WEEKS) / np.bincount(week))
    assert np.mean(represented, axis=0) == pytest.approx(np.ones(WEEKS), abs=0.1)


def test_a_trend_in_a_store_that_grows_while_it_is_coded_is_not_that_of_the_errors():
    whole, carries = growing(np.random.default_rng(0), per_week=4000)
    truth = regress(known(whole, carries), "linear")[1].coefficient
    estimated = [regress(growing(np.random.default_rng(seed))[0], "linear")[1] for seed in range(1, REPETITIONS + 1)]
    assert 0.93 <= np.mean([entry.low <= truth <= entry.high for entry in estimated]) <= 0.98
    assert np.mean([entry.raw_coefficient for entry in estimated]) > 2 * truth


def test_a_unit_of_a_single_draw_has_the_probability_that_the_draw_recorded_times_the_share_that_was_coded():
    draws = Draws(*(np.array([value]) for value in (1.0, 100.0, 20.0, 15.0)), whole=np.array([False]))
    assert list(inclusion_probabilities(draws, [0, 0], [0.2, 0.4], [0.0, 0.0])) == pytest.approx([0.15, 0.3])
    assert len(inclusion_probabilities(draws, [], [], [])) == 0


def test_draws_of_whole_articles_and_of_paragraphs_add_up():
    draws = Draws(
        at=np.array([1.0, 2.0]),
        pool=np.array([50.0, 200.0]),
        drawn=np.array([10.0, 20.0]),
        annotated=np.array([10.0, 20.0]),
        whole=np.array([True, False]),
    )
    by_article, by_paragraph, later = inclusion_probabilities(draws, [0, 1, 1], [0.2, 0.1, 0.1], [0.0, 0.0, 1.5])
    assert (by_article, by_paragraph) == pytest.approx((1 - 0.8 * 0.9, 1 - 0.8 * 0.9))
    assert later == pytest.approx(0.1)
