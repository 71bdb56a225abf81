import csv
import io
import json
import unicodedata
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labels.annotations import read_corpus
from labels.codebook import codebook_to_toml, read_codebook
from labels.exchange import FORMATS, ExchangedAnnotation, ExchangeError, require_format
from labels.exchange.cells import guarded, unguarded, write_table
from labels.exchange.refi_qda import read_codebook as read_refi_codebook
from labels.exchange.refi_qda import write_codebook

ANNOTATIONS = [
    ExchangedAnnotation(
        "ann@example.org",
        'Ministers failed, they admitted; "again".\nTwice.',
        "Courier",
        {"blame_on_leadership": "reported"},
    ),
    ExchangedAnnotation("ben", 'Ministers failed, they admitted; "again".\nTwice.', "Courier", {}),
    ExchangedAnnotation(
        "ben",
        "=cmd('x') The neighbour armed them — ünïcode 😀",
        "Herald",
        {"foreign_hand": "contested", "militarized_response": "advanced", "grievance_driven": "present"},
        article_id="0" * 32,
        paragraph=3,
        note="-unsure\nsecond line",
        selection="uncertain",
        inclusion_probability=0.125,
        codebook_version=1,
        created_at="2026-03-14T08:00:00+00:00",
        unsure=True,
    ),
    ExchangedAnnotation(
        "ben",
        "=cmd('x') The neighbour armed them — ünïcode 😀",
        "Herald",
        {"foreign_hand": "reported"},
        article_id="0" * 32,
        paragraph=3,
        role="adjudicator",
        covered=frozenset({"foreign_hand", "militarized_response"}),
    ),
    ExchangedAnnotation(
        "eva", "'quoted start", "+source", {"foreign_hand": "reported"}, article_id="0" * 32, paragraph=4
    ),
]


def ordered(annotations):
    return sorted(annotations, key=lambda c: (c.text, c.coder, c.role))


@pytest.mark.parametrize("name", FORMATS)
def test_a_round_trip_loses_nothing(name, codebook):
    file_format = require_format(name)
    again = file_format.read(file_format.write(ANNOTATIONS, codebook), codebook)
    assert ordered(again.annotations) == ordered(ANNOTATIONS)
    assert again.set_aside == []


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=30, deadline=None)
@given(
    text=st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=60).filter(lambda t: t.strip()),
    coder=st.text(st.characters(exclude_categories=["Cs", "Cc", "Z"]), min_size=1, max_size=20).filter(
        lambda t: t.strip()
    ),
    chosen=st.dictionaries(
        st.sampled_from(["foreign_hand", "grievance_driven"]), st.sampled_from(["advanced", "reported", "contested"])
    ),
)
def test_a_round_trip_preserves_any_text_and_coder(name, codebook, text, coder, chosen):
    annotation = ExchangedAnnotation(coder, text, "here", chosen, article_id="a" * 32, paragraph=0)
    file_format = require_format(name)
    assert file_format.read(file_format.write([annotation], codebook), codebook).annotations == [annotation]


@pytest.mark.parametrize("name", FORMATS)
def test_control_characters_never_break_an_export(name, codebook):
    file_format = require_format(name)
    annotation = ExchangedAnnotation("a\x01b", "The army\x0b moved\x1f in.", "so\x02urce", {}, note="n\x03")
    [again] = file_format.read(file_format.write([annotation], codebook), codebook).annotations
    assert again.text.startswith("The army")


@pytest.mark.parametrize(
    ("cell", "unsure"),
    [("1", True), ("TRUE", True), ("yes", True), ("1.0", True), ("0", False), ("false", False), ("", False)],
)
def test_a_table_says_in_any_usual_way_that_a_coder_was_unsure(codebook, cell, unsure):
    [annotation] = (
        FORMATS["csv-long"].read(f"coder,text,frame,unsure\nmira,It rained.,,{cell}".encode(), codebook).annotations
    )
    assert annotation.unsure is unsure


def test_whoever_is_unsure_of_a_frame_is_unsure_of_the_annotation(codebook):
    table = b"coder,text,frame,unsure\nmira,It rained.,foreign_hand,0\nmira,It rained.,grievance_driven,1"
    [annotation] = FORMATS["csv-long"].read(table, codebook).annotations
    assert (annotation.unsure, len(annotation.frames)) == (True, 2)
    row = {"text": "It rained.", "_annotator_id": "mira", "answer": "reject"}
    questions = [{**row, "label": key, "meta": {"unsure": key == "foreign_hand"}} for key in codebook.keys]
    [merged] = FORMATS["prodigy"].read(lines(*questions), codebook).annotations
    assert (merged.unsure, merged.frames) == (True, {})


@pytest.mark.parametrize("value", ["perhaps", 2, ["yes"], {}])
def test_another_word_than_yes_or_no_about_being_unsure_is_a_bad_row(codebook, value):
    row = {"text": "It rained.", "label": ["foreign_hand"], "username": "mira", "unsure": value}
    with pytest.raises(ExchangeError, match="'unsure' must be true or false"):
        FORMATS["doccano"].read(lines(row), codebook)


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "potato"])
def test_a_file_without_annotations_can_be_read(name, codebook):
    file_format = require_format(name)
    assert file_format.read(file_format.write([], codebook), codebook).annotations == []


def test_training_reads_a_corpus_of_stored_annotations(codebook, tmp_path):
    path = tmp_path / "ours.jsonl"
    path.write_bytes(FORMATS["corpus"].write(ANNOTATIONS, codebook))
    [coded_twice, in_article, following] = read_corpus(path, codebook)
    assert [(a.coder, a.frames) for a in coded_twice.annotations] == [(a.coder, a.frames) for a in ANNOTATIONS[:2]]
    assert (in_article.article, in_article.index, following.index) == ("0" * 32, 3, 4)
    [plain] = (
        FORMATS["corpus"]
        .read(
            lines(
                {
                    "article": "a1",
                    "index": 2,
                    "source": "Post",
                    "text": "It rained.",
                    "annotations": [{"coder": "mira", "frames": {"foreign_hand": "contested"}}],
                }
            ),
            codebook,
        )
        .annotations
    )
    assert plain == ExchangedAnnotation(
        "mira", "It rained.", "Post", {"foreign_hand": "contested"}, article_id="a1", paragraph=2
    )


def lines(*rows):
    return "\n".join(map(json.dumps, rows)).encode()


def test_a_file_that_label_studio_wrote_is_read(codebook):
    def choice(values):
        return {
            "from_name": "framing",
            "to_name": "text",
            "type": "choices",
            "id": "x",
            "origin": "manual",
            "value": {"choices": values},
        }

    task = {
        "id": 7,
        "data": {"text": "The neighbour armed them."},
        "annotations": [
            {
                "id": 1,
                "completed_by": 3,
                "was_cancelled": False,
                "lead_time": 4.2,
                "result": [choice(["Foreign hand"])],
            },
            {"id": 2, "completed_by": {"id": 4, "email": "b@x.org"}, "was_cancelled": False, "result": []},
            {"id": 3, "completed_by": 5, "was_cancelled": True, "result": [choice(["nonsense"])]},
        ],
        "predictions": [{"model_version": "v1", "score": 0.4, "result": [choice(["foreign_hand"])]}],
        "meta": {},
        "project": 1,
    }
    annotations = FORMATS["label-studio"].read(json.dumps([task]).encode(), codebook).annotations
    assert [(c.coder, dict(c.frames)) for c in annotations] == [("3", {"foreign_hand": "present"})]


def test_a_file_that_doccano_wrote_is_read(codebook):
    data = lines(
        {"id": 1, "text": "A.", "label": ["foreign_hand"], "Comments": []}, {"id": 2, "text": "B.", "label": []}
    )
    annotations = FORMATS["doccano"].read(data, codebook).annotations
    assert [(c.coder, c.text, dict(c.frames)) for c in annotations] == [("", "A.", {"foreign_hand": "present"})]


def test_a_file_that_prodigy_wrote_is_read(codebook):
    options = [{"id": key, "text": key} for key in codebook.keys]
    choice = {"text": "A.", "options": options, "_view_id": "choice"}
    data = lines(
        {**choice, "accept": ["foreign_hand"], "answer": "accept", "_input_hash": 1, "_annotator_id": "ann"},
        {**choice, "accept": [], "answer": "ignore", "_input_hash": 1, "_annotator_id": "ben"},
        {"text": "B.", "label": "foreign_hand", "answer": "reject", "_input_hash": 2, "_session_id": "ben"},
        {"text": "B.", "label": "grievance_driven", "answer": "accept", "_input_hash": 2, "_session_id": "ben"},
        {"text": "B.", "label": "blame_on_leadership", "answer": "reject", "_input_hash": 2, "_session_id": "ben"},
        {"text": "B.", "label": "militarized_response", "answer": "reject", "_input_hash": 2, "_session_id": "ben"},
    )
    annotations = FORMATS["prodigy"].read(data, codebook).annotations
    assert [(c.coder, c.text, dict(c.frames)) for c in annotations] == [
        ("ann", "A.", {"foreign_hand": "present"}),
        ("ben", "B.", {"grievance_driven": "present"}),
    ]


def test_rows_that_argilla_wrote_are_read(codebook):
    row = {
        "text": "A.",
        "framing.responses": [["foreign_hand"], ["grievance_driven"], []],
        "framing.responses.users": ["u1", "u2", "u3"],
        "framing.responses.status": ["submitted", "discarded", "submitted"],
        "framing.suggestion": ["foreign_hand"],
        "framing.suggestion.score": [0.4],
    }
    annotations = FORMATS["argilla"].read(lines(row), codebook).annotations
    assert [(c.coder, dict(c.frames)) for c in annotations] == [("u1", {"foreign_hand": "present"}), ("u3", {})]


def test_a_wide_csv_of_a_spreadsheet_is_read(codebook):
    table = "coder,text,blame_on_leadership,foreign_hand,grievance_driven,militarized_response\r\nann,A.,0,1,0,0\r\n"
    [annotation] = FORMATS["csv-wide"].read(("\ufeff" + table).encode(), codebook).annotations
    assert (annotation.coder, dict(annotation.frames)) == ("ann", {"foreign_hand": "present"})


def test_csv_cells_are_never_formulas(codebook):
    for name in ("csv-long", "csv-wide"):
        text = FORMATS[name].write(ANNOTATIONS, codebook).decode()
        for row in csv.reader(io.StringIO(text)):
            assert not [cell for cell in row if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]


def _unseen():
    """Every character that is no letter, number, mark or sign: controls, spaces, separators and format characters."""
    characters = map(chr, (*range(0xD800), *range(0xE000, 0x110000)))
    return [c for c in characters if unicodedata.category(c) in ("Cc", "Cf", "Zs", "Zl", "Zp")]


def test_no_unseen_character_hides_the_start_of_a_formula():
    signs = [chr(code) for code in range(0x10000) if unicodedata.normalize("NFKC", chr(code)) in ("=", "+", "-", "@")]
    assert len(signs) >= 15
    hidden = [f"{unseen}{unseen}{sign}1+1" for unseen in ("", *_unseen()) for sign in ("=", "@")]
    for cell in [
        *hidden,
        *(f"{sign}1+1" for sign in signs),
        "\n\u200b \ufeff＝1+1",
        " \u2060\x00-1",
        "\nplain",
        "\x00x",
    ]:
        assert guarded(cell) == f"'{cell}", ascii(cell)


@given(st.text(alphabet=st.one_of(st.sampled_from("'=+-@\n\r\t \u200b\ufeff＝a0"), st.characters(codec="utf-8"))))
def test_a_cell_comes_back_as_it_was_whatever_it_starts_with(text):
    content = write_table(("coder", "text"), [{"coder": "mira", "text": text}])
    rows = list(csv.DictReader(io.StringIO(content.decode(), newline="")))
    assert rows[0]["text"] == guarded(text)
    assert unguarded(rows[0]["text"]) == text


def test_text_that_only_contains_a_sign_is_left_as_it_is():
    for cell in ("a = b", "five +1", "1-2", "é=1", "(=1)", "", "“@desk”"):
        assert guarded(cell) == cell


def test_label_studio_annotations_have_ids_of_their_own(codebook):
    """Task 1 has annotations 0 to 11, and task 11 an annotation 0: both were once called 110."""
    first = [ExchangedAnnotation(f"coder {n}", "The army.", "Courier", {}) for n in range(12)]
    others = [ExchangedAnnotation("mira", f"The army of {n}.", "Courier", {}) for n in range(120)]
    tasks = json.loads(FORMATS["label-studio"].write([*first, *others], codebook))
    identifiers = [annotation["id"] for task in tasks for annotation in task["annotations"]]
    assert len(set(identifiers)) == len(identifiers) == 132
    assert len({task["id"] for task in tasks}) == 121


QDE = """<?xml version="1.0" encoding="utf-8"?>
<Project xmlns="urn:QDA-XML:project:1.0" name="Frames" origin="Some QDA">
<Users><User guid="u-1" name="Ann"/><User guid="u-2" name="Ben"/></Users>
<CodeBook><Codes><Code guid="c-1" name="Foreign hand" isCodable="true" color="#ff0000">
<Code guid="c-2" name="contested" isCodable="true"/></Code></Codes></CodeBook>
<Sources><TextSource guid="s-1" name="Courier 1" plainTextPath="internal://s-1.txt" creatingUser="u-1">
<PlainTextSelection guid="p-1" startPosition="0" endPosition="9" creatingUser="u-1">
<Coding guid="k-1" creatingUser="u-1"><CodeRef targetGUID="c-1"/></Coding>
<Coding guid="k-2" creatingUser="u-2"><CodeRef targetGUID="c-2"/></Coding>
</PlainTextSelection></TextSource></Sources></Project>"""


def qdpx(project=QDE, **texts):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("project.qde", project)
        for name, text in (texts or {"s-1": "The army."}).items():
            archive.writestr(f"sources/{name}.txt", text)
    return buffer.getvalue()


def test_a_refi_qda_project_of_another_tool_is_read_with_its_users(codebook):
    annotations = FORMATS["refi-qda"].read(qdpx(), codebook).annotations
    assert [(c.coder, c.text, c.source, dict(c.frames)) for c in annotations] == [
        ("Ann", "The army.", "Courier 1", {"foreign_hand": "present"}),
        ("Ben", "The army.", "Courier 1", {"foreign_hand": "contested"}),
    ]


def test_the_codebook_survives_a_round_trip_as_refi_qda(codebook):
    data = write_codebook(codebook)
    assert data.count(b"<Code ") == 16
    again = read_refi_codebook(data, codebook.name)
    assert again.keys == codebook.keys
    assert [(f.definition, f.colour) for f in again.frames] == [(f.definition, f.colour) for f in codebook.frames]


def test_a_codebook_of_another_tool_becomes_a_codebook_file(tmp_path):
    names = '<Code guid="1" name="Foreign hand!" isCodable="true"/><Code guid="2" name="Klima \u00c4" color="#00ff00" isCodable="true"/>'
    data = f'<CodeBook xmlns="urn:QDA-XML:codebook:1.0"><Codes>{names}</Codes></CodeBook>'.encode()
    path = tmp_path / "own.toml"
    path.write_text(codebook_to_toml(read_refi_codebook(data, "own")), encoding="utf-8")
    codebook = read_codebook(path)
    assert (codebook.keys, codebook.frames[1].colour) == (("foreign_hand", "klima"), "#00ff00")
    with pytest.raises(ExchangeError, match="2 to 50 are allowed"):
        read_refi_codebook(data.replace(b"</Code>", b"").replace(names.split("/>")[1].encode() + b"/>", b""), "own")


@pytest.mark.parametrize(
    ("name", "data", "faults"),
    [
        ("doccano", lines({"text": "A.", "label": ["rain"]}, {"label": []}), ["line 2: 'text'", "the codebook has no frame 'rain' (line 1)"]),
        ("doccano", b'{\n{"text": "A."}\n[]', ["line 1: not a JSON object", "line 3: not a JSON object"]),
        ("doccano", b"\xff\xfe\x00", ["not text in utf-16"]),
        ("doccano", lines({"text": "A.", "label": "foreign_hand"}), ["line 1: the labels must be a list of strings"]),
        ("doccano", lines({"text": "A.", "label": ["foreign_hand"], "inclusion_probability": 2}), ["'inclusion_probability' must be above 0"]),
        ("prodigy", lines({"text": "A.", "accept": [], "answer": "maybe"}), ["'answer' must be"]),
        ("label-studio", b"{}", ["not a list of tasks"]),
        ("label-studio", b'[{"data": {}}]', ["task 1: 'text' must be"]),
        ("label-studio", b"[5]", ["task 1: not a JSON object"]),
        ("argilla", lines({"text": "A.", "frames.responses": [[]], "frames.responses.users": []}), ["an entry per response"]),
        ("csv-long", b"coder,text\r\n", ["no column 'frame'", "its columns are coder, text, separated by comma"]),
        ("csv-long", b"coder,text,frame,paragraph\r\na,A.,,x\r\n", ["row 2: 'paragraph' must be a number"]),
        ("csv-wide", b"coder,text,blame_on_leadership,foreign_hand,grievance_driven,militarized_response\na,A.,2,0,0,0\n", ["row 2: 'blame_on_leadership' must be 0 or 1"]),
        ("refi-qda", b"PK", ["not a zip file"]),
        ("refi-qda", qdpx("<Project"), ["not well-formed XML"]),
        ("refi-qda", qdpx(other="x"), ["source 'Courier 1': its text 's-1.txt' is not in the project"]),
        ("refi-qda", qdpx(QDE.replace('endPosition="9"', 'endPosition="99"')), ["lies outside the text"]),
    ],
)  # fmt: skip
def test_a_bad_file_is_rejected_with_all_its_bad_rows(name, data, faults, codebook):
    with pytest.raises(ExchangeError) as caught:
        FORMATS[name].read(data, codebook)
    assert len(caught.value.rows) == len(faults)
    for fault, row in zip(faults, caught.value.rows, strict=True):
        assert fault in row


def test_entity_attacks_and_archive_bombs_are_rejected(codebook):
    laughs = '<?xml version="1.0"?><!DOCTYPE p [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>' + QDE.split("?>")[1].replace(
        "Frames", "&b;"
    )
    outside = '<?xml version="1.0"?><!DOCTYPE p [<!ENTITY a SYSTEM "file:///etc/passwd">]>' + QDE.split("?>")[
        1
    ].replace("Frames", "&a;")
    for project in (laughs, outside):
        with pytest.raises(ExchangeError):
            FORMATS["refi-qda"].read(qdpx(project), codebook)
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(3):
            archive.writestr(f"sources/{number}.txt", bytes(80 * 2**20))
        archive.writestr("project.qde", QDE)
    with pytest.raises(ExchangeError, match="packed more than 200 times smaller"):
        FORMATS["refi-qda"].read(bomb.getvalue(), codebook)


def test_an_unknown_format_is_rejected_with_the_names_that_exist():
    with pytest.raises(ExchangeError, match="the formats are label-studio, doccano"):
        require_format("brat")
