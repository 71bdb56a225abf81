"""The compiled scorer against the pipeline that it was compiled from."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import HashingVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline

from labels.normalise import normalise
from tests.support.paths import ROOT
from training.challenger import Challenger
from training.errors import ModelFileError, RegistryError
from training.scoring.compilation import agrees, compile_pipeline
from training.scoring.compiled import CompiledScorer, sigmoid
from training.scoring.frame_model import FrameModel

WORDS = [
    "army",
    "the",
    "Security",
    "Σίσυφος",
    "İstanbul",
    "gov\u00adernment",
    "e\u0301tat",
    "ﬁre",
    "\u200b",
    "!",
    "x\0y",
]
texts_of_any_kind = st.one_of(
    st.text(max_size=80), st.lists(st.sampled_from(WORDS), max_size=30).map(" ".join), st.just("a" * 2**20)
)


@pytest.fixture(scope="module")
def scorer(challenger):
    return CompiledScorer.from_bytes(compile_pipeline(challenger.pipeline, 4).to_bytes())


def probabilities(pipeline, texts):
    return pipeline.predict_proba([normalise(text) for text in texts])


def test_scores_of_the_whole_corpus_are_those_of_the_pipeline(scorer, challenger, corpus):
    texts = [paragraph.text for paragraph in corpus]
    assert np.abs(sigmoid(scorer.logits(texts)) - probabilities(challenger.pipeline, texts)).max() < 1e-9


@settings(max_examples=80, deadline=None)
@given(st.lists(texts_of_any_kind, min_size=1, max_size=5))
@example(["0¼", "½0"])
def test_scores_of_any_text_are_those_of_the_pipeline(scorer, challenger, texts):
    expected = probabilities(challenger.pipeline, texts)
    logits, explanations = scorer.explain(texts)
    assert np.abs(sigmoid(scorer.logits(texts)) - expected).max() < 1e-9
    assert np.abs(sigmoid(logits) - expected).max() < 1e-9
    for row, frames in enumerate(explanations):
        spans = [e[:2] for e in frames[0].evidence]
        words = [word for word in scorer.token.findall(normalise(texts[row])) if word in scorer.vocabulary]
        assert all(
            # A character may normalise to several, as ¼ to 1⁄4, and the word take only the 1: a span takes it whole.
            word in normalise(texts[row][start:end]) and word not in normalise(texts[row][start : end - 1])
            for (start, end), word in zip(spans, words, strict=True)
        )
        for k, explanation in enumerate(frames):
            assert explanation.intercept + sum(e.weight for e in explanation.evidence) == pytest.approx(
                logits[row, k], abs=1e-9
            )


def test_lower_case_of_normal_text_is_itself_so_that_spans_need_no_second_map():
    for code in range(0x110000):
        normal = normalise(chr(code))
        assert normal.lower() == normal, hex(code)


@pytest.mark.parametrize("ngrams", [1, 2, 3])
@pytest.mark.parametrize("sublinear", [True, False])
def test_longer_terms_and_plain_counts_are_compiled_too(corpus, ngrams, sublinear):
    texts = [paragraph.text for paragraph in corpus[:300]]
    targets = np.array([[len(t) % 2, len(t) % 3 == 0] for t in texts]).astype(int)
    pipeline = fitted(TfidfVectorizer(sublinear_tf=sublinear, ngram_range=(1, ngrams)), texts, targets)
    compiled = compile_pipeline(pipeline, 2)
    assert np.abs(sigmoid(compiled.logits(texts)) - probabilities(pipeline, texts)).max() < 1e-9
    assert agrees(compiled, pipeline)


def fitted(features, texts, targets):
    frames = OneVsRestClassifier(LogisticRegression(solver="liblinear"))
    pipeline = Pipeline([("features", features), ("frames", frames)])
    return pipeline.fit([normalise(text) for text in texts], targets)


def test_scores_do_not_depend_on_what_else_is_scored_with_them(scorer, corpus):
    texts = [paragraph.text for paragraph in corpus[:50]]
    together = scorer.logits(texts)
    assert all((scorer.logits([text])[0] == together[row]).all() for row, text in enumerate(texts))


def test_a_pipeline_of_another_kind_has_no_compiled_form_and_its_card_says_so(registry, challenger, corpus):
    texts = [paragraph.text for paragraph in corpus[:200]]
    targets = np.array(
        [[frame in p.annotations[0].frames for frame in challenger.card.frame_keys] for p in corpus[:200]]
    )
    pipeline = fitted(HashingVectorizer(n_features=2**12), texts, targets.astype(int))
    assert compile_pipeline(pipeline, 4) is None
    card = registry.register(Challenger(pipeline, replace(challenger.card, stances=(), folds=None)))
    assert card.scorer_sha256 == ""
    assert card.is_pickle
    model = FrameModel.of(pipeline, card)  # in memory, as training has it; tests of pickles load it
    assert np.abs(model.score(texts) - probabilities(pipeline, texts)).max() < 1e-9
    _, [frames] = model.score_and_explain(texts[:1])
    assert all(explanation.evidence == () for explanation in frames)


def test_a_model_whose_compiled_form_disagrees_is_not_registered(registry, challenger, monkeypatch):
    wrong = compile_pipeline(challenger.pipeline, 4)
    wrong.intercepts[0] += 1e-6
    monkeypatch.setattr("training.registry.model_files.compile_pipeline", lambda *_: wrong)
    with pytest.raises(RegistryError, match="differs from its pipeline"):
        registry.register(challenger)
    assert registry.versions() == ["v1"]


@pytest.mark.parametrize("content", [b"", b"PK", b"not an archive at all", b"\x93NUMPY" + bytes(200)])
def test_a_file_that_is_not_a_compiled_model_is_refused(content):
    with pytest.raises(ModelFileError):
        CompiledScorer.from_bytes(content)


def test_a_pickle_inside_an_archive_is_never_opened():
    import io

    out = io.BytesIO()
    np.savez(out, facts=np.array([object()], dtype=object))
    with pytest.raises(ModelFileError):
        CompiledScorer.from_bytes(out.getvalue())


def test_a_server_scores_without_importing_scikit_learn(registry, models_folder):
    program = """
import json, sys
from pathlib import Path
import service.app
from training.registry.versions import Registry
model, _ = Registry(Path(sys.argv[1])).load_champion()
model.score_and_explain(["The army retreated."])
print(json.dumps([name for name in ("sklearn", "scipy", "joblib", "pickle") if name in sys.modules]))
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(models_folder)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "sklearn" not in json.loads(done.stdout)
    assert "joblib" not in json.loads(done.stdout)


def test_repeated_paragraphs_come_from_a_bounded_cache(registry, corpus, monkeypatch):
    monkeypatch.setattr("training.scoring.frame_model._CACHED_PARAGRAPHS", 30)
    model = registry.load("v1")
    batches = []
    logits = model._scorer.logits
    object.__setattr__(model, "_scorer", Counting(logits, batches))
    texts = [paragraph.text for paragraph in corpus[:20]]
    first = model.score(texts)
    assert (model.score([*texts[:10], "Something new."])[:10] == first[:10]).all()
    assert batches == [20, 1]
    model.score([paragraph.text for paragraph in corpus[20:80]])
    assert len(model._cache._logits) == 30
    assert (model.score(texts) == first).all()


class Counting:
    def __init__(self, logits, batches):
        self._logits, self._batches = logits, batches

    def logits(self, texts):
        self._batches.append(len(texts))
        return self._logits(texts)
