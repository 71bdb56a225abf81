"""The base model of words: registered as it is, adapted to annotations, or left aside to learn from nothing."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

from labels.annotations import read_corpus
from service.settings import Settings
from tests.support.annotated import coded
from tests.support.tiny_encoder import use_base
from training.dataset import build_dataset
from training.encoder.heads import Heads, fit_separately
from training.encoder.vectors import VectorStore
from training.finetuning.paragraphs import LearnedParagraph, Teacher
from training.kinds.choice import has_learned_from, train_kind
from training.making.words import HYPERPARAMETERS, sure_of
from training.pipeline import fit
from training.registry.base import BaseModel, Terms, base_for, write_base
from training.registry.versions import Registry
from training.scoring.frame_model import FrameModel

TEXTS = ["The ministry failed the valley.", "Envoys of a foreign state armed the raiders.", "A fair opened."]


@pytest.fixture
def words_base(tmp_path, codebook, challenger, part_of_the_corpus, monkeypatch):
    """The model of the tests' corpus, as a base of words in a folder of its own."""
    dataset = build_dataset(read_corpus(part_of_the_corpus, codebook), codebook)
    pipeline = fit(dataset, HYPERPARAMETERS, 1, stances=True)
    features, columns = pipeline.named_steps["features"], pipeline.named_steps["frames"].estimators_
    base = BaseModel(
        replace(challenger.card, folds=None),
        np.vstack([column.coef_ for column in columns]).T,
        np.concatenate([column.intercept_ for column in columns]),
        Terms(tuple(features.vocabulary_), features.idf_),
    )
    write_base(tmp_path / "base" / "words", base)
    use_base(tmp_path / "base", monkeypatch, "words")
    return base


def test_the_files_of_a_base_of_words_give_its_scores_back(words_base, codebook):
    shipped = base_for(codebook, "words")
    assert shipped is not None
    assert shipped.card.kind == "words"
    np.testing.assert_allclose(shipped.scorer.logits(TEXTS), words_base.scorer.logits(TEXTS), atol=1e-5)


def test_without_annotations_the_base_is_registered_as_it_is_and_compiled(words_base, codebook, tmp_path):
    challenger = train_kind("words", (), codebook, vectors=VectorStore())
    registry = Registry(str(tmp_path / "models"))
    version = registry.register(challenger).version
    expected = FrameModel(base_for(codebook, "words").scorer, words_base.card).score(TEXTS)
    np.testing.assert_allclose(registry.load(version).score(TEXTS), expected, atol=1e-9)


def test_annotations_move_the_weights_of_their_words_and_no_others(words_base, codebook):
    base = base_for(codebook, "words")
    challenger = train_kind("words", coded(80, envoys="Envoys"), codebook, vectors=VectorStore())
    model, before = FrameModel.of(challenger.pipeline, challenger.card), FrameModel(base.scorer, base.card)
    column = codebook.keys.index("foreign_hand")
    blamed = [paragraph.text for paragraph in coded(8, envoys="Envoys")][1::2]
    assert (model.score(blamed)[:, column] > before.score(blamed)[:, column]).all()
    others = [k for k in range(len(codebook.keys)) if k != column]
    assert np.abs(model.score(TEXTS) - before.score(TEXTS))[:, others].max() < 1e-9


def test_training_from_nothing_leaves_the_base_aside(words_base, codebook, part_of_the_corpus):
    corpus = Settings().corpus
    assert has_learned_from("words", corpus, codebook)
    assert not has_learned_from("words", corpus, codebook, "nothing")
    paragraphs = read_corpus(part_of_the_corpus, codebook)
    card = train_kind("words", paragraphs, codebook, vectors=VectorStore(), start="nothing").card
    assert "base" not in card.hyperparameters
    assert card.data.paragraphs < len(paragraphs)


def test_sparse_vectors_are_fitted_as_the_same_vectors_in_full_are():
    generator = np.random.default_rng(4)
    vectors = generator.random((60, 12)) * (generator.random((60, 12)) < 0.3)
    targets = (generator.random((60, 2)) < 0.4).astype(float)
    known = Heads(generator.normal(size=(12, 2)), generator.normal(size=2))
    both = [fit_separately(form, targets, known, 1e-6) for form in (sparse.csr_matrix(vectors), vectors)]
    np.testing.assert_allclose(both[0].logits(vectors), both[1].logits(vectors), atol=0.05)


def test_a_teachers_word_counts_only_where_it_is_sure_of_every_frame():
    frames, stances = ("a", "b"), np.full((2, 3), 1 / 3, np.float32)
    scores = [(0.9, 0.1), (0.05, 0.02), (0.9, 0.4), (0.3, 0.0)]
    paragraphs = [
        LearnedParagraph(f"x{n}", "text", {}, "uncoded", teacher=Teacher(np.array(each, np.float32), stances))
        for n, each in enumerate(scores)
    ]
    assert [dict(paragraph.frames) for paragraph in sure_of(paragraphs, frames)] == [{"a": "present"}, {}]
