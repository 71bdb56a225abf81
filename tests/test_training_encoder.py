"""Encoders: scores of paragraphs, their evidence, odd texts, damaged files, and the registry. With a tiny encoder."""

import pickle
import shutil
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.articles.rescoring import Rescoring
from tests.support import house
from tests.support.tiny_encoder import MOST_TOKENS, use_base
from training.encoder.encoder import Encoder
from training.encoder.files import FILES, LAYERS_FILE, SHAPE_FILE, WORDS_FILE, digest_of
from training.encoder.shipped import encoder_of
from training.errors import ModelFileError
from training.kinds.adapted import base_challenger
from training.registry.base import HEADS_FILE, base_for, read_base
from training.registry.versions import Registry
from training.scoring.compilation import read_scorer
from training.scoring.frame_model import FrameModel

ODD = [
    "",
    " ",
    "...",
    "😀",
    "\ud800",
    "<s>",
    "</s> [UNK]",
    "a\0b",
    "İstanbul ﬁre Σίσυφος",
    "word " * 10_000,
    "x" * 3000,
]
TEXTS = ["The army blames foreign envoys.", "Rain, said the people of the town.", *ODD]


@pytest.fixture
def own_copy(base_folder, tmp_path):
    """A copy of the encoder's folder that a test may damage."""
    return shutil.copytree(base_folder / "encoder", tmp_path / "encoder")


@pytest.fixture
def encoder_model(base):
    return FrameModel(base.scorer, base.card.registered("v1", "0" * 64, "1" * 64))


def test_evidence_adds_up_to_the_log_odds_and_lies_in_the_text(base):
    logits, explanations = base.scorer.explain(TEXTS)
    assert (logits == base.scorer.logits(TEXTS)).all()
    for text, row, explained in zip(TEXTS, logits, explanations, strict=True):
        for k, frame in enumerate(explained):
            weights = [weight for _, _, weight in frame.evidence]
            assert abs(frame.intercept + sum(weights) - row[k]) < 1e-5
            assert all(0 <= start < end <= len(text) for start, end, _ in frame.evidence)


def test_evidence_shows_whole_words_without_their_punctuation_and_without_function_words(base):
    text = "Rain, they\u2019ve blamed the government\u2019s army!"
    _, [explained] = base.scorer.explain([text])
    words = [text[start:end] for start, end, _ in sorted(explained[0].evidence)]
    assert words == ["Rain", "blamed", "government\u2019s", "army"]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.one_of(st.text(max_size=200), st.sampled_from(TEXTS[:8])), min_size=1, max_size=6))
def test_a_paragraph_scores_the_same_alone_and_in_any_batch(base_folder, texts):
    with pytest.MonkeyPatch.context() as patch:
        scorer = use_base(base_folder, patch).scorer
        alone = np.concatenate([scorer.logits([text]) for text in texts])
        assert (scorer.logits(texts) == alone).all()
        assert (scorer.logits(texts[::-1])[::-1] == alone).all()
        assert np.isfinite(alone).all()


def test_paragraphs_that_were_just_encoded_are_not_encoded_again(base, monkeypatch):
    encoder = encoder_of(base.card.encoder_digest)
    first, second = ["The army.", "Rain."], ["The army.Rain.", ""]
    of_first, of_second = encoder.means(first).copy(), encoder.means(second)
    monkeypatch.setattr(encoder, "_in_context", lambda paragraphs: pytest.fail("encoded twice"))
    assert (encoder.means(second) == of_second).all()
    monkeypatch.undo()
    assert (encoder.means(first) == of_first).all()


def test_a_long_paragraph_is_read_in_windows_whose_tokens_count_alike(base):
    encoder = encoder_of(base.card.encoder_digest)
    first, second = "army " * MOST_TOKENS, "rain " * MOST_TOKENS
    of_parts = encoder.means([first, second])
    of_both = encoder.means([first + second])[0]
    assert np.abs(of_both - of_parts.mean(axis=0)).max() < 1e-6


def test_spellings_of_the_same_text_score_alike(base):
    same = ["état of the army", "e\u0301tat of the army", "e\u0301tat of the ar\u00admy", "état of  the army"]
    scores = base.scorer.logits(same)
    assert np.abs(scores - scores[0]).max() < 1e-12
    assert np.abs(base.scorer.logits(["rain in the town"]) - scores[0]).max() > 1e-3


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", [b"", b"{}", b"\x80\x04N."])
def test_damaged_files_are_refused(own_copy, name, damage):
    (own_copy / name).write_bytes(damage)
    with pytest.raises(ModelFileError):
        Encoder.read(own_copy)


@pytest.mark.parametrize("name", [LAYERS_FILE, WORDS_FILE, HEADS_FILE])
def test_pickles_in_the_place_of_arrays_are_refused(own_copy, name):
    np.savez(own_copy / name, words=np.array([{"a": 1}], dtype=object), coefficients=np.array([print], dtype=object))
    with pytest.raises(ModelFileError):
        read_base(own_copy) if name == HEADS_FILE else Encoder.read(own_copy)


def test_an_encoder_of_a_later_format_is_refused_by_name(own_copy):
    (own_copy / SHAPE_FILE).write_text('{"format": 99}', encoding="utf-8")
    with pytest.raises(ModelFileError, match="format that this version does not read"):
        Encoder.read(own_copy)


def test_a_digest_covers_every_file(own_copy):
    digests = {digest_of(own_copy)}
    for name in FILES:
        content = (own_copy / name).read_bytes()
        (own_copy / name).write_bytes(content + b" ")
        digests.add(digest_of(own_copy))
        (own_copy / name).write_bytes(content)
    assert len(digests) == 1 + len(FILES)


def test_a_model_without_its_encoder_says_what_to_do(base):
    elsewhere = replace(base.scorer, encoder="f" * 64)
    with pytest.raises(ModelFileError, match=r"needs an encoder \(digest ffffffffffff…\) that is not part of this"):
        elsewhere.logits(["The army"])


def test_a_registered_encoder_model_is_loaded_promoted_and_scores_as_before(base, tmp_path):
    registry = Registry(tmp_path / "models")
    card = registry.register(base_challenger(base, seed=1))
    assert (card.version, card.kind, card.encoder) == ("v1", "encoder", base.card.encoder)
    registry.promote("v1", by="tests", reason="the first")
    model, _ = registry.load_champion()
    assert (model.score(TEXTS) == FrameModel(base.scorer, base.card).score(TEXTS)).all()
    pipeline = registry.pipeline("v1")
    means = encoder_of(card.encoder_digest).means(TEXTS).astype(np.float64)
    assert np.abs(pipeline.predict_proba(means)[:, : len(card.frames)] - model.score(TEXTS)).max() < 1e-9


def test_a_model_whose_encoder_is_missing_becomes_champion_neither_by_promotion_nor_by_rollback(
    base, tmp_path, monkeypatch
):
    registry = Registry(tmp_path / "models")
    for number in (1, 2):
        registry.promote(registry.register(base_challenger(base, seed=number)).version, by="tests", reason="try")
    monkeypatch.setattr("training.encoder.shipped.BASE_FOLDER", tmp_path / "nothing")
    encoder_of.cache_clear()
    with pytest.raises(ModelFileError, match="not part of this installation"):
        registry.promote("v1", by="tests", reason="again")
    with pytest.raises(ModelFileError, match="not part of this installation"):
        registry.roll_back(by="tests", reason="back")
    assert registry.champion().version == "v2"


def test_nothing_is_rescored_by_a_champion_whose_encoder_is_missing_and_this_is_logged_once(
    base, settings, database, monkeypatch, tmp_path, caplog
):
    registry = Registry(settings.models_location)
    registry.promote(registry.register(base_challenger(base, seed=1)).version, by="tests", reason="try")
    monkeypatch.setattr("training.encoder.shipped.BASE_FOLDER", tmp_path / "nothing")
    encoder_of.cache_clear()
    rescoring = Rescoring(settings, database, registry)
    assert [rescoring.do_some() for _ in range(3)] == [False] * 3
    assert len([line for line in caplog.messages if "Nothing is rescored" in line]) == 1


def test_a_damaged_scorer_of_an_encoder_is_refused(base):
    content = base.scorer.to_bytes()
    for damaged in (b"", content[: len(content) // 2], b"\x80\x04N."):
        with pytest.raises(ModelFileError):
            read_scorer(damaged)
    assert read_scorer(content).encoder == base.card.encoder_digest


def test_a_model_travels_to_another_process_without_its_encoder(encoder_model):
    content = pickle.dumps(encoder_model)
    assert len(content) < 20_000
    assert (pickle.loads(content).score(TEXTS) == encoder_model.score(TEXTS)).all()


def test_stances_of_an_encoder_add_up_to_1(encoder_model):
    scored = encoder_model.score_with_stances(TEXTS)
    assert scored.stances.shape == (len(TEXTS), 4, 3)
    assert np.abs(scored.stances.sum(axis=2) - 1).max() < 1e-12


def test_the_base_serves_only_codebooks_with_its_frames(base, codebook):
    assert base_for(codebook) is not None
    assert base_for(replace(codebook, name="Weather")) is None
    assert base_for(replace(codebook, frames=codebook.frames[:2])) is None


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named_as_a_fault_of_the_encoder(own_copy, name):
    (own_copy / name).unlink()
    with pytest.raises(ModelFileError, match="cannot be read"):
        Encoder.read(own_copy)


def test_layers_of_another_shape_are_refused(own_copy):
    with np.load(own_copy / LAYERS_FILE) as arrays:
        content = {name: array[:8] if name == "0.output" else array for name, array in arrays.items()}
    np.savez(own_copy / LAYERS_FILE, **content)
    with pytest.raises(ModelFileError):
        Encoder.read(own_copy)


@pytest.mark.parametrize("library", ["openvino", "tokenizers", "torch"])
def test_a_server_of_words_loads_no_library_of_encoders(library):
    assert not house.loads("service.app", library)
