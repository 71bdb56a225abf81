"""Kinds of models: which is trained, what it learns of annotations, and training runs with the base as champion."""

from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest

from labels.annotations import Annotation
from labels.codebook import read_codebook
from service.jobs.training_run import TrainingRunner
from service.settings import Settings
from service.store.sql.database import Database
from tests.support.annotated import coded
from tests.support.files import files_below
from tests.support.weather import WEATHER, weather
from training.dataset import is_held_out
from training.encoder.vectors import VectorStore
from training.errors import ModelFileError, TrainingDataError
from training.kinds.adaptation import CARRYING_FOR_CUTS
from training.kinds.choice import has_learned_from, require_learnable, train_kind
from training.kinds.wanted import kind_to_train
from training.registry.base import base_for
from training.registry.versions import Registry
from training.scoring.frame_model import FrameModel


@pytest.fixture
def store(tmp_path):
    return VectorStore(tmp_path / "vectors")


@pytest.fixture
def weather_codebook(tmp_path):
    (tmp_path / "weather.toml").write_text(WEATHER, encoding="utf-8")
    return read_codebook(tmp_path / "weather.toml")


# -- kinds ------------------------------------------------------------------------------------------------------------


def test_auto_is_the_kind_of_the_champion_then_that_of_the_base_and_else_a_comparison(
    base, codebook, weather_codebook, challenger, monkeypatch, tmp_path
):
    assert kind_to_train("auto", challenger.card, codebook) == "words"
    assert kind_to_train("auto", base.card, weather_codebook) == "encoder"
    assert kind_to_train("auto", None, codebook) == "encoder"
    assert kind_to_train("auto", None, weather_codebook) is None
    assert kind_to_train("words", base.card, codebook) == "words"
    monkeypatch.setattr("training.encoder.shipped.BASE_FOLDER", tmp_path)
    assert kind_to_train("auto", None, codebook) == "words"
    with pytest.raises(ModelFileError, match="no encoder"):
        train_kind("encoder", weather(), weather_codebook, vectors=VectorStore())


def test_without_annotations_the_challenger_is_the_base(base, codebook):
    challenger = train_kind("encoder", (), codebook, vectors=VectorStore(), note="as shipped")
    assert challenger.card == replace(
        base.card, note="as shipped", seed=challenger.card.seed, libraries=challenger.card.libraries
    )
    texts = ["The army blames envoys.", "Rain."]
    own, shipped = (FrameModel.of(challenger.pipeline, challenger.card), FrameModel(base.scorer, base.card))
    assert (own.score(texts) == shipped.score(texts)).all()


def test_a_few_annotations_adapt_the_base_and_keep_its_cuts_and_figures(base, codebook, store):
    challenger = train_kind("encoder", coded(60), codebook, vectors=store)
    card = challenger.card
    assert card.cuts == base.card.cuts
    assert card.left_out.how.endswith("(the base model: there are too few annotations to measure this model on)")
    assert card.left_out.macro == base.card.left_out.macro
    assert card.calibration == dict.fromkeys(codebook.keys, (1.0, 0.0))
    assert card.data.paragraphs == base.card.data.paragraphs + card.hyperparameters["own_paragraphs"]
    assert card.data.sources == ("Courier", "a paper")
    assert set(card.hyperparameters["pull"]) == {"frames", "foreign_hand"}
    scores = FrameModel.of(challenger.pipeline, card).score([p.text for p in coded(12)])
    before = FrameModel(base.scorer, base.card).score([p.text for p in coded(12)])
    column = codebook.keys.index("foreign_hand")
    assert (scores[1::2, column] > before[1::2, column]).all()
    others = [k for k in range(len(codebook.keys)) if k != column]
    assert np.abs(scores - before)[:, others].max() < 1e-9


def test_a_frame_with_many_annotations_gets_cuts_of_its_own(base, codebook, store):
    card = train_kind("encoder", coded(3 * CARRYING_FOR_CUTS), codebook, vectors=store).card
    own = {frame for frame in codebook.keys if card.cuts["balanced"][frame] != base.card.cuts["balanced"][frame]}
    assert own == {"foreign_hand"}


def test_annotations_that_carry_every_frame_often_give_figures_of_their_own(base, codebook, store):
    paragraphs = [
        replace(paragraph, article=f"{frame} {paragraph.article}", text=f"{frame}: {paragraph.text}")
        for frame in codebook.keys
        for paragraph in coded(120, frame)
    ]
    card = train_kind("encoder", paragraphs, codebook, vectors=store).card
    assert card.left_out.how == "leave articles out, 5 folds"
    assert card.held_out is not None
    assert card.held_out.paragraphs + card.left_out.paragraphs == len(paragraphs)
    assert card.stances_left_out is not None
    assert {result.how for result in card.baselines} >= {"majority"}


def test_the_same_annotations_give_the_same_model(base, codebook, store):
    first, second = (train_kind("encoder", coded(60), codebook, vectors=v) for v in (store, VectorStore()))
    assert (
        FrameModel.of(first.pipeline, first.card).score(["The army."])
        == FrameModel.of(second.pipeline, second.card).score(["The army."])
    ).all()


def test_held_out_articles_are_never_learned_from(base, codebook, store):
    paragraphs = coded(120)
    assert any(is_held_out(p.article) for p in paragraphs)
    without = [p for p in paragraphs if not is_held_out(p.article)]
    models = [train_kind("encoder", part, codebook, vectors=store) for part in (paragraphs, without)]
    scores = [FrameModel.of(m.pipeline, m.card).score(["Envoys of the zephyr league."]) for m in models]
    assert (scores[0] == scores[1]).all()


def test_annotations_of_a_single_article_are_refused(base, codebook):
    for act in (
        lambda: train_kind("encoder", coded(4), codebook, vectors=VectorStore()),
        lambda: require_learnable("encoder", coded(4), codebook),
    ):
        with pytest.raises(TrainingDataError, match="at least two articles outside the held-out"):
            act()
    require_learnable("encoder", (), codebook)
    with pytest.raises(TrainingDataError, match="too few annotations to train"):
        require_learnable("words", coded(20), codebook)


def test_another_codebook_is_learned_from_nothing_on_the_vectors(base, weather_codebook, store):
    challenger = train_kind("encoder", weather(), weather_codebook, vectors=store)
    assert challenger.card.encoder == base.card.encoder
    assert challenger.card.frame_keys == ("rain", "sun", "storm")
    assert challenger.card.stances == ()
    assert challenger.card.left_out.macro.f1.value > 0.8
    model = FrameModel.of(challenger.pipeline, challenger.card)
    [scores] = model.score(["showers soaked the fair in town number 3, people said"])
    assert scores.argmax() == 0


def test_stances_of_another_codebook_are_learned_too(base, weather_codebook, store):
    stances = ("advanced", "reported", "contested")
    paragraphs = [
        replace(
            p,
            text=f"{p.text} {stances[n % 3] * 3}",
            annotations=(Annotation("ann", dict.fromkeys(p.annotations[0].frames, stances[n % 3])),),
        )
        for n, p in enumerate(weather())
    ]
    card = train_kind("encoder", paragraphs, weather_codebook, vectors=store).card
    assert card.stances == stances
    assert card.stances_left_out.overall.macro.f1.value > card.stances_left_out.majority.macro.f1.value


def test_kinds_are_compared_on_the_annotations_and_words_win_a_tie(base, weather_codebook, store):
    card = train_kind(None, weather(), weather_codebook, vectors=store, note="trial").card
    assert card.kind == "words"
    assert card.note == "trial Macro F1 on sources left out: encoder 1.00, words 1.00."


# -- the command and training runs ------------------------------------------------------------------------------------


def test_the_first_training_registers_the_base_and_trains_nothing(base, framing, tmp_path):
    place = {"data_dir": tmp_path, "kind": "auto"}
    done = framing("train", "--if-no-champion", **place)
    assert "Nothing was trained" in done.stdout
    assert "Registered as v1. As the first model it is the champion." in done.stdout
    card = Registry(tmp_path / "models").champion_card()
    assert (card.version, card.kind, card.note) == ("v1", "encoder", "a tiny base")
    assert framing("train", "--if-no-champion", **place).stdout == ""
    assert "encoder" in framing("models", **place).stdout
    assert framing("train", "--kind", "shapes", **place).returncode == 2


def annotate_an_article(client) -> str:
    """Stores an article and annotates its three paragraphs and twenty more; returns its id."""
    text = "\n\n".join(f"Envoys of the zephyr league paid the men of camp {n} to cross the line." for n in range(3))
    article: str = client.post("/v1/articles", json={"text": text, "outlet": "Courier"}).json()["id"]
    rows = [
        {"coder": "mira", "article_id": article, "paragraph": n, "frames": {"foreign_hand": "reported"}}
        for n in range(3)
    ]
    rows += [{"coder": "mira", "text": f"A fair in town {n}.", "source": "Courier", "frames": {}} for n in range(20)]
    assert client.post("/v1/annotations", json=rows).status_code < 300
    return article


@pytest.fixture
def settings(settings):
    return settings.model_copy(update={"start": "base"})


@pytest.fixture
def runner(base, client, settings, codebook):
    """Performs training runs beside a champion that is the base."""
    registry = Registry(settings.data_dir / "models")
    version = registry.register(train_kind("encoder", (), codebook, vectors=VectorStore())).version
    registry.promote(version, by="tests", reason="the base")
    with closing(Database(settings.store_url)) as database:
        yield TrainingRunner(settings, database, registry, codebook)


def test_a_run_adapts_the_base_without_the_corpus_it_learned_from(runner, client, settings):
    article = annotate_an_article(client)
    run = client.post("/v1/training-runs", json={"kind": "encoder"}).json()
    assert run["request"]["kind"] == "encoder"
    for step in ("snapshot", "check", "train", "label_diff"):
        runner.perform(step, run["id"])
    log = client.get(f"/v1/training-runs/{run['id']}").json()["log"]
    assert any("23 coded here; the corpus is left out" in line for line in log)
    models = {model["version"]: model for model in client.get("/v1/models").json()["models"]}
    assert (models["v3"]["kind"], models["v3"]["encoder"]["name"], models["v1"]["kind"]) == ("encoder", "tiny", "words")
    assert client.get("/v1/models/v3").json()["kind"] == "encoder"
    assert len(files_below(settings.vectors_dir)) == 23
    assert client.delete(f"/v1/articles/{article}").status_code == 202  # the run has its snapshot still
    assert len(files_below(settings.vectors_dir)) == 20


def test_a_run_leaves_no_vectors_of_an_article_that_was_deleted_meanwhile(runner, client, settings):
    article = annotate_an_article(client)
    run = client.post("/v1/training-runs", json={}).json()["id"]
    runner.perform("snapshot", run)
    assert client.delete(f"/v1/articles/{article}").status_code == 202  # the run has its snapshot still
    runner.perform("train", run)
    assert client.get("/v1/models/v3").json()["kind"] == "encoder"
    assert len(files_below(settings.vectors_dir)) == 20


@pytest.mark.parametrize(
    ("request_of_run", "why"),
    [
        ({}, "annotated here, and from the shipped corpus the shipped model has learned already"),
        ({"include_corpus": False}, "annotated here, and from the shipped corpus"),
        ({"coders": ["jon", "ada"]}, "annotated here by jon, ada, and"),
    ],
)
def test_a_run_without_annotations_is_refused_instead_of_registering_a_copy_of_the_base(
    runner, client, request_of_run, why
):
    if "coders" in request_of_run:
        annotate_an_article(client)
    run = client.post("/v1/training-runs", json=request_of_run).json()["id"]
    with pytest.raises(TrainingDataError, match=f"There is nothing to learn from: no paragraph has been {why}"):
        runner.perform("snapshot", run)
    assert client.get(f"/v1/training-runs/{run}").json()["annotations"] == 0


def test_a_purge_reaches_the_vectors(base, framing, client, settings):
    text = "Envoys of the zephyr league paid the men of the camp to cross the line."
    article = client.post("/v1/articles", json={"text": text}).json()["id"]
    VectorStore(settings.vectors_dir).means(base.card.encoder_digest, [text, "Rain."])
    assert framing("purge", article, data_dir=settings.data_dir).returncode == 0
    assert len(files_below(settings.vectors_dir)) == 1


def test_a_corpus_of_ones_own_is_learned_from(base, codebook, tmp_path):
    assert has_learned_from("encoder", Settings().corpus, codebook)
    assert not has_learned_from("encoder", tmp_path, codebook)
    assert not has_learned_from("words", Settings().corpus, codebook)
    assert base_for(codebook) is not None
