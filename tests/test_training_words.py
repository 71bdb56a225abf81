"""The lexicon (forms, concepts, names, spellings) and its effect on a model."""

from dataclasses import replace

import numpy as np
import pytest

from labels.codebook import codebook_to_toml, read_codebook
from labels.errors import CodebookError
from labels.spelling import american
from training.dataset import build_dataset
from training.hyperparameters import Hyperparameters
from training.lexicon import lexicon_of, proper_names, unify_spelling
from training.pipeline import fit


def test_words_capitalised_within_sentences_are_names_and_headlines_do_not_count():
    texts = [
        "Soldiers of the tired old Varga had entered the gate of Oldtown before noon, and there Varga spoke to them.",
        "the old gate was shut; the soldiers slept",
        "Ministers Ignore Every Warning As Rebels Advance On The Capital",
    ]
    assert proper_names(texts) == {"varga", "oldtown"}


@pytest.mark.parametrize(
    ("british", "other"),
    [
        ("neighbouring", "neighboring"), ("militarised", "militarized"), ("organisations", "organizations"),
        ("defence", "defense"), ("analysed", "analyzed"), ("promised", "promised"), ("rise", "rise"),
        ("travelled", "traveled"), ("four", "four"), ("hour", "hour"), ("raised", "raised"), ("labour", "labor"),
    ],
)  # fmt: skip
def test_american_spelling_is_that_of_dictionaries(british, other):
    assert american(british) == other


def test_a_lexicon_knows_the_forms_of_its_language_and_no_names_among_the_words_of_the_codebook(codebook):
    texts = ["The army of Ostrava attacked the harbour; attacks on Ostrava of Velmar, said the Army of the north."] * 3
    listed = replace(codebook, concepts={"forces": ("Army", "troops")}, classes={"states": ("Velmar",)})
    lexicon = lexicon_of(texts, listed)
    assert lexicon.stem("attacked of") == f"{lexicon.stem('attacks')} of"
    assert "ostrava" in lexicon.names
    assert not {"army", "velmar"} & lexicon.names
    assert unify_spelling(["the harbor and the harbour"], lexicon) == ["the harbour and the harbour"]
    assert lexicon_of(["国境の向こうから武器が届いたと当局者は述べた。" * 5], listed).stems == {}


@pytest.fixture(scope="module")
def dataset(corpus, codebook):
    return build_dataset(corpus[::3], codebook)


def weights(pipeline, frame, *words):
    vocabulary = pipeline.named_steps["features"].vocabulary_
    return [float(pipeline.named_steps["frames"].estimators_[frame].coef_[0, vocabulary[word]]) for word in words]


def test_a_word_that_training_never_met_has_learned_from_its_concept(dataset):
    assert not any("malfeasance" in text for text in dataset.normalised)
    pipeline = fit(dataset, Hyperparameters(), seed=1, stances=False)
    [learned] = weights(pipeline, dataset.frames.index("blame_on_leadership"), "malfeasance")
    assert learned > 0.1
    plain = fit(dataset, Hyperparameters(concepts=0.0), seed=1, stances=False)
    assert "malfeasance" not in plain.named_steps["features"].vocabulary_


def test_both_spellings_weigh_the_same_and_names_are_not_terms(dataset):
    pipeline = fit(dataset, Hyperparameters(), seed=1, stances=False)
    for frame in range(4):
        british, american_form = weights(pipeline, frame, "neighbouring", "neighboring")
        assert british == american_form != 0
    vocabulary = pipeline.named_steps["features"].vocabulary_
    assert dataset.lexicon.names
    assert not dataset.lexicon.names & set(vocabulary)
    with_names = fit(dataset, Hyperparameters(names=True), seed=1, stances=False).named_steps["features"].vocabulary_
    assert dataset.lexicon.names & set(with_names)


def test_words_of_a_class_weigh_the_same_met_or_not_and_something(dataset):
    met, unmet = "sennat", "uruguay"
    assert any(met in text.split() for text in dataset.normalised)
    assert not any(unmet in text.split() for text in dataset.normalised)
    pipeline = fit(dataset, Hyperparameters(), seed=1, stances=False)
    features = pipeline.named_steps["features"]
    for frame in range(4):
        of_met, of_unmet = weights(pipeline, frame, met, unmet)
        assert of_met == of_unmet != 0
    rarity = {features.idf_[features.vocabulary_[word]] for word in (met, unmet)}
    assert max(rarity) == pytest.approx(min(rarity), abs=1e-12)
    assert weights(pipeline, dataset.frames.index("foreign_hand"), unmet)[0] > 0


def test_a_class_of_which_training_met_no_word_is_not_part_of_the_model(dataset):
    metals = frozenset({"ytterbium", "thulium"})
    lexicon = replace(dataset.lexicon, classes={"metals": metals})
    pipeline = fit(replace(dataset, lexicon=lexicon), Hyperparameters(), seed=1, stances=False)
    assert metals.isdisjoint(pipeline.named_steps["features"].vocabulary_)


def test_without_sharing_and_scaling_the_fit_is_that_of_scikit_learn(dataset):
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    plain = Hyperparameters(forms=0.0, concepts=0.0, contrast=0.0, names=True)
    lexicon = replace(dataset.lexicon, spellings={}, classes={})
    pipeline = fit(replace(dataset, lexicon=lexicon), plain, seed=1, stances=False)
    features = TfidfVectorizer(sublinear_tf=True)
    matrix = features.fit_transform(dataset.normalised)
    expected = LogisticRegression(C=5, solver="liblinear", random_state=1, max_iter=1000).fit(
        matrix, dataset.targets[:, 2]
    )
    assert np.allclose(
        pipeline.decision_function(dataset.normalised)[:, 2], expected.decision_function(matrix), atol=1e-9
    )


def test_runs_of_characters_train_and_score_the_same_in_compiled_form(dataset):
    from training.scoring.compilation import agrees, compile_pipeline

    pipeline = fit(dataset, Hyperparameters(characters=3), seed=1, stances=True)
    assert pipeline.predict_proba(dataset.normalised[:5]).shape == (5, 16)
    assert agrees(compile_pipeline(pipeline, 4), pipeline)


@pytest.mark.parametrize(
    ("table", "name", "word"), [("concepts", "failure", "blunder"), ("classes", "states", "nepal")]
)
def test_lists_of_words_of_a_codebook_are_read_written_and_checked(tmp_path, codebook, table, name, word):
    path = tmp_path / "codebook.toml"
    path.write_text(codebook_to_toml(codebook), encoding="utf-8")
    assert read_codebook(path) == codebook
    assert word in getattr(codebook, table)[name]
    path.write_text(f"{table} = 3\n" + codebook_to_toml(replace(codebook, **{table: {}})), encoding="utf-8")
    with pytest.raises(CodebookError, match=f"'{table}' must be a table of strings"):
        read_codebook(path)
