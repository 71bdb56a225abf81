import re

import numpy as np
import pytest

from training.promotion import FEWEST_ARTICLES, FEWEST_CARRYING, FRAME_MARGIN, compare, first_model_verdict
from training.reports.label_diff import LabelDiff
from training.scoring.frame_model import FrameModel

FRAMES = ("x", "y")


@pytest.fixture
def truth():
    generator = np.random.default_rng(0)
    return generator.random((600, 2)) < [0.4, 0.3], np.array([f"a{n // 6}" for n in range(600)], dtype=object)


def spoiled(targets, shares, seed=1):
    """Decisions that differ from the truth on a share of the paragraphs, frame by frame."""
    generator = np.random.default_rng(seed)
    return targets ^ (generator.random(targets.shape) < shares)


def verdict(truth, champion, challenger, **options):
    targets, articles = truth
    return compare("v1", FRAMES, targets, spoiled(targets, champion), spoiled(targets, challenger), articles, **options)


def test_a_better_challenger_is_promoted_with_the_gain_and_its_interval(truth):
    result = verdict(truth, [0.2, 0.2], [0.05, 0.05])
    assert result.promote
    assert result.challenger_macro_f1 > result.champion_macro_f1
    assert 0 < result.gain.low < result.gain.value < result.gain.high
    assert result.better_in > 0.99
    assert f"higher by {result.gain.value:.3f}, 95% interval" in result.reason
    assert "on 600 annotated paragraphs of 100 articles" in result.reason


def test_a_worse_challenger_is_not(truth):
    result = verdict(truth, [0.05, 0.05], [0.2, 0.2])
    assert not result.promote
    assert "is lower by" in result.reason


def test_a_challenger_that_loses_much_on_a_single_frame_is_not_promoted_though_better_on_the_whole(truth):
    result = verdict(truth, [0.30, 0.02], [0.02, 0.12])
    assert result.gain.value > 0
    assert not result.promote
    assert f"more than {FRAME_MARGIN} of F1 on a frame: y by" in result.reason


def test_two_alike_models_differ_by_nothing_and_nobody_is_promoted(truth):
    result = verdict(truth, [0.1, 0.1], [0.1, 0.1])
    assert not result.promote
    assert "decide alike" in result.reason
    assert (result.gain.value, result.gain.low, result.gain.high, result.better_in) == (0, 0, 0, 0)


def test_the_bootstrap_is_paired_so_what_is_hard_for_both_cancels_out(truth):
    targets, articles = truth
    champion = spoiled(targets, [0.3, 0.3])
    challenger = champion.copy()
    challenger[:12] = targets[:12]
    result = compare("v1", FRAMES, targets, champion, challenger, articles)
    assert result.gain.high - result.gain.low < 0.05
    assert result.gain.low >= 0


def test_a_gain_that_may_be_chance_promotes_nobody_and_the_annotations_that_would_show_it_are_counted(truth):
    targets, articles = truth
    champion = spoiled(targets, [0.3, 0.3])
    challenger = spoiled(targets, [0.29, 0.3], seed=2)
    result = compare("v1", FRAMES, targets, champion, challenger, articles)
    assert result.gain.low < 0 < result.gain.high
    assert not result.promote
    assert "no difference that 600 annotated paragraphs of 100 articles can show" in result.reason
    needed = int(re.search(r"some ([\d,]+) would show a gain of", result.reason)[1].replace(",", ""))
    half, wanted = (result.gain.high - result.gain.low) / 2, max(result.gain.value, 0.02)
    assert needed == pytest.approx(600 * (half / wanted) ** 2, rel=0.05)


def test_where_a_gain_would_have_shown_no_more_annotations_are_asked_for(truth):
    targets, articles = truth
    champion = spoiled(targets, [0.1, 0.1])
    challenger = champion.copy()
    wrong, right = np.flatnonzero(champion[:, 0] != targets[:, 0]), np.flatnonzero(champion[:, 0] & targets[:, 0])
    challenger[[wrong[0], right[-1]], 0] ^= True
    result = compare("v1", FRAMES, targets, champion, challenger, articles)
    assert result.gain.low < 0 < result.gain.high
    assert "a gain of 0.020 would have shown." in result.reason


def test_frames_of_a_single_model_are_named(truth):
    assert (
        "The codebook changed: z could not be compared"
        in verdict(truth, [0.1, 0.1], [0.05, 0.05], left_out_frames=["z"]).reason
    )


def test_without_held_out_paragraphs_nobody_is_promoted_unseen(truth):
    nothing = np.zeros((0, 2), dtype=bool)
    result = compare("v1", FRAMES, nothing, nothing, nothing, np.array([], dtype=object))
    assert not result.promote
    assert "no annotated paragraphs that neither model has seen" in result.reason
    assert first_model_verdict().promote


def test_the_label_diff_counts_every_changed_decision_and_shows_examples(challenger, other_challenger, corpus):
    from training.scoring.classification import classify, cuts_at

    models = [FrameModel.of(c.pipeline, c.card) for c in (challenger, other_challenger)]
    texts = [p.text for p in corpus[:300]]
    places = [{"article_id": p.article, "paragraph": p.index} for p in corpus[:300]]
    diff = LabelDiff(*models)
    diff.add(places[:100], texts[:100])
    diff.add(places[100:], texts[100:])
    before, after = (classify(m, texts, cuts_at(m, "balanced", {}), explain=False).paragraphs for m in models)
    for frame, changes in diff.changes.items():
        changed = [n for n in range(300) if before[n][frame].decision != after[n][frame].decision]
        assert sum(changes.counts.values()) == len(changed) > 0
        # What comes to be present, or no longer is, is shown first.
        shown = sorted(changed, key=lambda n: "present" not in (before[n][frame].decision, after[n][frame].decision))
        assert [e["article_id"] for e in changes.examples] == [corpus[n].article for n in shown[:5]]
        assert changes.present_before == sum(row[frame].decision == "present" for row in before)
        assert changes.present_after == sum(row[frame].decision == "present" for row in after)
    assert diff.paragraphs == 300


def test_a_challenger_is_not_promoted_where_no_held_out_paragraph_carries_a_frame():
    nothing, called = np.zeros((6, 2), dtype=bool), np.ones((6, 2), dtype=bool)
    articles = np.array(["a", "a", "b", "b", "c", "c"], dtype=object)
    verdict = compare("v1", ("blame", "hand"), nothing, nothing, called, articles)
    assert not verdict.promote
    assert "No annotated paragraph carries a frame" in verdict.reason


@pytest.mark.parametrize(("articles", "carrying"), [(1, 3), (FEWEST_ARTICLES - 1, 40), (40, FEWEST_CARRYING - 1)])
def test_too_few_held_out_articles_or_paragraphs_with_a_frame_promote_nobody(articles, carrying):
    result = better_on(articles, carrying)
    assert result.gain.value > 0
    assert not result.promote
    assert "too few to say that it is better" in result.reason
    assert f"{carrying} paragraphs that carry a frame" in result.reason


def test_just_enough_held_out_articles_and_paragraphs_with_a_frame_suffice():
    assert better_on(FEWEST_ARTICLES, FEWEST_CARRYING).promote


def test_a_worse_challenger_is_called_worse_however_few_articles_there_are():
    targets = np.array([[True, False]] * 4)
    articles = np.array(["a"] * 4, dtype=object)
    assert "is lower by" in compare("v1", FRAMES, targets, targets, ~targets, articles).reason


def better_on(articles, carrying):
    """The verdict on a challenger that finds every frame, against a champion that finds the half of them."""
    count = max(articles, carrying)
    targets = np.zeros((count, 2), dtype=bool)
    targets[:carrying] = True
    champion = targets.copy()
    champion[: -(-carrying // 2)] = False
    names = np.array([f"a{number % articles}" for number in range(count)], dtype=object)
    return compare("v1", FRAMES, targets, champion, targets, names)
