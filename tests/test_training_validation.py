"""External validation: a model judged on coded paragraphs that it never saw."""

import csv
import json
from dataclasses import replace

import pytest
from conftest import write_lines

from labels.annotations import Annotation, CodedParagraph, corpus_row
from training.errors import ValidationDataError
from training.scoring.frame_model import FrameModel
from training.validation import validate

BLAME = "The government ignored every warning, and its negligence cost forty lives."
FORCE = "The army launched an operation and killed nine militants in an air strike."
WEATHER = "It rained in the valley all day, and the apples were washed off the trees."


def coded(text, frames, *, article="a1", index=0, source="Harbour Post", coder="mira"):
    return CodedParagraph(article, index, source, text, (Annotation(coder, dict.fromkeys(frames, "advanced")),))


def test_codes_that_the_model_agrees_with_give_full_marks(model, codebook):
    found = validate(
        model,
        codebook,
        [
            coded(BLAME, ["blame_on_leadership"]),
            coded(FORCE, ["militarized_response"], article="a2"),
            coded(WEATHER, [], article="a3"),
        ],
    )
    assert found.disagreements == ()
    assert (found.evaluation.paragraphs, found.evaluation.articles) == (3, 3)
    figures = {figure.frame: figure for figure in found.evaluation.frames}
    assert figures["blame_on_leadership"].f1.value == figures["militarized_response"].f1.value == 1
    assert figures["foreign_hand"].f1.value is None


def test_a_disagreement_names_the_words_that_spoke_for_the_frame_and_the_surest_comes_first(model, codebook):
    unsure = coded(BLAME, [], article="a2")
    found = validate(model, codebook, [unsure, coded(FORCE, ["grievance_driven", "militarized_response"])])
    assert {(one.frame, one.coded) for one in found.disagreements} == {
        ("blame_on_leadership", False),
        ("grievance_driven", True),
    }
    differences = [abs(one.coded - one.score) for one in found.disagreements]
    assert differences == sorted(differences, reverse=True)
    [blamed] = [one for one in found.disagreements if one.frame == "blame_on_leadership"]
    assert "negligence" in blamed.words
    assert blamed.paragraph == unsure


def test_the_stance_of_frames_that_are_present_is_judged_where_the_coders_gave_one(model, codebook):
    reported = "The ministry accused its neighbour of arming the rebels, a charge that the neighbour denies."
    frames = {"foreign_hand": "reported"}
    paragraph = replace(coded(reported, []), annotations=(Annotation("mira", frames),))
    found = validate(model, codebook, [paragraph, coded(FORCE, ["militarized_response"], article="a2")])
    supports = {figure.frame: figure.support for figure in found.stances.frames}
    assert supports == {"advanced": 1, "reported": 1, "contested": 0}
    assert found.stances.micro.f1.value == 1
    unsaid = replace(paragraph, annotations=(Annotation("mira", {"foreign_hand": "present"}),))
    assert validate(model, codebook, [unsaid]).stances is None


def test_paragraphs_whose_coders_are_tied_are_left_out_and_counted(model, codebook):
    tied = replace(
        coded(BLAME, []), annotations=(Annotation("mira", {}), Annotation("tomas", {"foreign_hand": "reported"}))
    )
    found = validate(model, codebook, [tied, coded(WEATHER, [], article="a2")])
    assert (found.unsettled, found.evaluation.paragraphs) == (1, 1)


def test_sources_of_the_training_are_named(model, codebook, corpus):
    found = validate(model, codebook, [coded(WEATHER, [], source=corpus[0].source), coded(FORCE, [], article="a2")])
    assert found.sources_known == (corpus[0].source,)


def test_a_precise_point_calls_less_than_a_recalling_one(model, codebook, corpus):
    some = corpus[::20]
    called = {
        point: sum(
            figure.recall.value * figure.support for figure in validate(model, codebook, some, point).evaluation.frames
        )
        for point in ("high_precision", "balanced", "high_recall")
    }
    assert called["high_precision"] < called["balanced"] < called["high_recall"]


def test_nothing_to_judge_on_and_another_codebook_are_told(model, codebook):
    with pytest.raises(ValidationDataError, match="no coded paragraph"):
        validate(model, codebook, [])
    card = replace(model.card, frames={"jobs": "Jobs"})
    with pytest.raises(ValidationDataError, match="has the frames jobs; the codebook has blame_on_leadership"):
        validate(FrameModel(model._scorer, card), codebook, [coded(WEATHER, [])])


def test_the_command_writes_figures_and_a_table_of_disagreements(framing, models_folder, tmp_path):
    rows = [
        coded(BLAME, ["foreign_hand"]),
        coded(f"=1+1 {FORCE}", ["militarized_response"], article="a2"),
        coded(f"@now {FORCE}", [], article="a3"),
    ]
    write_lines(tmp_path / "own.jsonl", map(corpus_row, rows))
    found = framing(
        "validate", "own.jsonl", "--json", "--disagreements", "out/differ.csv", "--markdown", "out/table.md",
        data_dir=models_folder.parent,
    )  # fmt: skip
    assert found.returncode == 0, found.stderr
    answer = json.loads(found.stdout)
    assert (answer["version"], answer["notes"], answer["evaluation"]["paragraphs"]) == ("v1", [], 3)
    with (tmp_path / "out" / "differ.csv").open(encoding="utf-8", newline="") as file:
        differing = list(csv.DictReader(file))
    assert {(row["article"], row["frame"], row["coded"]) for row in differing} == {
        ("a1", "foreign_hand", "present"),
        ("a1", "blame_on_leadership", "absent"),
        ("a3", "militarized_response", "absent"),
    }
    assert all(not row["text"].startswith("@") for row in differing)
    assert "| militarized_response | 1 |" in (tmp_path / "out" / "table.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "give either a file of coded paragraphs or --stored"),
        (("own.jsonl", "--stored"), "give either a file of coded paragraphs or --stored"),
        (("nowhere.jsonl",), "there is no .jsonl file"),
    ],
)
def test_a_mistake_is_a_sentence(framing, models_folder, arguments, sentence):
    found = framing("validate", *arguments, data_dir=models_folder.parent)
    assert found.returncode in (1, 2)
    assert sentence in " ".join(found.stderr.replace("│", " ").split())
