"""Fold models, and verdicts on a user's own paragraphs by models that have not seen them."""

from dataclasses import replace

import numpy as np
import pytest

from labels.annotations import Annotation
from tests.support.annotated import coded
from tests.support.folds import without_fold_models
from training.challenger import train_challenger
from training.dataset import FOLDS, build_dataset, fold_of
from training.encoder.vectors import VectorStore
from training.fold_models import fit_folds, of_own_fold
from training.kinds.choice import train_kind
from training.kinds.judging import judge
from training.registry.learned import digests_of
from training.scoring.frame_model import FrameModel


@pytest.fixture
def store(tmp_path):
    return VectorStore(tmp_path / "vectors")


def model_of(challenger):
    return FrameModel.of(challenger.pipeline, challenger.card)


def disagreeing(paragraphs, fold):
    """The paragraphs with the opposite annotation in every article of a fold."""
    return [
        replace(p, annotations=(Annotation("eva", {} if p.annotations[0].frames else {"foreign_hand": "present"}),))
        if fold_of(p.article) == fold
        else p
        for p in paragraphs
    ]


# -- fold models ------------------------------------------------------------------------------------------------------


def test_an_article_is_in_the_same_fold_whatever_else_there_is_and_folds_are_about_as_large():
    folds = [fold_of(f"article {number}") for number in range(5000)]
    assert np.bincount(folds, minlength=FOLDS).min() > 900
    assert fold_of("article 17") == folds[17]


def test_a_fold_without_paragraphs_has_the_model_of_all():
    fitted = fit_folds(np.array([0, 0, 2]), "whole", lambda rows: rows.tolist())
    assert fitted == [[False, False, True], "whole", [True, True, False], "whole", "whole"]


def test_what_coders_say_of_a_fold_changes_every_fold_model_but_its_own(base, codebook, store):
    paragraphs, texts = coded(200), ["Envoys of the zephyr league.", "The army blames envoys."]
    column = codebook.keys.index("foreign_hand")
    before, after = (
        model_of(train_kind("encoder", part, codebook, vectors=store, pull=1.0)).score_with_stances(texts).folds
        for part in (paragraphs, disagreeing(paragraphs, 2))
    )
    changed = [fold for fold in range(FOLDS) if np.abs(before - after)[:, fold, column].max() > 1e-3]
    assert changed == [fold for fold in range(FOLDS) if fold != 2]
    assert (before[:, 2] == after[:, 2]).all()


def test_a_model_of_words_has_fold_models_too(corpus, codebook):
    challenger = train_challenger(corpus[:600], codebook, jobs=1)
    texts = [p.text for p in corpus[:50]]
    scored = model_of(challenger).score_with_stances(texts)
    assert scored.folds.shape == (50, FOLDS, len(codebook.keys))
    assert np.abs(scored.folds.mean(axis=1) - scored.frames).max() < 0.3
    assert np.ptp(scored.folds, axis=1).max() > 0.01
    plain = model_of(without_fold_models(challenger)).score_with_stances(texts)
    assert plain.folds is None
    np.testing.assert_allclose(plain.frames, scored.frames, atol=1e-12)
    np.testing.assert_allclose(plain.stances, scored.stances, atol=1e-12)


def test_the_score_of_an_article_is_that_of_the_model_without_its_fold():
    scores = np.arange(2 * FOLDS).reshape(2, FOLDS, 1).astype(float)
    first, second = of_own_fold(scores, ["a", "b"])
    assert (first, second) == (fold_of("a"), FOLDS + fold_of("b"))


# -- verdicts ---------------------------------------------------------------------------------------------------------


def test_the_base_is_judged_on_all_own_paragraphs_and_the_challenger_by_its_fold_models(base, codebook, store):
    paragraphs = coded(300)
    challenger = train_kind("encoder", paragraphs, codebook, vectors=store)
    verdict = judge(challenger, FrameModel(base.scorer, base.card), build_dataset(paragraphs, codebook), base=base.card)
    assert verdict.paragraphs == 300
    assert verdict.promote
    assert verdict.gain.low > 0
    assert "300 annotated paragraphs" in verdict.reason
    assert verdict.base.startswith("The base model on its own texts (")
    assert (
        f"on {base.card.held_out.paragraphs if base.card.held_out else base.card.left_out.paragraphs:,} paragraphs"
        in (verdict.base)
    )


def test_a_champion_that_learned_from_the_same_paragraphs_gets_no_credit_for_having_seen_them(base, codebook, store):
    generator = np.random.default_rng(3)
    # Codes by chance: whoever has seen them seems to know them, and nobody else can.
    paragraphs = [
        replace(p, annotations=(Annotation("ana", {"foreign_hand": "present"} if generator.random() < 0.5 else {}),))
        for p in coded(240)
    ]
    champion = model_of(train_kind("encoder", paragraphs, codebook, vectors=store, pull=0.1))
    challenger = train_kind("encoder", paragraphs, codebook, vectors=store, pull=3.0)
    verdict = judge(challenger, champion, build_dataset(paragraphs, codebook))
    assert verdict.paragraphs == 240
    foreign_hand = next(row for row in verdict.frames if row.frame == "foreign_hand")
    assert foreign_hand.champion < 0.72


def test_a_champion_without_fold_models_is_judged_on_what_it_has_not_learned_from(base, codebook, store, challenger):
    paragraphs = coded(200)
    dataset = build_dataset(paragraphs, codebook)
    champion = model_of(without_fold_models(challenger))
    own = train_kind("encoder", paragraphs, codebook, vectors=store)
    learned = {p.text for p in paragraphs[:120]}
    verdict = judge(own, champion, dataset, champion_learned=digests_of(learned))
    unseen = [out or text not in learned for out, text in zip(dataset.held_out, dataset.texts, strict=True)]
    assert 80 <= verdict.paragraphs == sum(unseen) < 200
    everything = judge(own, champion, dataset.take(~dataset.held_out), champion_learned=digests_of(dataset.texts))
    assert not everything.promote
    assert "no annotated paragraphs that neither model has seen" in everything.reason


def test_the_pull_of_the_base_can_be_set_and_stands_on_the_card(base, codebook, store):
    strong, weak = (train_kind("encoder", coded(120), codebook, vectors=store, pull=pull) for pull in (1000.0, 0.1))
    assert (strong.card.hyperparameters["pull"]["frames"], weak.card.hyperparameters["pull"]["frames"]) == (1000, 0.1)
    texts = ["Envoys of the zephyr league."]
    shipped = FrameModel(base.scorer, base.card).score(texts)
    moved = [np.abs(model_of(challenger).score(texts) - shipped).max() for challenger in (strong, weak)]
    assert moved[0] < 0.1 * moved[1]
