import numpy as np
import pytest

from labels.agreement import MISSING, agreement, alpha_interval, differences, krippendorff_alpha, percent_agreement
from labels.annotations import Annotation, CodedParagraph

M = MISSING


def ratings(*rows):
    return np.array(rows, dtype=np.int64)


# Worked examples of Krippendorff (2011), "Computing Krippendorff's Alpha-Reliability", sections A, B and C.
BINARY = ratings([0, 1, 0, 0, 0, 0, 0, 0, 1, 0], [1, 1, 1, 0, 0, 1, 0, 0, 0, 0])
NOMINAL = ratings([0, 0, 1, 1, 3, 2, 2, 2, 4, 3, 3, 0], [1, 0, 1, 1, 1, 2, 2, 2, 4, 3, 3, 3])
WITH_GAPS = ratings(
    [1, 2, 3, 3, 2, 1, 4, 1, 2, M, M, M],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, M, 3],
    [M, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, M],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, M],
)


@pytest.mark.parametrize(("data", "published"), [(BINARY, 0.095), (NOMINAL, 0.692), (WITH_GAPS, 0.743)])
def test_alpha_equals_the_published_worked_examples(data, published):
    assert krippendorff_alpha(data) == pytest.approx(published, abs=0.0005)


def test_percent_agreement_counts_agreeing_pairs():
    assert percent_agreement(BINARY) == pytest.approx(0.6)
    assert percent_agreement(ratings([1, M], [M, 1])) is None


def test_alpha_is_1_for_perfect_agreement_and_undefined_where_nothing_varies():
    assert krippendorff_alpha(ratings([0, 1, 0], [0, 1, 0])) == 1.0
    assert krippendorff_alpha(ratings([1, 1], [1, 1])) is None
    assert krippendorff_alpha(ratings([0, M], [M, 0])) is None


def test_systematic_disagreement_is_worse_than_chance():
    assert krippendorff_alpha(ratings([0, 1] * 10, [1, 0] * 10)) < 0


def test_the_interval_contains_alpha_and_narrows_with_more_articles():
    generator = np.random.default_rng(0)

    def interval(units):
        present = generator.random(units) < 0.4
        coders = [np.where(generator.random(units) < 0.9, present, ~present) for _ in range(2)]
        data = np.array(coders, dtype=np.int64)
        low, high = alpha_interval(data, [str(unit // 5) for unit in range(units)])
        assert low < krippendorff_alpha(data) < high
        return high - low

    assert interval(1000) < interval(100)


def test_the_interval_is_undefined_where_alpha_is_undefined():
    assert alpha_interval(ratings([0, 0], [0, 0]), ["a", "b"]) is None


def test_agreement_ignores_adjudicators_and_paragraphs_with_a_single_coder(codebook):
    def coded(article, **frames_by_coder):
        annotations = tuple(Annotation(coder, dict.fromkeys(f, "present")) for coder, f in frames_by_coder.items())
        return CodedParagraph(article, 0, "s", "text", annotations)

    paragraphs = [
        coded("a", ann=["foreign_hand"], ben=["foreign_hand"], adjudicator=[]),
        coded("b", ann=[], ben=[], adjudicator=["foreign_hand"]),
        coded("c", ann=["foreign_hand"], adjudicator=[]),
    ]
    foreign_hand = {result.frame: result for result in agreement(paragraphs, codebook)}["foreign_hand"]
    assert (foreign_hand.alpha, foreign_hand.percent) == (1.0, 1.0)
    assert (foreign_hand.coders, foreign_hand.paragraphs, foreign_hand.reading) == (2, 2, "reliable")


def test_agreement_is_undefined_without_paragraphs_that_two_coders_coded(codebook):
    single = [CodedParagraph("a", 0, "s", "text", (Annotation("ann", {}),))]
    assert {(r.alpha, r.interval, r.percent, r.reading) for r in agreement(single, codebook)} == {
        (None, None, None, "undefined")
    }


def decision(coder, covered=None, **frames):
    return Annotation(coder, frames, None if covered is None else frozenset(covered))


def test_coders_differ_about_a_frame_that_only_some_of_them_see():
    compared = differences([decision("ann", foreign_hand="reported"), decision("ben"), decision("eva")])
    assert (compared.presence, compared.stance) == ({"foreign_hand"}, frozenset())


def test_coders_who_all_see_a_frame_can_differ_about_its_stance():
    compared = differences([decision("ann", foreign_hand="reported"), decision("ben", foreign_hand="contested")])
    assert (compared.presence, compared.stance) == (frozenset(), {"foreign_hand"})


@pytest.mark.parametrize(
    "same",
    [
        [decision("ann", foreign_hand="reported")],
        [decision("ann"), decision("ben")],
        [decision("ann", foreign_hand="reported"), decision("ben", foreign_hand="present")],
        [decision("ann", foreign_hand="reported"), decision("ben", ["grievance_driven"])],
    ],
    ids=["a single coder", "no frame", "a stance that was not specified", "a frame outside of the question"],
)
def test_coders_do_not_differ_about_what_a_single_coder_decided(same):
    assert differences(same).frames == frozenset()
