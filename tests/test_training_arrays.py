"""Files of arrays that lie about themselves: refused before they take memory or time, and without opening a pickle."""

import hashlib
import io
import json
import tracemalloc
import zipfile
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labels.archives import Limits
from labels.codebook import read_codebook
from training.encoder.arrays import read_arrays
from training.errors import ModelFileError
from training.kinds.adapted import base_challenger
from training.registry.base import base_for
from training.registry.model_files import compiled_form
from training.registry.versions import Registry
from training.scoring.compilation import compile_pipeline, read_scorer


def npz(**arrays):
    out = io.BytesIO()
    np.savez_compressed(out, **arrays)
    return out.getvalue()


def archive(members, compression=zipfile.ZIP_DEFLATED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as file:
        for name, content in members:
            file.writestr(name, content)
    return out.getvalue()


def header(shape, dtype="<f8", order="False"):
    text = f"{{'descr': {dtype!r}, 'fortran_order': {order}, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((3, 4)),
        np.arange(6, dtype=np.int8).reshape(2, 3),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.array(5.0),
        np.zeros((0, 7)),
        np.array([], dtype=np.uint8),
        np.array([True, False]),
    ],
)
def test_arrays_are_read_as_numpy_reads_them(array, tmp_path):
    content = npz(a=array)
    (tmp_path / "a.npz").write_bytes(content)
    for file in (content, tmp_path / "a.npz"):
        read = read_arrays(file)["a"]
        assert (read.dtype, read.shape, read.flags.f_contiguous) == (array.dtype, array.shape, array.flags.f_contiguous)
        assert (read == array).all()


LIES = {
    "10^12 numbers": header((10**12,)),
    "10^12 rows of nothing": header((0, 10**30)),
    "fewer than there are": header((1,)) + bytes(80),
    "more than there are": header((11,)) + bytes(80),
    "a negative side": header((-1, -1)) + bytes(8),
    "objects": header((1,), "|O") + b"\x80\x04N.",
    "text": header((1,), "<U2") + bytes(8),
    "records": header((1,), [("a", "<f8")]) + bytes(8),
    "no size": header((5,), "|V0"),
    "a shape that is no shape": header("'x'"),
    "a header that is code": header("__import__('os').mkdir('x')"),
    "deep brackets": header("(" * 3000 + ")" * 3000),
    "another version": b"\x93NUMPY\x03\x00" + bytes(20),
    "nothing": b"",
    "no header": b"\x93NUMPY",
    "another file": b"GIF89a" + bytes(100),
}


@pytest.mark.parametrize("lie", LIES)
def test_an_array_that_lies_about_itself_is_refused_before_it_takes_memory(lie):
    content = archive([("a.npy", LIES[lie])])
    tracemalloc.start()
    with pytest.raises(ModelFileError):
        read_arrays(content)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 20 * 2**20


def test_a_small_file_that_unpacks_to_gigabytes_is_refused_before_it_takes_memory():
    bomb = archive([("a.npy", header((2**27 // 8,)) + bytes(2**27))])
    assert len(bomb) < 2**20
    tracemalloc.start()
    with pytest.raises(ModelFileError, match="packed more than 50 times smaller"):
        read_arrays(bomb)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 20 * 2**20
    many = archive([(f"{number}.npy", header((1000,)) + bytes(8000)) for number in range(50)])
    with pytest.raises(ModelFileError, match="larger than"):
        read_arrays(many, Limits(members=100, size=300_000, ratio=1000))
    with pytest.raises(ModelFileError, match="more than 40 members"):
        read_arrays(many, Limits(members=40))


def test_names_that_occur_twice_or_lead_outside_and_damaged_content_are_refused():
    plain = header((1,)) + bytes(8)
    with pytest.warns(UserWarning, match="Duplicate"):
        twice = archive([("a.npy", plain), ("a.npy", plain)])
    damaged = bytearray(archive([("a.npy", header((100,)) + np.random.default_rng(0).bytes(800))], zipfile.ZIP_STORED))
    damaged[400] ^= 1
    for content in (twice, archive([("../a.npy", plain)]), archive([("/a.npy", plain)]), bytes(damaged), b"", b"PK"):
        with pytest.raises(ModelFileError):
            read_arrays(content)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_whatever_bytes_of_a_scorer_are_changed_it_is_read_or_refused(data):
    content = bytearray(_scorer())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with suppress(ModelFileError):
        read_scorer(bytes(content))


def _scorer(**changes):
    facts = {
        "format": 1,
        "token": r"(?u)\b\w\w+\b",
        "longest": 1,
        "sublinear": True,
        "frames": 2,
        "terms": ["army", "rain", "town"],
    }
    arrays = {"idf": np.ones(3), "coefficients": np.ones((3, 2)), "intercepts": np.zeros(2)}
    for name, value in changes.items():
        (arrays if name in arrays else facts)[name] = value
    return npz(facts=np.frombuffer(json.dumps(facts).encode(), np.uint8), **arrays)


@pytest.mark.parametrize(
    "changes",
    [
        {"terms": ["army", "rain"]},
        {"terms": ["army", "rain", "rain"]},
        {"terms": ["army", "rain", 5]},
        {"terms": None},
        {"frames": 3},
        {"frames": 0},
        {"frames": True},
        {"frames": 10**30},
        {"longest": "1"},
        {"longest": 10**9},
        {"token": "("},
        {"token": 5},
        {"format": 2},
        {"kind": "encoder"},
        {"kind": "runs"},
        {"idf": np.ones((3, 1))},
        {"idf": np.array([1.0, np.nan, 1.0])},
        {"coefficients": np.ones((2, 3))},
        {"coefficients": np.full((3, 2), np.inf)},
        {"coefficients": np.ones((3, 2), dtype=np.int64)},
        {"intercepts": np.zeros(3)},
        {"intercepts": np.array(5.0)},
    ],
)
def test_a_scorer_whose_parts_do_not_fit_is_refused_when_it_is_read(changes):
    assert read_scorer(_scorer()).logits(["the army"]).shape == (1, 2)
    with pytest.raises(ModelFileError, match=r"cannot be read|does not read"):
        read_scorer(_scorer(**changes))


def test_a_scorer_of_vectors_that_its_encoder_does_not_make_is_not_promoted(tmp_path, codebook):
    registry = Registry(tmp_path)
    challenger = base_challenger(base_for(codebook, "encoder-small"), seed=1)
    heads = read_scorer(compiled_form(challenger.pipeline, challenger.card))
    content = replace(heads, coefficients=heads.coefficients[:10]).to_bytes()
    card = challenger.card.registered("v1", *(hashlib.sha256(file).hexdigest() for file in (b"a", content)), "")
    registry.adopt(card, b"a", content)
    with pytest.raises(ModelFileError, match="reads vectors of length 10, and its encoder makes them of length 384"):
        registry.promote("v1", by="mira", reason="hope")


def test_a_scorer_of_other_columns_than_its_card_names_is_refused(tmp_path):
    registry = Registry(tmp_path)
    registry.register(base_challenger(base_for(read_codebook(), "words"), seed=1))
    place = tmp_path / "versions" / "v1"
    (place / "scorer.npz").write_bytes(_scorer())
    card = json.loads((place / "card.json").read_bytes())
    card["scorer_sha256"] = hashlib.sha256(_scorer()).hexdigest()
    (place / "card.json").write_text(json.dumps(card), encoding="utf-8")
    with pytest.raises(ModelFileError, match="has other columns than its card names"):
        registry.load("v1")


@pytest.mark.parametrize("sublinear", [True, False])
@pytest.mark.parametrize("longest", [2, 3, 5])
def test_a_model_of_words_and_runs_of_characters_is_arrays_too_and_scores_as_its_pipeline(longest, sublinear):
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.pipeline import FeatureUnion, Pipeline

    from labels.normalise import normalise
    from training.scoring.compilation import agrees, pipeline_of
    from training.scoring.compiled import sigmoid

    texts = ["The army moved into the town.", "They blame the minister for it.", "Rain fell, and a storm came.", "Aye"]
    odd = [*texts, "", "a", "a b c", "\t\n x \u00a0 y", "İstanbul ﬁre", "\ud800", "supercalifragilistic " * 50, "the"]
    runs = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, longest), sublinear_tf=sublinear)
    features = FeatureUnion([("words", TfidfVectorizer(ngram_range=(1, 2))), ("characters", runs)])
    pipeline = Pipeline([("features", features), ("frames", OneVsRestClassifier(LogisticRegression()))])
    pipeline.fit([normalise(text) for text in texts], np.array([[1, 0], [0, 1], [1, 1], [0, 0]]))
    compiled = compile_pipeline(pipeline, 2)
    read = read_scorer(compiled.to_bytes())
    expected = pipeline.predict_proba([normalise(text) for text in odd])
    assert np.abs(sigmoid(read.logits(odd)) - expected).max() < 1e-9
    assert agrees(read, pipeline)
    _, explanations = read.explain(odd)
    assert all(explanation.evidence == () for frames in explanations for explanation in frames)
    again = pipeline_of(read).predict_proba([normalise(text) for text in odd])
    assert np.abs(again - expected).max() < 1e-12
