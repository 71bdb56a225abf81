"""Heads that are fitted to the vectors of an encoder, the pull of the base, and stored vectors."""

import hashlib

import numpy as np
import pytest
from scipy.special import expit

from tests.support.files import files_below
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

WIDTH, FRAMES = 40, 3


@pytest.fixture
def store(tmp_path):
    return VectorStore(tmp_path / "vectors")


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
    [path] = files_below(tmp_path / "vectors")
    whole = path.read_bytes()
    for damaged in (b"", whole[:-1], bytes(len(whole)), whole[:5] + b"x" + whole[6:]):
        path.write_bytes(damaged)
        assert (store.means(base.card.encoder_digest, ["The army."]) == first).all()
        assert path.read_bytes() == whole


def test_forgotten_vectors_are_overwritten_with_those_that_killed_writers_left(base, store, tmp_path):
    store.means(base.card.encoder_digest, ["The army.", "Rain."])
    paths = set(files_below(tmp_path / "vectors"))
    key = hashlib.sha256(f"{base.card.encoder_digest}\nThe army.".encode()).hexdigest()
    [path] = [path for path in paths if path.name == key]
    left = path.with_name(f"{key}.0123456789abcdef")
    left.write_bytes(path.read_bytes())
    with path.open("rb") as open_file:
        store.forget(["The army.", "Snow."])
        assert not open_file.read().strip(b"\0")
    assert not path.exists()
    assert not left.exists()
    assert set(files_below(tmp_path / "vectors")) == paths - {path}


def test_without_a_folder_and_with_a_read_only_folder_vectors_are_only_slower(base, tmp_path):
    (tmp_path / "file").touch()
    for store in (VectorStore(), VectorStore(tmp_path / "file" / "below")):
        assert store.means(base.card.encoder_digest, ["The army."]).shape == (1, 32)
        store.forget(["The army."])
