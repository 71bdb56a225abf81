"""Datasets, calibration, operating points and figures."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, f1_score, precision_recall_fscore_support

from labels.annotations import Annotation, CodedParagraph
from labels.codebook import Codebook, Frame
from training.calibration import expected_calibration_error, fit_platt, reliability
from training.cross_validation import assign_folds, leave_out
from training.dataset import build_dataset, data_digest, is_held_out, require_trainable
from training.errors import TrainingDataError
from training.evaluation import evaluate, keyword_decisions, majority_decisions
from training.hyperparameters import Hyperparameters
from training.pipeline import fit
from training.scoring.classification import decide
from training.scoring.operating_points import MAX_FALSE_ALARM, MAX_MISSED, OPERATING_POINTS, best_f1_threshold, fit_cuts


def paragraph(article, frames=(), source="s", index=0, coders=("ann",)):
    annotations = tuple(Annotation(coder, dict.fromkeys(frames, "present")) for coder in coders)
    return CodedParagraph(article, index, source, f"words of {article} {index}", annotations)


def test_an_article_is_held_out_or_not_whatever_else_is_there(corpus, codebook):
    whole = build_dataset(corpus, codebook)
    half = build_dataset(corpus[::2], codebook)
    held_out = set(whole.articles[whole.held_out])
    assert set(half.articles[half.held_out]) <= held_out
    assert not set(half.articles[~half.held_out]) & held_out
    assert 0.1 < np.mean([is_held_out(f"article-{number}") for number in range(2000)]) < 0.2


def test_the_digest_ignores_order_and_sees_every_change(corpus):
    assert data_digest(corpus) == data_digest(corpus[::-1])
    assert data_digest(corpus) != data_digest(corpus[1:])


def test_paragraphs_on_which_coders_are_tied_are_left_out(codebook):
    tied = CodedParagraph("b", 0, "s", "text", (Annotation("a", {"foreign_hand": "present"}), Annotation("b", {})))
    assert len(build_dataset([paragraph("a"), tied], codebook)) == 1


def test_too_few_annotations_are_refused_frame_by_frame(codebook):
    few = [paragraph(f"a{n}", ["foreign_hand"] if n < 40 else []) for n in range(80)]
    with pytest.raises(TrainingDataError) as caught:
        require_trainable(build_dataset(few, codebook))
    assert "'militarized_response' has 0 paragraphs that carry it" in str(caught.value)
    assert "'foreign_hand'" not in str(caught.value)


@pytest.mark.parametrize(
    ("sources", "expected"), [(7, "leave one source out"), (37, "leave sources out, 10 groups of 37 sources")]
)
def test_sources_are_left_out_whole_singly_or_in_groups(corpus, codebook, sources, expected):
    chosen = sorted({p.source for p in corpus})[:sources]
    dataset = build_dataset([p for p in corpus if p.source in chosen], codebook)
    how, folds = assign_folds(dataset)
    assert how == expected
    for source in chosen:
        assert len(set(folds[dataset.sources == source])) == 1
    assert len(set(folds)) == min(sources, 10)


def test_with_fewer_than_three_sources_whole_articles_are_left_out(corpus, codebook):
    dataset = build_dataset([p for p in corpus if p.source in ("regional-dailies", "partisan-policy")], codebook)
    how, folds = assign_folds(dataset)
    assert "leave articles out, 5 folds" in how
    for article in set(dataset.articles):
        assert len(set(folds[dataset.articles == article])) == 1


def test_a_frame_carried_by_a_single_source_is_scored_as_rare_when_that_source_is_left_out(corpus, codebook):
    sources = {"regional-dailies", *sorted({paragraph.source for paragraph in corpus})[::5]}
    dataset = build_dataset([paragraph for paragraph in corpus if paragraph.source in sources], codebook)
    targets = dataset.targets.copy()
    targets[dataset.sources != "regional-dailies", 0] = False
    lonely = replace(dataset, targets=targets)
    left_out = leave_out(lonely, Hyperparameters(), seed=1, jobs=1)
    assert (left_out.logits[dataset.sources == "regional-dailies", 0] < -5).all()


def test_the_pipeline_holds_nothing_but_scikit_learn_and_numpy(challenger):
    import pickle
    import pickletools

    data = pickle.dumps(challenger.pipeline)
    strings = [str(argument) for _, argument, _ in pickletools.genops(data) if isinstance(argument, str)]
    modules = {
        text.split(".")[0] for text in strings if text.replace(".", "").replace("_", "").isalnum() and "." in text
    }
    assert not modules & {"labels", "training", "service"}
    assert "sklearn" in modules


def test_two_frames_are_fitted_as_two_columns():
    weather = coded_weather({"rain rain": "rain", "sun sun": "sun", "rain sun": "rain sun", "fog fog": ""}, times=5)
    pipeline = fit(weather, Hyperparameters(regularisation=100), seed=1, stances=False)
    assert (pipeline.predict(weather.texts) == weather.targets).all()


def coded_weather(texts, times):
    """A dataset of two frames, rain and sun, each text in a separate article."""
    both = tuple(Frame(key, key, key) for key in ("rain", "sun"))
    paragraphs = [
        CodedParagraph(f"{text}{n}", 0, "station", text, (Annotation("ann", dict.fromkeys(frames.split(), "present")),))
        for n in range(times)
        for text, frames in texts.items()
    ]
    return build_dataset(paragraphs, Codebook("Weather", 1, both))


def test_platt_scaling_makes_overconfident_scores_right():
    generator = np.random.default_rng(1)
    truth = generator.normal(size=20_000)
    target = generator.random(20_000) < 1 / (1 + np.exp(-truth))
    slope, offset = fit_platt(3 * truth + 1, target)
    assert slope == pytest.approx(1 / 3, rel=0.05)
    assert offset == pytest.approx(-1 / 3, abs=0.05)
    scores = 1 / (1 + np.exp(-(slope * (3 * truth + 1) + offset)))
    assert expected_calibration_error(scores, target) < 0.02


def test_scores_that_point_the_wrong_way_are_flattened_not_turned_round():
    generator = np.random.default_rng(2)
    logit = generator.normal(size=500)
    slope, offset = fit_platt(logit, generator.random(500) < 1 / (1 + np.exp(logit)))
    assert 0 < slope < 1e-3
    assert np.isfinite(offset)


def test_the_reliability_table_counts_every_paragraph_once():
    scores, target = np.array([0.0, 0.05, 0.95, 1.0]), np.array([False, True, True, True])
    table = reliability(scores, target)
    assert [(row.low, row.paragraphs, row.share) for row in table] == [(0.0, 2, 0.5), (0.9, 2, 1.0)]
    assert expected_calibration_error(scores, target) == pytest.approx((2 * 0.475 + 2 * 0.025) / 4)


def sample(size, seed):
    """Calibrated scores and what they are scores of."""
    generator = np.random.default_rng(seed)
    scores = 1 / (1 + np.exp(-generator.normal(-1.5, 2.5, size)))
    return scores, generator.random(size) < scores


def test_the_stated_error_bounds_hold_on_average_over_calibration_sets():
    """Split conformal promises this over the draw of calibration set and new paragraph together."""
    missed = {point: [] for point in OPERATING_POINTS}
    alarms = {point: [] for point in OPERATING_POINTS}
    fresh, truth = sample(20_000, seed=0)
    for seed in range(1, 201):
        for point, cut in fit_cuts(*sample(300, seed)).items():
            called = np.array([np.inf if cut.present_from is None else cut.present_from])
            missed[point].append((fresh[truth] < cut.absent_below).mean())
            alarms[point].append((fresh[~truth] >= called).mean())
    for point in OPERATING_POINTS:
        assert np.mean(missed[point]) <= MAX_MISSED[point] + 0.005
        assert np.mean(alarms[point]) <= MAX_FALSE_ALARM[point] + 0.005


def test_operating_points_do_what_they_are_called_and_never_cross():
    scores, target = sample(3000, seed=3)
    cuts = fit_cuts(scores, target)
    assert cuts["high_precision"].precision >= 0.9
    assert cuts["high_recall"].recall >= 0.9
    assert cuts["high_precision"].threshold >= cuts["balanced"].threshold >= cuts["high_recall"].threshold
    best = max(f1_score(target, scores >= threshold) for threshold in np.linspace(0.05, 0.95, 91))
    assert f1_score(target, scores >= best_f1_threshold(scores, target)) > best - 0.02


def test_decisions_are_present_uncertain_and_absent_from_high_to_low():
    cut = fit_cuts(*sample(3000, seed=4))["balanced"]
    assert cut.absent_below < cut.present_from
    scores = np.array([1.0, cut.present_from, cut.absent_below, cut.absent_below - 1e-9, 0.0])
    assert decide(scores, cut) == ["present", "present", "uncertain", "absent", "absent"]


def test_where_no_threshold_is_precise_enough_a_frame_is_never_asserted():
    generator = np.random.default_rng(5)
    scores, target = generator.random(500), generator.random(500) < 0.1
    cut = fit_cuts(scores, target)["high_precision"]
    assert (cut.threshold, cut.present_from) == (None, None)
    assert decide(np.array([1.0, 0.0]), cut) == ["uncertain", "absent"]


def test_with_too_few_paragraphs_for_a_bound_nothing_is_decided_on_that_side():
    scores = np.array([0.9, 0.8, 0.1, 0.2, 0.3])
    target = np.array([True, True, False, False, False])
    cut = fit_cuts(scores, target)["balanced"]
    assert (cut.absent_below, cut.present_from) == (0.0, None)
    assert decide(np.array([0.0, 0.5, 1.0]), cut) == ["uncertain"] * 3


@pytest.fixture(scope="module")
def judged():
    generator = np.random.default_rng(6)
    targets = generator.random((400, 3)) < [0.4, 0.2, 0.1]
    scores = np.clip(targets * 0.4 + generator.random((400, 3)) * 0.6, 0, 1)
    articles = np.array([f"a{n // 5}" for n in range(400)], dtype=object)
    return scores, scores >= 0.5, targets, articles


def test_figures_are_those_of_scikit_learn(judged):
    scores, decisions, targets, articles = judged
    evaluation = evaluate("here", ("x", "y", "z"), scores, decisions, targets, articles)
    precision, recall, f1, support = precision_recall_fscore_support(targets, decisions)
    assert [f.precision.value for f in evaluation.frames] == pytest.approx(list(precision))
    assert [f.recall.value for f in evaluation.frames] == pytest.approx(list(recall))
    assert [f.f1.value for f in evaluation.frames] == pytest.approx(list(f1))
    assert [f.support for f in evaluation.frames] == list(support)
    aps = [average_precision_score(targets[:, k], scores[:, k]) for k in range(3)]
    assert [f.average_precision.value for f in evaluation.frames] == pytest.approx(aps, rel=1e-5)
    assert evaluation.macro.f1.value == pytest.approx(f1.mean())
    assert evaluation.micro.f1.value == pytest.approx(f1_score(targets, decisions, average="micro"))


def test_intervals_contain_the_figure_and_resample_whole_articles(judged):
    scores, decisions, targets, articles = judged
    by_article = evaluate("here", ("x", "y", "z"), scores, decisions, targets, articles)
    # Repeating the paragraphs in the same articles adds no information; as separate articles they would seem to.
    repeat = [np.repeat(part, 4, axis=0) for part in (scores, decisions, targets, articles)]
    alike = evaluate("here", ("x", "y", "z"), *repeat)
    apart = evaluate("here", ("x", "y", "z"), *repeat[:3], np.arange(1600).astype(str).astype(object))

    def width(evaluation):
        figure = evaluation.macro.f1
        assert figure.low < figure.value < figure.high
        return figure.high - figure.low

    assert width(alike) == pytest.approx(width(by_article), rel=0.01)
    assert width(apart) < 0.7 * width(alike)


def test_a_frame_that_nothing_carries_has_no_figures():
    articles = np.array(["a", "b"], dtype=object)
    nothing = np.zeros((2, 2), dtype=bool)
    evaluation = evaluate("here", ("x", "y"), nothing.astype(float), nothing, nothing, articles)
    assert (evaluation.frames[0].f1.value, evaluation.frames[0].recall.value, evaluation.macro.f1.value) == (
        None,
        None,
        None,
    )


def test_the_baselines_are_what_they_say(codebook, corpus):
    dataset = build_dataset(corpus, codebook)
    assert not majority_decisions(dataset, 5).any()
    texts = np.array(["Handlers across the border paid them.", "Rain fell on the coast."], dtype=object)
    assert keyword_decisions(codebook, texts).tolist() == [[False, True, False, False], [False] * 4]
