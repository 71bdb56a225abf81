"""Files of annotations in the kinds that public bug reports describe: what is read, and what is never a code."""

import json
from pathlib import Path

import pytest

from labels.exchange import FORMATS, ExchangedAnnotation, ExchangeError
from labels.exchange.options import ReadingOptions

CASES = Path(__file__).with_name("cases")
BLAME, FOREIGN = {"blame_on_leadership": "present"}, {"foreign_hand": "present"}
# A file and its format, the frames of each annotation that is read, and the reasons why the rest is set aside.
READ = [
    ("e01.json", "label-studio", [BLAME], ["the annotation was cancelled"]),
    ("e02.json", "label-studio", [BLAME], ["the same annotation comes again"]),
    ("e03.json", "label-studio", [BLAME], []),
    ("e06.json", "label-studio", [BLAME], []),
    ("e07.json", "label-studio", [], ["it has no choices, only 'frames' of the type labels"]),
    ("e08.json", "label-studio", [], ["it has no choices, only 'frames' of the type taxonomy"]),
    ("e11.jsonl", "doccano", [BLAME], ["it has no label, which doccano also writes for what nobody has labelled"]),
    ("e12.jsonl", "doccano", [BLAME], []),
    ("e13.jsonl", "argilla", [BLAME], ["the record has no response"]),
    (
        "e14.jsonl",
        "argilla",
        [BLAME],
        ["the response has the status discarded", "the response has the status draft"],
    ),
    ("e15.json", "argilla", [BLAME], []),
    (
        "e16.jsonl",
        "prodigy",
        [],
        ["'cats' left open whether it has grievance_driven, militarized_response"],
    ),
    ("e16b.jsonl", "prodigy", [], ["it has no 'accept', only spans"]),
    ("e17.jsonl", "prodigy", [BLAME], ["the task was rejected", "the task was ignored"]),
    ("e18.csv", "csv-long", [BLAME], []),
    ("e18b.csv", "csv-long", [BLAME], []),
    ("e19.csv", "csv-long", [BLAME], []),
    ("e21.csv", "csv-wide", [], ["its cell 'foreign_hand' is empty"]),
    ("e21c.csv", "csv-wide", [BLAME, BLAME], []),
]
REFUSED = [
    ("e08b.json", "label-studio", "no frame 'None of these'"),
    ("e09.jsonl", "doccano", "no frame '7'"),
    ("e21b.csv", "csv-wide", "row 2: 'foreign_hand' must be 0 or 1"),
]


@pytest.mark.parametrize(("file", "name", "codes", "reasons"), READ, ids=[case[0] for case in READ])
def test_only_what_a_coder_decided_is_an_annotation(file, name, codes, reasons, codebook):
    reading = FORMATS[name].read((CASES / file).read_bytes(), codebook, ReadingOptions(coder="mira"))
    assert [dict(annotation.frames) for annotation in reading.annotations] == codes
    assert [entry.reason for entry in reading.reasons] == reasons
    assert all(annotation.coder for annotation in reading.annotations)


@pytest.mark.parametrize(("file", "name", "fault"), REFUSED, ids=[case[0] for case in REFUSED])
def test_a_label_or_cell_that_means_nothing_refuses_the_file_by_name(file, name, fault, codebook):
    with pytest.raises(ExchangeError) as caught:
        FORMATS[name].read((CASES / file).read_bytes(), codebook, ReadingOptions(coder="mira"))
    assert fault in str(caught.value)


def test_a_label_that_says_that_there_is_no_frame_is_mapped_to_none(codebook):
    options = ReadingOptions(frames={"None of these": "none"})
    [annotation] = FORMATS["label-studio"].read((CASES / "e08b.json").read_bytes(), codebook, options).annotations
    assert annotation.frames == {}


@pytest.mark.parametrize("name", FORMATS)
def test_odd_texts_survive_every_format(name, codebook):
    texts = json.loads((CASES / "e40.json").read_text(encoding="utf-8"))
    annotations = [ExchangedAnnotation("mira", text, "radio", BLAME) for text in texts]
    again = FORMATS[name].read(FORMATS[name].write(annotations, codebook), codebook)
    assert sorted(annotation.text for annotation in again.annotations) == sorted(texts)
    assert {str(annotation.frames) for annotation in again.annotations} == {str(BLAME)}


@pytest.mark.parametrize("name", ["doccano", "prodigy", "argilla", "corpus"])
def test_every_line_of_json_lines_ends_where_other_programs_think_it_does(name, codebook):
    text = "One.\u2028Two.\u2029Three.\u0085Four."
    written = FORMATS[name].write([ExchangedAnnotation("mira", text, "radio", {})], codebook).decode()
    assert len(written.splitlines()) == 1
