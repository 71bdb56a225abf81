"""External validation: a model judged on coded paragraphs that it never saw."""

import csv
import json
from dataclasses import replace

import pytest

from labels.annotations import Annotation, CodedParagraph, corpus_row
from tests.support.files import write_lines
from training.errors import ValidationDataError
from training.scoring.frame_model import FrameModel
from training.validation import validate

BLAME = "The government ignored every warning, and its negligence cost forty lives."
FORCE = "The army launched an operation and killed nine militants in an air strike."
WEATHER = "It rained in the valley all day, and the apples were washed off the trees."


def coded(text, frames, *, article="a1", index=0, source="Harbour Post", coder="mira"):
    return CodedParagraph(article, index, source, text, (Annotation(coder, dict.fromkeys(frames, "advanced")),))


def test_annotations_that_the_model_agrees_with_give_full_marks(model, codebook):
    validation = validate(
        model,
        codebook,
        [
            coded(BLAME, ["blame_on_leadership"]),
            coded(FORCE, ["militarized_response"], article="a2"),
            coded(WEATHER, [], article="a3"),
        ],
    )
    assert validation.disagreements == ()
    assert (validation.evaluation.paragraphs, validation.evaluation.articles) == (3, 3)
    figures = {figure.frame: figure for figure in validation.evaluation.frames}
    assert figures["blame_on_leadership"].f1.value == figures["militarized_response"].f1.value == 1
    assert figures["foreign_hand"].f1.value is None


def test_a_disagreement_names_the_words_that_spoke_for_the_frame_and_the_surest_comes_first(model, codebook):
    unsure = coded(BLAME, [], article="a2")
    validation = validate(model, codebook, [unsure, coded(FORCE, ["grievance_driven", "militarized_response"])])
    assert {(entry.frame, entry.coded) for entry in validation.disagreements} == {
        ("blame_on_leadership", False),
        ("grievance_driven", True),
    }
    differences = [abs(entry.coded - entry.score) for entry in validation.disagreements]
    assert differences == sorted(differences, reverse=True)
    [blamed] = [entry for entry in validation.disagreements if entry.frame == "blame_on_leadership"]
    assert "negligence" in blamed.words
    assert blamed.paragraph == unsure


def test_stances_are_judged_where_the_coders_specified_them(model, codebook):
    reported = "The ministry accused its neighbour of arming the rebels, a charge that the neighbour denies."
    frames = {"foreign_hand": "reported"}
    paragraph = replace(coded(reported, []), annotations=(Annotation("mira", frames),))
    validation = validate(model, codebook, [paragraph, coded(FORCE, ["militarized_response"], article="a2")])
    supports = {figure.frame: figure.support for figure in validation.stances.frames}
    assert supports == {"advanced": 1, "reported": 1, "contested": 0}
    assert validation.stances.micro.f1.value == 1
    unspecified = replace(paragraph, annotations=(Annotation("mira", {"foreign_hand": "present"}),))
    assert validate(model, codebook, [unspecified]).stances is None


def test_paragraphs_whose_coders_are_tied_are_left_out_and_counted(model, codebook):
    tied = replace(
        coded(BLAME, []), annotations=(Annotation("mira", {}), Annotation("tomas", {"foreign_hand": "reported"}))
    )
    validation = validate(model, codebook, [tied, coded(WEATHER, [], article="a2")])
    assert (validation.unsettled, validation.evaluation.paragraphs) == (1, 1)


def test_sources_of_the_training_are_named(model, codebook, corpus):
    validation = validate(
        model, codebook, [coded(WEATHER, [], source=corpus[0].source), coded(FORCE, [], article="a2")]
    )
    assert validation.sources_known == (corpus[0].source,)


def test_a_precise_point_calls_less_than_a_recalling_one(model, codebook, corpus):
    some = corpus[::20]
    called = {
        point: sum(
            figure.recall.value * figure.support for figure in validate(model, codebook, some, point).evaluation.frames
        )
        for point in ("high_precision", "balanced", "high_recall")
    }
    assert called["high_precision"] < called["balanced"] < called["high_recall"]


def test_no_paragraphs_or_another_codebook_is_an_error(model, codebook):
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
    done = framing(
        "validate", "own.jsonl", "--json", "--disagreements", "out/differ.csv", "--markdown", "out/table.md",
        data_dir=models_folder.parent,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
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
        ((), "name either a file of coded paragraphs or --stored"),
        (("own.jsonl", "--stored"), "name either a file of coded paragraphs or --stored"),
        (("nowhere.jsonl",), "there is no .jsonl file"),
    ],
)
def test_a_mistake_is_a_sentence(framing, models_folder, arguments, sentence):
    done = framing("validate", *arguments, data_dir=models_folder.parent)
    assert done.returncode in (1, 2)
    assert sentence in " ".join(done.stderr.replace("│", " ").split())
