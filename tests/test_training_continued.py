"""Encoders of our own learn on, with a vocabulary cut to what texts use, and teach smaller ones. Needs `finetune`."""

import json

import numpy as np
import pytest

pytest.importorskip("torch")

from training.encoder.encoder import Encoder
from training.encoder.files import TOKENIZER_FILE, read_encoder, write_encoder
from training.errors import ModelFileError
from training.finetuning.batches import Subwords, padded
from training.finetuning.continued import base_name, read_own
from training.finetuning.export import export
from training.finetuning.paragraphs import LearnedParagraph
from training.finetuning.recipe import Recipe
from training.finetuning.start import write_start
from training.finetuning.vocabulary import cut_vocabulary
from training.registry.base import read_base

TEXTS = ["The army blames the leader.", "Rain and storm over the town", "foreign envoys"]


@pytest.fixture
def own(base_folder):
    return base_folder / "encoder"


def _frames(folder, texts=TEXTS):
    """Log-odds of the frames by the service's own reading of a base."""
    base = read_base(folder)
    return base.scorer.of_vectors(Encoder.read(folder).means(texts).astype(float))[:, :4]


def test_an_encoder_of_our_own_learns_on_from_where_it_was(own):
    model, subwords = read_own(own, 4).eval(), Subwords(own)
    batch = padded(subwords.tokens(TEXTS, 30), subwords.padding)
    logits = model(batch.tokens, batch.mask, batch.own)[0].detach().numpy()
    np.testing.assert_allclose(logits, _frames(own), atol=0.05)  # the service rounds activations to 8 bits


def test_heads_of_other_frames_start_from_nothing(own):
    assert not read_own(own, 3).frame.weight.any()
    assert read_own(own, 4).frame.weight.any()


def test_an_exported_encoder_remembers_which_published_weights_it_derives_from(tmp_path, own):
    assert base_name(own) == "random"
    export(read_own(own, 4), own, tmp_path / "made", "encoder", most_tokens=30)
    assert read_encoder(tmp_path / "made").shape.base == "random"


def test_texts_of_retained_subwords_are_encoded_the_same_after_the_cut(tmp_path, own):
    tokenizer = (own / TOKENIZER_FILE).read_text()
    weights, smaller = cut_vocabulary(read_encoder(own), tokenizer, TEXTS[:1], 1000)
    write_encoder(tmp_path / "cut", weights, smaller)
    before, after = Encoder.read(own), Encoder.read(tmp_path / "cut")
    assert len(weights.words.values) < len(read_encoder(own).words.values)
    np.testing.assert_array_equal(before.means(TEXTS[:1]), after.means(TEXTS[:1]))


def test_a_word_whose_subwords_were_cut_is_spelled_in_characters(own):
    tokenizer = (own / TOKENIZER_FILE).read_text()
    _, smaller = cut_vocabulary(read_encoder(own), tokenizer, TEXTS[:1], 1000)
    vocabulary = json.loads(smaller)["model"]["vocab"]
    assert "army" in vocabulary
    assert "storm" not in vocabulary
    assert {"s", "##t", "##o", "##r", "##m", "[UNK]"} <= set(vocabulary)
    assert sorted(vocabulary.values()) == list(range(len(vocabulary)))


def test_a_vocabulary_of_another_kind_cannot_be_cut(own):
    with pytest.raises(ModelFileError, match="WordPiece"):
        cut_vocabulary(read_encoder(own), json.dumps({"model": {"type": "BPE", "vocab": {}}}), TEXTS, 10)


def test_a_run_starts_from_the_cut_encoder_and_its_heads_and_a_resumed_run_from_the_same(tmp_path, own):
    start = tmp_path / "work" / "start"
    write_start(own, start, TEXTS[:1], Recipe(most_subwords=60), 4)
    made = (start / "encoder.json").stat().st_mtime_ns
    np.testing.assert_array_equal(read_base(start).coefficients, read_base(own).coefficients)
    write_start(own, start, TEXTS, Recipe(most_subwords=60), 4)
    assert (start / "encoder.json").stat().st_mtime_ns == made


def test_a_teachers_scores_are_those_of_its_base_and_are_computed_once(tmp_path, own):
    from training.making.teaching import SCORES_FILE, taught

    paragraphs = [LearnedParagraph(f"a{n}", text, {}, "uncoded") for n, text in enumerate(TEXTS)]
    steps = []
    first = taught(paragraphs, own, tmp_path / "work", lambda step, _share: steps.append(step))
    scores = np.array([paragraph.teacher.frames for paragraph in first])
    np.testing.assert_allclose(scores, 1 / (1 + np.exp(-_frames(own))), atol=1e-6)
    assert all(abs(paragraph.teacher.stances.sum(axis=1) - 1).max() < 1e-6 for paragraph in first)
    assert steps
    assert (tmp_path / "work" / SCORES_FILE).exists()
    again = taught(paragraphs, own, tmp_path / "work", lambda _step, _share: pytest.fail("computed again"))
    np.testing.assert_array_equal(scores, [paragraph.teacher.frames for paragraph in again])
