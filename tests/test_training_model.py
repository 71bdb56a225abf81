"""Training, scoring and explaining as a whole."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logit

from labels.annotations import read_corpus
from labels.codebook import read_codebook
from labels.normalise import normalise
from tests.support.weather import WEATHER, weather
from training.challenger import train_challenger
from training.dataset import is_held_out
from training.errors import ModelFileError, TrainingDataError
from training.hyperparameters import Hyperparameters
from training.registry.card import card_from_json, card_to_json
from training.reports.card import card_to_markdown
from training.scoring.classification import classify, cuts_at
from training.scoring.frame_model import FrameModel


@pytest.fixture(scope="module")
def model(challenger):
    return FrameModel.of(challenger.pipeline, challenger.card)


@pytest.fixture(scope="module")
def part(part_of_the_corpus, codebook):
    return read_corpus(part_of_the_corpus, codebook)


def test_nothing_of_a_held_out_article_reaches_the_fitted_model(part, codebook, other_challenger):
    data = other_challenger.card.data
    training = [p for p in part if not is_held_out(p.article)]
    assert data.articles == len({p.article for p in training})
    assert data.articles + data.held_out_articles == len({p.article for p in part})
    assert data.held_out_articles > 0
    again = train_challenger(training, codebook)
    assert (scores_by(again, part) == scores_by(other_challenger, part)).all()


def test_same_data_and_seed_give_the_same_scores_whatever_the_number_of_processes(part, codebook, other_challenger):
    assert (scores_by(train_challenger(part, codebook), part) == scores_by(other_challenger, part)).all()
    in_two = train_challenger(part, codebook, jobs=2)
    assert np.abs(scores_by(in_two, part) - scores_by(other_challenger, part)).max() < 1e-12


def scores_by(challenger, paragraphs):
    return FrameModel.of(challenger.pipeline, challenger.card).score([p.text for p in paragraphs[:200]])


def test_scores_are_the_probabilities_of_the_stored_pipeline(corpus, challenger, model):
    texts = [p.text for p in corpus[:300]]
    probabilities = challenger.pipeline.predict_proba([normalise(text) for text in texts])
    assert np.abs(model.score(texts) - probabilities[:, : len(model.card.frames)]).max() < 1e-12


def _assert_exact(model, texts):
    scored, explanations = model.score_and_explain(texts)
    scores = scored.frames
    assert np.allclose(scores, model.score(texts), atol=1e-12)
    for row, frames in enumerate(explanations):
        for k, explanation in enumerate(frames):
            total = explanation.intercept + sum(e.weight for e in explanation.evidence)
            assert total == pytest.approx(explanation.logit, abs=1e-9)
            if 1e-9 < scores[row, k] < 1 - 1e-9:
                assert logit(scores[row, k]) == pytest.approx(explanation.logit, abs=1e-6)
            slope, offset = model.card.calibration[model.card.frame_keys[k]]
            uncalibrated = (explanation.intercept - offset) / slope + sum(
                e.weight / slope for e in explanation.evidence
            )
            assert uncalibrated == pytest.approx((explanation.logit - offset) / slope, abs=1e-9)
            for e in explanation.evidence:
                assert 0 <= e.start < e.end <= len(texts[row])


def test_evidence_and_intercept_sum_to_the_log_odds_for_every_frame_and_paragraph(corpus, model):
    _assert_exact(model, [p.text for p in corpus[::10]])


WORDS = st.sampled_from(
    ["army", "Army", "the", "security", "Σίσυφος", "İstanbul", "gov\u00adernment", "e\u0301tat", "ﬁre", "\u200b", "!"]
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(st.text(max_size=40), st.lists(WORDS, max_size=12).map(" ".join)), min_size=1, max_size=4))
def test_evidence_is_exact_for_any_text(model, texts):
    _assert_exact(model, texts)


def test_evidence_points_at_the_word_in_the_submitted_text(model):
    text = "Ministers\u200b said the ne\u00adighbouring state armed them; ‘foreign’ FOREIGN hands."
    _, [frames] = model.score_and_explain([text])
    evidence = {text[e.start : e.end] for e in frames[model.card.frame_keys.index("foreign_hand")].evidence}
    assert {"ne\u00adighbouring", "foreign", "FOREIGN"} <= evidence


def test_a_word_that_occurs_twice_carries_half_its_weight_at_each_place(model):
    _, [frames] = model.score_and_explain(["army army police"])
    for explanation in frames:
        first, second = [e.weight for e in explanation.evidence if e.start in (0, 5)]
        assert first == second


def test_invisible_characters_change_no_score(corpus, model):
    texts = [p.text for p in corpus[:200]]
    spoiled = [text[: len(text) // 2] + "\u200b\u202e\u00ad" + text[len(text) // 2 :] for text in texts]
    assert (model.score(spoiled) == model.score(texts)).all()


def test_an_empty_text_scores_the_intercept(model):
    scored, [frames] = model.score_and_explain([""])
    assert all(explanation.evidence == () and explanation.logit == explanation.intercept for explanation in frames)
    assert scored.frames.shape == (1, 4)


def test_a_model_of_an_earlier_version_decides_on_an_article_by_any_paragraph(challenger, corpus):
    model = FrameModel.of(challenger.pipeline, replace(challenger.card, article=None))
    texts = [p.text for p in corpus[:12]]
    classification = classify(model, texts, cuts_at(model, "balanced", {}), explain=False)
    for frame, article in classification.article.items():
        decisions = [paragraph[frame].decision for paragraph in classification.paragraphs]
        assert article.paragraphs == decisions.count("present")
        assert article.share == article.paragraphs / 12
        assert article.score == max(paragraph[frame].score for paragraph in classification.paragraphs)
        expected = "present" if article.paragraphs else "uncertain" if "uncertain" in decisions else "absent"
        assert article.decision == expected


def test_a_threshold_of_the_caller_decides_without_uncertainty(model, corpus):
    texts = [p.text for p in corpus[:100]]
    classification = classify(model, texts, cuts_at(model, "balanced", {"foreign_hand": 0.5}), explain=False)
    for paragraph in classification.paragraphs:
        decision = paragraph["foreign_hand"]
        assert decision.decision == ("present" if decision.score >= 0.5 else "absent")


def test_a_card_survives_its_file_and_a_damaged_card_is_refused(challenger):
    card = challenger.card.registered("v7", "0" * 64, "1" * 64)
    assert card_from_json(card_to_json(card)) == card
    for damaged in ("", "[]", "{}", "null", '{"format": 1}', card_to_json(card).replace('"format": 1', '"format": 99')):
        with pytest.raises(ModelFileError):
            card_from_json(damaged)


def test_the_card_to_read_states_use_limits_data_figures_and_every_operating_point(challenger):
    text = card_to_markdown(challenger.card.registered("v7", "0" * 64, "1" * 64))
    for heading in ("Intended use", "Limits", "Data", "Baselines", "Calibration", "Operating points", "Made with"):
        assert f"## {heading}" in text
    assert text.count("| high_precision |") == 5  # four frames, and the article
    assert challenger.card.data.digest in text


def test_another_codebook_trains_and_scores_without_a_change_of_code(tmp_path):
    path = tmp_path / "weather.toml"
    path.write_text(WEATHER, encoding="utf-8")
    challenger = train_challenger(weather(), read_codebook(path))
    model = FrameModel.of(challenger.pipeline, challenger.card)
    assert model.card.frame_keys == ("rain", "sun", "storm")
    classification = classify(
        model,
        ["Showers soaked the harbour.", "Thunder and wind over the port."],
        cuts_at(model, "balanced", {}),
        explain=True,
    )
    assert classification.paragraphs[0]["rain"].decision == "present"
    assert classification.paragraphs[1]["storm"].decision == "present"
    assert challenger.card.baselines[0].how == "majority"


def test_a_codebook_of_two_frames_and_longer_terms_works_too(tmp_path):
    path = tmp_path / "two.toml"
    path.write_text(WEATHER[: WEATHER.index('[[frames]]\nkey = "storm"')], encoding="utf-8")
    rows = [p for p in weather() if p.index != 2]
    challenger = train_challenger(rows, read_codebook(path), hyperparameters=Hyperparameters(ngrams=2))
    _assert_exact(FrameModel.of(challenger.pipeline, challenger.card), ["A wet drizzle all day, a wet drizzle."])


def test_annotations_that_do_not_suffice_are_refused_before_anything_is_fitted(codebook, corpus):
    with pytest.raises(TrainingDataError, match="too few annotations"):
        train_challenger(corpus[:30], codebook)


def test_the_card_is_plain_json(challenger):
    assert json.loads(card_to_json(challenger.card))["frames"]["foreign_hand"] == "Foreign hand"
