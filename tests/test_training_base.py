"""The shipped base model: its files are whole and small, it serves at once, and it reads news by the codebook."""

import json
from pathlib import Path

import numpy as np
import pytest

from training.encoder.files import digest_of
from training.encoder.shipped import BASE_FOLDER, encoder_folders
from training.registry.base import base_for
from training.registry.versions import Registry
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


def test_the_card_names_the_encoder_beside_it(codebook):
    [folder] = encoder_folders()
    assert base_for(codebook).card.encoder.digest == digest_of(folder)


def test_the_licence_of_the_pretrained_weights_is_shipped():
    [folder] = encoder_folders()
    assert "Apache License" in (folder / "LICENSE").read_text(encoding="utf-8")
    assert "all-mpnet-base-v2" in (folder / "NOTICE").read_text(encoding="utf-8")


def test_the_first_start_registers_the_base_and_trains_nothing(framing, tmp_path):
    result = framing("train", "--if-no-champion", kind="auto", data_dir=tmp_path / "data")
    assert "Nothing was trained" in result.stdout
    model, promotion = Registry(tmp_path / "data" / "models").load_champion()
    assert promotion.version == "v1"
    assert model.card.kind == "encoder"
    assert model.card.hyperparameters["epochs"] == 2


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
    words = {text[start:end].lower() for start, end, _ in strongest}
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
