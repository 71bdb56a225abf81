"""The shipped base model: its files are whole and small, it serves at once, and it reads news by the codebook."""

import hashlib
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from labels.annotations import read_corpus
from training.encoder import shipped
from training.encoder.files import DIGESTS_FILE, digest_of
from training.encoder.shipped import BASE_FOLDER, encoder_of
from training.evaluation import OF_THE_BASE
from training.model_card import Kind
from training.registry.base import base_for
from training.registry.learned import digests_of, has_learned, known_of, learned_by_base
from training.registry.model_files import PIPELINE_FILE, SCORER_FILE
from training.registry.versions import Registry
from training.reports import report
from training.reports.report import write_report
from training.scoring.frame_model import FrameModel

MEGABYTE = 10**6
EXAMPLE = Path(__file__).parents[1] / "docs" / "example.json"


@pytest.fixture(scope="module")
def base_model(codebook):
    base = base_for(codebook)
    return FrameModel(base.scorer, base.card)


def test_no_file_of_the_base_is_too_large_for_a_repository():
    sizes = [path.stat().st_size for path in BASE_FOLDER.rglob("*") if path.is_file()]
    assert max(sizes) < 95 * MEGABYTE
    assert sum(sizes) < 130 * MEGABYTE


@pytest.mark.parametrize("kind", ["encoder", "encoder-small"])
def test_the_card_names_the_encoder_beside_it(kind, codebook):
    card = base_for(codebook, kind).card
    assert card.kind == kind
    assert card.encoder.digest == digest_of(BASE_FOLDER / kind)


@pytest.mark.parametrize(
    ("kind", "pretrained"), [("encoder", "all-mpnet-base-v2"), ("encoder-small", "all-MiniLM-L6-v2")]
)
def test_the_licence_of_the_pretrained_weights_is_shipped(kind, pretrained):
    assert "Apache License" in (BASE_FOLDER / kind / "LICENSE").read_text(encoding="utf-8")
    assert pretrained in (BASE_FOLDER / kind / "NOTICE").read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", ["encoder-small", "words"])
def test_the_faster_kinds_ship_too_and_are_registered_without_training(kind, framing, tmp_path):
    result = framing("train", "--if-no-champion", kind=kind, start="base", data_dir=tmp_path / "data")
    assert "Nothing was trained" in result.stdout
    model, _ = Registry(tmp_path / "data" / "models").load_champion()
    assert model.card.kind == kind
    text = "The army answered with air strikes and shelled the valley for three days."
    column = model.frames.index("militarized_response")
    assert model.score([text])[0, column] >= model.card.cuts["balanced"]["militarized_response"].present_from


def test_the_first_start_registers_the_base_and_trains_nothing(framing, tmp_path):
    result = framing("train", "--if-no-champion", kind="auto", data_dir=tmp_path / "data")
    assert "Nothing was trained" in result.stdout
    model, promotion = Registry(tmp_path / "data" / "models").load_champion()
    assert promotion.version == "v1"
    assert model.card.kind == "encoder"
    assert model.card.hyperparameters["epochs"] >= 1


def test_training_registers_the_base_once(framing, tmp_path):
    place = {"kind": "auto", "data_dir": tmp_path / "data"}
    framing("train", **place)
    again = framing("train", **place)
    assert again.returncode == 0
    assert "Nothing to train: the champion, v1, is the shipped model" in " ".join(again.stdout.split())
    assert json.loads(framing("train", "--json", **place).stdout) == {"version": "v1", "champion": True}
    assert Registry(tmp_path / "data" / "models").versions() == ["v1"]


def test_another_model_as_champion_does_not_keep_the_base_from_being_registered(framing, tmp_path):
    place = {"kind": "auto", "data_dir": tmp_path / "data"}
    framing("train", **place)
    registry = Registry(tmp_path / "data" / "models")
    adapted = replace(registry.card("v1"), created_at="2027-01-01T00:00:00+00:00")
    version = registry.adopt(
        adapted, *(registry.files("v1")[name] for name in (PIPELINE_FILE, SCORER_FILE, DIGESTS_FILE))
    ).version
    registry.promote(version, by="tests", reason="adapted")
    assert "Registered as v3" in framing("train", **place).stdout


def test_the_methods_of_a_paper_describe_the_base(codebook, part_of_the_corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(report, "check_behaviour", lambda *_: [])
    base, corpus = base_for(codebook), read_corpus(part_of_the_corpus, codebook)
    card = base.card.registered("v1", "0" * 64, "1" * 64)
    write_report(tmp_path, FrameModel(base.scorer, card), codebook, corpus)
    methods = (tmp_path / "methods.tex").read_text(encoding="utf-8")
    assert "a transformer encoder" in methods
    assert card.encoder.name in methods
    assert "articles left out of fine-tuning" in methods
    assert card.note in methods
    for foreign in ("TF--IDF", "names", "sources left out", "from 0 sources", "share weights"):
        assert foreign not in methods
    references = (tmp_path / "references.bib").read_text(encoding="utf-8")
    cited = set(re.findall(r"\\cite[pt]\{(\w+)\}", methods))
    assert cited == set(re.findall(r"^@\w+\{(\w+),", references, re.MULTILINE))
    assert "song2020mpnet" in cited


@pytest.mark.parametrize(
    ("hyperparameters", "sentence"),
    [
        ({"base": "2026", "own_paragraphs": 1200, "pull": {"frames": 1.0}}, "fitted to 1,200 more paragraphs"),
        ({"pull": {"frames": 1.0}}, "linear heads on the mean of its token vectors. The model was trained"),
    ],
)
def test_the_methods_describe_other_heads_on_the_encoder(
    codebook, corpus, tmp_path, monkeypatch, hyperparameters, sentence
):
    monkeypatch.setattr(report, "check_behaviour", lambda *_: [])
    base = base_for(codebook)
    card = replace(base.card.registered("v2", "0" * 64, "1" * 64), hyperparameters=hyperparameters, note="second")
    write_report(tmp_path, FrameModel(base.scorer, card), codebook, corpus[:40])
    methods = " ".join((tmp_path / "methods.tex").read_text(encoding="utf-8").split())
    assert sentence in methods
    assert f"About the base model: {base.card.note.rstrip('.')}. Agreement" in methods


def test_figures_of_the_base_are_not_said_to_be_those_of_a_model_with_too_few_annotations_to_measure_it(
    codebook, corpus, tmp_path, monkeypatch
):
    monkeypatch.setattr(report, "check_behaviour", lambda *_: [])
    base = base_for(codebook)
    for how, subject in ((base.card.left_out.how, "the model"), (f"x ({OF_THE_BASE}: too few)", "the base model")):
        left_out = replace(base.card.left_out, how=how)
        card = replace(base.card.registered("v2", "0" * 64, "1" * 64), left_out=left_out)
        folder = tmp_path / subject
        write_report(folder, FrameModel(base.scorer, card), codebook, corpus[:40])
        assert f") {subject} reached a macro F1" in (folder / "methods.tex").read_text(encoding="utf-8")


def test_paragraphs_that_a_base_learned_from_are_known_by_their_texts(base_model, corpus, monkeypatch, tmp_path):
    texts = ["The port was shelled.", "The port was rebuilt.", "It rained."]
    folder = tmp_path / "encoder"
    folder.mkdir()
    digests = [hashlib.sha256(text.encode()).hexdigest()[:16] for text in texts[:2]]
    (folder / DIGESTS_FILE).write_text("\n".join(digests) + "\n", encoding="utf-8")
    monkeypatch.setattr(shipped, "BASE_FOLDER", tmp_path)
    learned = learned_by_base("encoder")
    assert [has_learned(learned, text) for text in texts] == [True, True, False]
    assert has_learned(learned, " The port\n was shelled. ")
    # It learned from a sample of the written corpus, so any paragraph of that may have been among them.
    assert has_learned(learned, corpus[0].text)
    assert not learned_by_base("words")
    assert known_of(base_model.card) >= digests_of(texts[:2])


@pytest.mark.parametrize("kind", get_args(Kind))
def test_the_shipped_list_of_paragraphs_has_no_text_of_the_written_corpus(kind, corpus):
    lines = (BASE_FOLDER / kind / DIGESTS_FILE).read_text(encoding="utf-8").split()
    assert len(lines) > 10_000
    assert {len(line) for line in lines} == {16}
    assert not digests_of(paragraph.text for paragraph in corpus) & frozenset(lines)


def test_each_frame_of_the_example_is_present_in_its_paragraph_alone(base_model):
    paragraphs = json.loads(EXAMPLE.read_text(encoding="utf-8"))["text"].split("\n\n")
    scores = base_model.score(paragraphs)
    cuts = [base_model.card.cuts["balanced"][frame].present_from for frame in base_model.frames]
    present = scores >= np.array(cuts)
    assert present.any(axis=0).all()
    assert present.sum(axis=1).max() == 1


def test_evidence_of_the_example_names_what_a_reader_would_name(base_model):
    text = "The rebels were armed and trained by the intelligence service of Ostrania, the government says."
    _, [explained] = base_model.score_and_explain([text])
    column = base_model.frames.index("foreign_hand")
    strongest = explained[column].terms.strongest(4)[column]
    words = {text[slice(*word.places[0])].lower() for word in strongest}
    assert words & {"armed", "trained", "intelligence", "ostrania"}


@pytest.mark.parametrize(
    "text",
    [
        "The striker scored twice after the break and the home side moved up to fourth place.",
        "The river rose two metres overnight and the lower streets of the town were under water by noon.",
        "Shares in the bakery chain fell by four per cent after it said that flour would cost more.",
        "The recipe needs two eggs, a little butter and an hour of patience.",
    ],
)
def test_everyday_news_carries_no_frame(base_model, text):
    scores = base_model.score([text])[0]
    cuts = [base_model.card.cuts["balanced"][frame].present_from for frame in base_model.frames]
    assert (scores < np.array(cuts)).all()


def test_an_encoder_with_a_missing_file_is_named_by_the_doctor_and_not_registered(framing, tmp_path, monkeypatch):
    data, base = tmp_path / "data", shutil.copytree(BASE_FOLDER, tmp_path / "base")
    framing("train", "--if-no-champion", kind="auto", data_dir=data)
    (base / "encoder" / "layers.npz").unlink()
    monkeypatch.setattr("training.encoder.shipped.BASE_FOLDER", base)
    encoder_of.cache_clear()
    findings = framing("doctor", kind="auto", data_dir=data).stdout
    assert "damaged there" in " ".join(findings.split())
    refused = framing("train", kind="encoder", data_dir=tmp_path / "other")
    assert refused.returncode == 1
    assert "damaged there" in refused.stderr
    assert Registry(tmp_path / "other" / "models").versions() == []
    encoder_of.cache_clear()
