import numpy as np
import pytest

from labels.duplicates import representatives
from training.sampling import draw, proportional_probabilities, systematic_sample, uncertainty


def pool(size=400, seed=0):
    generator = np.random.default_rng(seed)
    scores = 1 / (1 + np.exp(-generator.normal(-2, 2, (size, 3))))
    carries = generator.random(size) < scores[:, 0]
    return scores, carries


def test_probabilities_sum_to_the_sample_and_follow_size():
    sizes = np.array([1.0, 2.0, 4.0, 100.0])
    probabilities = proportional_probabilities(sizes, 2)
    assert probabilities.sum() == pytest.approx(2)
    assert probabilities[3] == 1.0
    assert probabilities[2] == pytest.approx(2 * probabilities[1])
    assert np.allclose(proportional_probabilities(np.zeros(10), 3), 0.3)


def test_systematic_sampling_has_a_fixed_size_and_exactly_its_probabilities():
    probabilities = proportional_probabilities(np.linspace(0.1, 3, 40), 8)
    generator = np.random.default_rng(1)
    seen = np.zeros(40)
    for _ in range(4000):
        sample = systematic_sample(probabilities, generator)
        assert len(set(sample.tolist())) == 8
        seen[sample] += 1
    assert np.abs(seen / 4000 - probabilities).max() < 0.03


def test_every_paragraph_can_be_drawn_and_the_unsure_more_often():
    scores, _ = pool()
    probability = np.zeros(len(scores))
    generator = np.random.default_rng(2)
    seen = np.zeros(len(scores))
    for _ in range(3000):
        for paragraph in draw(scores, 40, generator):
            seen[paragraph.position] += 1
            probability[paragraph.position] = paragraph.inclusion_probability
    assert (seen > 0).all()
    assert np.abs(seen / 3000 - probability).max() < 0.04
    unsure = uncertainty(scores)
    assert seen[unsure > np.median(unsure)].sum() > 1.5 * seen[unsure <= np.median(unsure)].sum()


def test_the_weighted_estimate_of_prevalence_is_unbiased_and_the_unweighted_is_not():
    scores, carries = pool()
    generator = np.random.default_rng(3)
    weighted, plain = [], []
    for _ in range(3000):
        sample = draw(scores, 60, generator)
        weighted.append(sum(carries[d.position] / d.inclusion_probability for d in sample) / len(scores))
        plain.append(np.mean([carries[d.position] for d in sample]))
    truth = carries.mean()
    error = np.std(weighted) / np.sqrt(len(weighted))
    assert abs(np.mean(weighted) - truth) < 4 * error
    assert abs(np.mean(plain) - truth) > 10 * np.std(plain) / np.sqrt(len(plain))


def test_a_pool_smaller_than_the_sample_is_taken_whole():
    scores, _ = pool(5)
    assert [(d.position, d.inclusion_probability) for d in draw(scores, 9, np.random.default_rng())] == [
        (position, 1.0) for position in range(5)
    ]


def test_near_duplicates_are_represented_once():
    wire = (
        "The army said on Tuesday that its troops had killed twelve gunmen in the hills above the town of Velin, where "
        "the road to the coast was closed for a third day, shops stayed shut, and families who had left their homes in "
        "the spring waited in two schools for news of those who had stayed behind to look after the animals."
    )
    texts = [
        wire,
        "Rain fell on the coast and the market stayed closed until noon.",
        wire.replace("Tuesday", "Monday", 1),
        wire,
    ]
    assert representatives(texts) == [0, 1]
    assert representatives([]) == []
    assert representatives(["", "a", "a b"]) == [0, 1, 2]
