import numpy as np
import pytest

from training.estimates.prevalence import (
    FEWEST_ARTICLES,
    FEWEST_CODED,
    CodedUnits,
    Share,
    StanceSums,
    Sums,
    annotations_needed,
    borrowed_share,
    corrected_share,
    difference,
    stance_interval,
)
from training.tiers import OwnFigures, reliability_tier

CORPORA = 1000


def sums_of(article, score, size=None):
    """The sums of articles, from the article number (n,) and score (n,) of each paragraph."""
    sizes = np.bincount(article).astype(float) if size is None else size
    scores = np.bincount(article, weights=score, minlength=len(sizes))
    return Sums(
        len(sizes),
        sizes.sum(),
        scores.sum(),
        (sizes**2).sum(),
        (scores**2).sum(),
        (sizes * scores).sum(),
    )


def coded_units(label, score, article, weight=None, sizes=None, scores=None):
    """Coded paragraphs; their articles are in the population if `sizes` and `scores` of all articles are passed."""
    known, places = np.unique(article, return_inverse=True)
    return CodedUnits(
        label=label,
        score=score,
        weight=np.ones(len(label)) if weight is None else weight,
        article=places,
        article_sizes=np.zeros(len(known)) if sizes is None else sizes[known],
        article_scores=np.zeros(len(known)) if scores is None else scores[known],
    )


def corpus(generator, articles=400, rate=0.2):
    """A simulated corpus whose classifier calls too much and whose articles are alike within."""
    article = np.repeat(np.arange(articles), generator.integers(3, 20, articles))
    leaning = np.log(rate / (1 - rate)) + generator.normal(0, 0.5, articles)[article]
    leaning = leaning + generator.normal(0, 1.0, len(article))
    carries = (generator.random(len(article)) < 1 / (1 + np.exp(-1.3 * leaning))).astype(float)
    score = 1 / (1 + np.exp(-(leaning + 0.7 + generator.normal(0, 0.7, len(article)))))
    return article, carries, score


def independent(generator, coded=2000, uncoded=8000):
    """Independent paragraphs: labels with scores, and scores without labels."""
    truth = (generator.random(coded + uncoded) < 0.3).astype(float)
    score = np.clip(0.25 + 0.4 * truth + generator.normal(0, 0.15, len(truth)), 0, 1)
    return truth[:coded], score[:coded], score[coded:]


@pytest.mark.filterwarnings("ignore")  # of libraries that ppi-python brings
@pytest.mark.parametrize("tuning", [0.0, 0.4, 1.0])
def test_the_estimate_and_its_interval_are_those_of_the_authors_own_library(tuning):
    from ppi_py import ppi_mean_ci, ppi_mean_pointestimate

    label, score, other = independent(np.random.default_rng(1))
    ours = corrected_share(
        sums_of(np.arange(len(other)), other), coded_units(label, score, np.arange(len(label))), tuning=tuning
    )
    assert ours.value == pytest.approx(
        float(np.squeeze(ppi_mean_pointestimate(label, score, other, lam=tuning))), abs=1e-12
    )
    low, high = (float(np.squeeze(end)) for end in ppi_mean_ci(label, score, other, alpha=0.05, lam=tuning))
    assert (ours.low, ours.high) == pytest.approx((low, high), abs=5e-4)
    assert ours.standard_error == pytest.approx((high - low) / 2 / 1.959964, rel=2e-3)


@pytest.mark.filterwarnings("ignore")
def test_weighted_estimates_are_those_of_the_authors_own_library():
    from ppi_py import ppi_mean_pointestimate

    generator = np.random.default_rng(2)
    label, score, other = independent(generator)
    weight = generator.uniform(0.2, 5, len(label))
    ours = corrected_share(
        sums_of(np.arange(len(other)), other), coded_units(label, score, np.arange(len(label)), weight), tuning=0.7
    )
    theirs = ppi_mean_pointestimate(label, score, other, lam=0.7, w=weight)
    assert ours.value == pytest.approx(float(np.squeeze(theirs)), abs=1e-12)


def test_annotations_that_all_agree_tune_nothing_and_files_show_that_as_plain_zero():
    label, score, other = independent(np.random.default_rng(4))
    coded = coded_units(np.zeros_like(label), score, np.arange(len(label)))
    assert str(corrected_share(sums_of(np.arange(len(other)), other), coded).tuning) == "0.0"


@pytest.mark.filterwarnings("ignore")
def test_the_tuning_is_close_to_the_authors_and_no_interval_is_narrower():
    from ppi_py import ppi_mean_ci

    label, score, other = independent(np.random.default_rng(3), coded=300)
    population, coded = sums_of(np.arange(len(other)), other), coded_units(label, score, np.arange(len(label)))
    best = corrected_share(population, coded)
    low, high = (float(np.squeeze(end)) for end in ppi_mean_ci(label, score, other, alpha=0.05))
    assert (best.low, best.high) == pytest.approx((low, high), abs=0.003)
    errors = [corrected_share(population, coded, tuning=t).standard_error for t in np.linspace(0, 1, 21)]
    assert best.standard_error <= min(errors) + 1e-12


@pytest.mark.parametrize(
    ("rate", "coded", "uneven"),
    [(0.2, FEWEST_CODED, False), (0.2, 120, True), (0.05, 120, False), (0.4, 300, True)],
)
def test_intervals_of_corrected_shares_cover_the_truth_and_raw_shares_miss_it(rate, coded, uneven):
    truth = corpus(np.random.default_rng(0), articles=100_000, rate=rate)[1].mean()
    covered, raw_covered = 0, 0
    for seed in range(1, CORPORA + 1):
        generator = np.random.default_rng(seed)
        article, carries, score = corpus(generator, rate=rate)
        if uneven:
            wanted = np.sqrt(score * (1 - score)) + 0.05
            chance = np.minimum(1, coded * wanted / wanted.sum())
            drawn = np.flatnonzero(generator.random(len(article)) < chance)
        else:
            chance = np.full(len(article), coded / len(article))
            drawn = generator.choice(len(article), coded, replace=False)
        sizes, scores = np.bincount(article).astype(float), np.bincount(article, weights=score)
        units = coded_units(carries[drawn], score[drawn], article[drawn], 1 / chance[drawn], sizes, scores)
        share = corrected_share(sums_of(article, score), units)
        covered += share.low <= truth <= share.high
        raw = (score > 0.5).mean()
        raw_covered += abs(raw - truth) <= 1.96 * np.sqrt(raw * (1 - raw) / len(score))
    assert 0.93 <= covered / CORPORA <= 0.97
    assert raw_covered / CORPORA < 0.8


def test_articles_that_are_alike_within_make_the_interval_wider():
    generator = np.random.default_rng(4)
    article, carries, score = corpus(generator)
    drawn = generator.choice(len(article), 200, replace=False)
    population = sums_of(article, score)
    alone = corrected_share(population, coded_units(carries[drawn], score[drawn], np.arange(200)))
    blocks = corrected_share(population, coded_units(np.sort(carries[drawn]), score[drawn], np.arange(200) // 10))
    assert blocks.high - blocks.low > 1.3 * (alone.high - alone.low)


def test_articles_of_unequal_weight_count_as_fewer_and_make_the_interval_wider():
    label, score, _ = independent(np.random.default_rng(9), coded=60)
    equal = coded_units(label, score, np.arange(60))
    heavy = coded_units(label, score, np.arange(60), np.where(np.arange(60) < 6, 30.0, 1.0))
    assert equal.effective_articles == pytest.approx(60)
    assert heavy.effective_articles == pytest.approx(234**2 / (6 * 900 + 54))
    few = coded_units(label[:10], score[:10], np.arange(10))
    widths = [share.high - share.low for share in (corrected_share(Sums(), u, tuning=0.0) for u in (equal, heavy, few))]
    assert widths[1] > 0.8 * widths[2] > 1.5 * widths[0]


def test_a_useless_classifier_costs_nothing():
    generator = np.random.default_rng(5)
    label, _, _ = independent(generator, coded=200)
    noise, other = generator.random(200), generator.random(5000)
    share = corrected_share(sums_of(np.arange(5000), other), coded_units(label, noise, np.arange(200)))
    assert share.value == pytest.approx(label.mean(), abs=0.02)
    assert share.high - share.low < 0.14


def test_annotations_that_all_agree_do_not_promise_certainty():
    coded = coded_units(np.zeros(60), np.full(60, 0.1), np.arange(60))
    share = corrected_share(sums_of(np.arange(500), np.full(500, 0.1)), coded)
    assert share.value == 0
    assert 0.02 < share.high < 0.2


def test_a_borrowed_share_moves_with_the_scores_of_its_cell_and_is_less_sure():
    label, score, other = independent(np.random.default_rng(6), coded=300)
    wider, coded = sums_of(np.arange(len(other)), other), coded_units(label, score, np.arange(300))
    whole = corrected_share(wider, coded)
    cell = np.clip(other[:200] + 0.1, 0, 1)
    moved = borrowed_share(sums_of(np.arange(200), cell), wider, whole, coded)
    assert moved.value == pytest.approx(whole.value + whole.tuning * (cell.mean() - other.mean()), abs=1e-9)
    assert moved.standard_error > whole.standard_error


def test_the_planned_number_of_annotations_reaches_the_width():
    generator = np.random.default_rng(7)
    label, score, other = independent(generator, coded=4000)
    population = sums_of(np.arange(len(other)), other)

    def coded(n):
        return coded_units(label[:n], score[:n], np.arange(n))

    few = 10
    assert not coded(few).enough
    assert few + annotations_needed(population, coded(few), width=0.1) >= FEWEST_CODED
    more = 100 + annotations_needed(population, coded(100), width=0.05)
    reached = corrected_share(population, coded(more))
    assert 0.035 < reached.high - reached.low < 0.065
    assert annotations_needed(population, coded(more), width=0.2) == 0


def test_annotations_from_few_articles_are_not_enough():
    crowded = coded_units(np.ones(200), np.ones(200), np.arange(200) % (FEWEST_ARTICLES - 1))
    assert not crowded.enough
    assert annotations_needed(Sums(10, 200, 100, 4000, 1000, 2000), crowded) >= 1


def test_sums_add_up_and_scale():
    generator = np.random.default_rng(8)
    article, _, score = corpus(generator, articles=50)
    half = article < 25
    whole = sums_of(article, score)
    parts = sums_of(article[half], score[half]) + sums_of(article[~half] - 25, score[~half])
    assert parts.squared_deviations == pytest.approx(whole.squared_deviations)
    assert whole.scaled(0.01).mean_score == pytest.approx(whole.mean_score)
    assert whole.scaled(0.01).squared_deviations == pytest.approx(whole.squared_deviations)
    assert Sums().mean_score == Sums().squared_deviations == 0


def test_a_difference_has_an_interval_that_contains_it_and_is_wider_than_either():
    change, low, high = difference(Share(0.4, 0.3, 0.5, 0.05, 1), Share(0.1, 0.05, 0.2, 0.04, 1))
    assert change == pytest.approx(0.3)
    assert low == pytest.approx(0.3 - np.hypot(0.1, 0.1))
    assert high == pytest.approx(0.3 + np.hypot(0.1, 0.05))


@pytest.mark.parametrize(
    ("f1", "alpha", "tier"), [(0.85, 0.81, "A"), (0.85, 0.7, "B"), (0.6, 0.9, "C"), (0.9, None, "C")]
)
def test_tiers_are_as_good_as_the_weaker_of_model_and_coders(f1, alpha, tier):
    assert reliability_tier(OwnFigures(30, 15, 10, f1, alpha)) == tier


@pytest.mark.parametrize(("paragraphs", "articles", "carrying"), [(29, 29, 20), (60, 14, 20), (60, 30, 9), (0, 0, 0)])
def test_a_frame_is_not_validated_on_few_annotations_however_good_they_look(paragraphs, articles, carrying):
    assert reliability_tier(OwnFigures(paragraphs, articles, carrying, 1.0, 1.0)) == "not_validated"


def stance_sums(stance, present):
    """Sums over articles with so much of a stance, (n,), among so many paragraphs, (n,)."""
    return StanceSums(
        len(present),
        *(float(values.sum()) for values in (stance, present, stance**2, stance * present, present**2)),
    )


@pytest.mark.parametrize("alike", [0.01, 0.3, 0.8])
def test_the_interval_of_a_stance_covers_its_share_also_where_articles_keep_to_a_stance(alike):
    generator, covered = np.random.default_rng(26), []
    for _ in range(400):
        present = 1.0 + generator.poisson(3, 40)
        own = generator.beta(0.3 * (1 - alike) / alike, 0.7 * (1 - alike) / alike, 40)
        low, high = stance_interval(stance_sums(generator.binomial(present.astype(int), own).astype(float), present))
        covered.append(low <= 0.3 <= high)
    assert np.mean(covered) > 0.92


def test_an_article_that_repeats_a_stance_does_not_make_it_surer():
    each, repeated = np.array([1.0, 0.0] * 20), np.array([4.0, 0.0] * 5)
    (low, high), (lower, higher) = (
        stance_interval(stance_sums(stance, present))
        for stance, present in ((each, np.ones(40)), (repeated, np.full(10, 4.0)))
    )
    assert higher - lower > 1.7 * (high - low)
