"""Heads that learn from the vectors of an encoder: the pull of the base, stored vectors, and the choice of a kind."""

import hashlib
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit

from labels.annotations import Annotation, CodedParagraph
from labels.codebook import read_codebook
from service.jobs.training_run import TrainingRunner
from service.settings import Settings
from service.store.sql.database import Database
from tests.support.tiny_encoder import use_base, write_tiny_base
from tests.support.weather import WEATHER, weather
from training.dataset import is_held_out
from training.encoder import vectors as vectors_module
from training.encoder.heads import (
    PULLS,
    Heads,
    choose_pull,
    fit_pulled,
    fit_separately,
    from_nothing,
    of_choice,
    of_presence,
)
from training.encoder.vectors import VectorStore
from training.errors import ModelFileError, TrainingDataError
from training.kinds.adaptation import CARRYING_FOR_CUTS
from training.kinds.choice import has_learned_from, require_learnable, train_kind
from training.kinds.wanted import kind_to_train
from training.registry.base import base_for
from training.registry.versions import Registry
from training.scoring.frame_model import FrameModel

WIDTH, FRAMES = 40, 3


@pytest.fixture(scope="module")
def base_folder(codebook, tmp_path_factory):
    return write_tiny_base(tmp_path_factory.mktemp("base"), codebook)


@pytest.fixture
def base(base_folder, monkeypatch):
    return use_base(base_folder, monkeypatch)


@pytest.fixture
def store(tmp_path):
    return VectorStore(tmp_path / "vectors")


@pytest.fixture
def weather_codebook(tmp_path):
    (tmp_path / "weather.toml").write_text(WEATHER, encoding="utf-8")
    return read_codebook(tmp_path / "weather.toml")


def coded(count: int, frame: str = "foreign_hand") -> list[CodedParagraph]:
    """Paragraphs of articles of four; every second blames an invented league and carries a frame."""
    return [
        CodedParagraph(
            f"article-{number // 4}",
            number % 4,
            "Courier",
            f"Envoys of the zephyr league paid for raid {number}."
            if number % 2
            else f"A fair opened in town {number}.",
            (Annotation("mira", {frame: "reported"} if number % 2 else {}),),
        )
        for number in range(count)
    ]


# -- fitting ----------------------------------------------------------------------------------------------------------


def drawn(known: Heads, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Vectors, and targets drawn with the scores of heads."""
    generator = np.random.default_rng(seed)
    vectors = generator.normal(0.3, 1, (count, WIDTH))
    return vectors, (generator.random((count, FRAMES)) < expit(known.logits(vectors))).astype(float)


def heads(seed: int) -> Heads:
    generator = np.random.default_rng(seed)
    return Heads(generator.normal(0, 0.3, (WIDTH, FRAMES)), generator.normal(-1, 0.3, FRAMES))


def loss_of(fitted: Heads, vectors: np.ndarray, targets: np.ndarray) -> float:
    return float(of_presence(fitted.logits(vectors), targets)[0].mean())


def pull_of(vectors: np.ndarray, targets: np.ndarray, known: Heads) -> float:
    folds = np.arange(len(vectors)) // 5 % 5
    return choose_pull(vectors, targets, folds, lambda v, t, pull: fit_separately(v, t, known, pull), of_presence)[0]


def test_an_infinite_pull_returns_the_known_heads_and_a_strong_pull_stays_near_them():
    known = heads(1)
    vectors, targets = drawn(heads(2), 100, 1)
    distances = [
        np.abs(fit_separately(vectors, targets, known, pull).coefficients - known.coefficients).max()
        for pull in (*PULLS[:-1], 1e6, np.inf)
    ]
    assert distances == sorted(distances, reverse=True)
    assert distances[-1] == 0
    assert distances[-2] < 1e-3


@pytest.mark.parametrize("loss", [of_presence, of_choice])
def test_the_gradient_of_a_loss_is_that_of_its_values(loss):
    generator = np.random.default_rng(3)
    logits, targets = generator.normal(size=(20, FRAMES)), np.eye(FRAMES)[generator.integers(0, FRAMES, 20)]
    step = 1e-6
    gradient = loss(logits, targets)[1]
    for column in range(FRAMES):
        moved = np.zeros(logits.shape)
        moved[:, column] = step
        slope = (loss(logits + moved, targets)[0] - loss(logits - moved, targets)[0]) / (2 * step)
        assert np.abs(slope - gradient[:, column]).max() < 1e-6


def test_annotations_that_agree_with_the_base_leave_it_as_it_is():
    known = heads(1)
    assert [pull_of(*drawn(known, 60, seed), known) for seed in range(6)].count(np.inf) >= 5


def test_annotations_that_code_otherwise_move_the_heads_and_more_of_them_move_them_further():
    known, other = heads(1), heads(2)
    fresh, gold = drawn(other, 4000, 99)
    losses = []
    for count in (60, 200, 800):
        vectors, targets = drawn(other, count, count)
        fitted = fit_separately(vectors, targets, known, pull_of(vectors, targets, known))
        losses.append(loss_of(fitted, fresh, gold))
    assert loss_of(known, fresh, gold) > losses[0] > losses[1] > losses[2] > loss_of(other, fresh, gold)


def test_a_frame_without_a_carrying_paragraph_keeps_its_known_head():
    known = heads(1)
    vectors, targets = drawn(heads(2), 100, 4)
    targets[:, 1] = 0
    fitted = fit_separately(vectors, targets, known, 0.1)
    assert (fitted.coefficients[:, 1] == known.coefficients[:, 1]).all()
    assert fitted.intercepts[1] == known.intercepts[1]
    assert (fitted.coefficients[:, 0] != known.coefficients[:, 0]).any()


def test_a_frame_that_fewer_than_wanted_carry_keeps_its_known_head():
    known = heads(1)
    vectors, targets = drawn(heads(2), 100, 4)
    targets[:, 1] = 0
    targets[:9, 1] = 1
    fitted = fit_separately(vectors, targets, known, 0.1, 10)
    assert (fitted.coefficients[:, 1] == known.coefficients[:, 1]).all()
    targets[:10, 1] = 1
    fitted = fit_separately(vectors, targets, known, 0.1, 10)
    assert (fitted.coefficients[:, 1] != known.coefficients[:, 1]).any()


def test_heads_from_nothing_score_the_share_of_each_frame():
    targets = np.zeros((98, 2))
    targets[:9, 0] = 1
    assert expit(from_nothing(5, targets).logits(np.ones((1, 5)))) == pytest.approx(np.array([[0.10, 0.01]]))


def test_stances_are_fitted_together():
    generator = np.random.default_rng(5)
    vectors = generator.normal(size=(300, WIDTH))
    stances = vectors[:, :3].argmax(axis=1)
    choices = np.eye(3)[stances]
    fitted = fit_pulled(vectors, choices, from_nothing(WIDTH, choices), 0.3, of_choice)
    assert (fitted.logits(vectors).argmax(axis=1) == stances).mean() > 0.9


# -- stored vectors ---------------------------------------------------------------------------------------------------


def forbid_encoding(monkeypatch):
    monkeypatch.setattr(vectors_module, "encoder_of", lambda digest: pytest.fail("a stored paragraph was encoded"))


def test_a_paragraph_is_encoded_once_and_its_vector_is_bit_for_bit_that_of_the_encoder(base, store, monkeypatch):
    texts, shares = ["The army.", "Rain.", "The army.", "\ud800"], []
    first = store.means(base.card.encoder_digest, texts, shares.append)
    assert (base.scorer.of_vectors(first) == base.scorer.logits(texts)).all()
    assert shares == [1.0]
    forbid_encoding(monkeypatch)
    assert (store.means(base.card.encoder_digest, texts) == first).all()


def test_damaged_vectors_are_encoded_again(base, store, tmp_path):
    first = store.means(base.card.encoder_digest, ["The army."])
    [path] = [path for path in (tmp_path / "vectors").rglob("*") if path.is_file()]
    whole = path.read_bytes()
    for damaged in (b"", whole[:-1], bytes(len(whole)), whole[:5] + b"x" + whole[6:]):
        path.write_bytes(damaged)
        assert (store.means(base.card.encoder_digest, ["The army."]) == first).all()
        assert path.read_bytes() == whole


def test_forgotten_vectors_are_overwritten_with_those_that_killed_writers_left(base, store, tmp_path):
    store.means(base.card.encoder_digest, ["The army.", "Rain."])
    paths = {path for path in (tmp_path / "vectors").rglob("*") if path.is_file()}
    key = hashlib.sha256(f"{base.card.encoder_digest}\nThe army.".encode()).hexdigest()
    [path] = [path for path in paths if path.name == key]
    left = path.with_name(f"{key}.0123456789abcdef")
    left.write_bytes(path.read_bytes())
    with path.open("rb") as open_file:
        store.forget(["The army.", "Snow."])
        assert not open_file.read().strip(b"\0")
    assert not path.exists()
    assert not left.exists()
    assert {path for path in (tmp_path / "vectors").rglob("*") if path.is_file()} == paths - {path}


def test_without_a_folder_and_with_a_read_only_folder_vectors_are_only_slower(base, tmp_path):
    (tmp_path / "file").touch()
    for store in (VectorStore(), VectorStore(tmp_path / "file" / "below")):
        assert store.means(base.card.encoder_digest, ["The army."]).shape == (1, 32)
        store.forget(["The army."])


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


def stored_vectors(settings) -> int:
    return sum(path.is_file() for path in settings.vectors_dir.rglob("*"))


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
    assert stored_vectors(settings) == 23
    assert client.delete(f"/v1/articles/{article}").status_code == 204
    assert stored_vectors(settings) == 20


def test_a_run_leaves_no_vectors_of_an_article_that_was_deleted_meanwhile(runner, client, settings):
    article = annotate_an_article(client)
    run = client.post("/v1/training-runs", json={}).json()["id"]
    runner.perform("snapshot", run)
    assert client.delete(f"/v1/articles/{article}").status_code == 204
    runner.perform("train", run)
    assert client.get("/v1/models/v3").json()["kind"] == "encoder"
    assert stored_vectors(settings) == 20


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
    assert stored_vectors(settings) == 1


def test_a_corpus_of_ones_own_is_learned_from(base, codebook, tmp_path):
    assert has_learned_from("encoder", Settings().corpus, codebook)
    assert not has_learned_from("encoder", tmp_path, codebook)
    assert not has_learned_from("words", Settings().corpus, codebook)
    assert base_for(codebook) is not None
