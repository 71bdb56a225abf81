"""Exports of tools as people have them: other fields, labels, coders and questions, and answers that are none."""

import io
import json
import zipfile

import pytest

from labels.exchange import FORMATS, ExchangeError
from labels.exchange.options import ReadingOptions, coder_map, label_map

FOREIGN, GRIEVANCE = {"foreign_hand": "present"}, {"grievance_driven": "present"}


def lines(*rows):
    return "\n".join(map(json.dumps, rows)).encode()


def zipped(**files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "."), content)
    return buffer.getvalue()


def read(name, data, codebook, **options):
    return FORMATS[name].read(data, codebook, ReadingOptions(**options))


def codes(reading):
    return [(annotation.coder, annotation.text, dict(annotation.frames)) for annotation in reading.annotations]


def reasons(reading):
    return {entry.reason: entry.count for entry in reading.reasons}


def choices(name, *chosen):
    return {"from_name": name, "to_name": "t", "type": "choices", "value": {"choices": list(chosen)}}


def task(*results, coder=1, **data):
    annotations = [{"id": number, "completed_by": coder, "result": result} for number, result in enumerate(results)]
    return {"id": 1, "data": data or {"text": "A."}, "annotations": annotations}


def test_a_zip_of_doccano_names_the_coders_by_its_files(codebook):
    data = zipped(
        mira__jsonl=lines({"id": 1, "text": "A.", "label": ["Foreign hand"]}, {"id": 2, "text": "B.", "label": []}),
        tom__jsonl=lines({"id": 1, "text": "A.", "label": ["grievance_driven"]}),
    )
    reading = read("doccano", data, codebook)
    assert codes(reading) == [("mira", "A.", FOREIGN), ("tom", "A.", GRIEVANCE)]
    assert reading.set_aside[0].where == "mira.jsonl, line 2"
    joint = read("doccano", zipped(all__jsonl=lines({"text": "A.", "label": ["foreign_hand"]})), codebook, coder="tom")
    assert codes(joint) == [("tom", "A.", FOREIGN)]


def test_json_and_csv_of_doccano_are_read(codebook):
    listed = json.dumps([{"id": 1, "text": "A.", "label": ["foreign_hand"], "paragraph": 12.0, "article_id": 7}])
    [annotation] = read("doccano", listed.encode(), codebook).annotations
    assert (annotation.paragraph, annotation.article_id) == (12, "7")
    table = b'id,text,label,Comments,paragraph\r\n1,"A, b.",foreign_hand#grievance_driven,,12.0\r\n2,B.,,,\r\n'
    reading = read("doccano", table, codebook)
    assert codes(reading) == [("", "A, b.", {**FOREIGN, **GRIEVANCE})]
    assert reading.annotations[0].paragraph == 12
    assert list(reasons(reading).values()) == [1]


def test_an_empty_answer_means_none_only_if_the_caller_says_so(codebook):
    rows = {
        "doccano": lines({"text": "A.", "label": []}),
        "label-studio": json.dumps([task([choices("frames", "foreign_hand")], text="B."), task([])]).encode(),
        "argilla": lines({"text": "A.", "frames.responses": [None], "frames.responses.users": ["u"]}),
        "prodigy": lines({"text": "A.", "label": "foreign_hand", "answer": "reject"}),
        "potato": lines({"instance_id": "1", "user_id": "u", "text": "A.", "labels": {"frames": {}}}),
        "csv-wide": ("text," + ",".join(codebook.keys) + "\nA.,,,,\n").encode(),
    }
    for name, data in rows.items():
        assert "A." not in [text for _, text, _ in codes(read(name, data, codebook))], name
        empty = read(name, data, codebook, empty_means_none=True)
        assert [present for _, text, present in codes(empty) if text == "A."] == [{}], name


def test_labels_that_are_not_frames_are_listed_together_with_what_to_do(codebook):
    data = lines(
        {"text": "A.", "label": ["Fremde Hand", "off topic"]},
        {"text": "B.", "label": ["off topic"]},
        {"text": "C.", "label": ["nothing", "foreign_hand"]},
        {"text": "D.", "label": ["nothing"]},
    )
    with pytest.raises(ExchangeError) as caught:
        read("doccano", data, codebook)
    [message] = caught.value.rows
    for part in ("'Fremde Hand' (line 1)", "'off topic' (line 1 and 1 more)", "'nothing'", "--map", "--ignore"):
        assert part in message
    options = {"frames": {"fremde hand": "Foreign hand", "nothing": "none"}, "ignored": frozenset({"Off topic"})}
    reading = read("doccano", data, codebook, coder="m", **options)
    assert codes(reading) == [("m", "A.", FOREIGN), ("m", "D.", {})]
    assert reasons(reading) == {
        "all of its labels are to be ignored": 1,
        "it has a frame and a label that says that there is none": 1,
    }
    assert dict(reading.ignored) == {"Off topic".lower(): 2}


def test_an_option_that_cannot_be_followed_is_refused(codebook):
    data = lines({"text": "A.", "label": ["foreign_hand"]})
    for name, options, fault in [
        ("doccano", {"frames": {"x": "rain"}}, "no frame 'rain'"),
        ("doccano", {"ignored": frozenset({"foreign_hand"})}, "'foreign_hand' stands for a frame"),
        ("prodigy", {"question": "frames"}, "--question"),
        ("csv-wide", {"ignored": frozenset({"x"})}, "--ignore"),
        ("corpus", {"text_field": "body"}, "--text-field"),
        ("doccano", {"coder_field": "who"}, "no field 'who'"),
    ]:
        with pytest.raises(ExchangeError, match=fault):
            read(name, data, codebook, **options)
    with pytest.raises(ExchangeError, match="A=B"):
        label_map(["foreign_hand"])
    assert label_map(["a=b=foreign_hand"]) == {"a=b": "foreign_hand"}
    assert coder_map(["1=mira=x"]) == {"1": "mira=x"}


def test_text_and_coder_are_taken_from_the_fields_that_the_caller_names(codebook):
    row = {"body": "A.", "label": ["foreign_hand"], "who": 3.0}
    with pytest.raises(ExchangeError, match=r"'body'.*--text-field"):
        read("doccano", lines(row), codebook)
    named = {"text_field": "body", "coder_field": "who", "coders": {"3": "mira"}}
    assert codes(read("doccano", lines(row), codebook, **named)) == [("mira", "A.", FOREIGN)]
    prodigy = {"body": "A.", "accept": ["foreign_hand"], "answer": "accept", "meta": {"who": "tom"}}
    fields = {"text_field": "body", "coder_field": "who"}
    assert codes(read("prodigy", lines(prodigy), codebook, **fields)) == [("tom", "A.", FOREIGN)]
    tasks = json.dumps([task([choices("frames", "foreign_hand")], body="A.", who="eva")]).encode()
    assert codes(read("label-studio", tasks, codebook, **fields)) == [("eva", "A.", FOREIGN)]
    table = b"body,who,frame\nA.,tom,foreign_hand\n"
    assert codes(read("csv-long", table, codebook, **fields)) == [("tom", "A.", FOREIGN)]


def test_other_questions_of_label_studio_are_passed_over(codebook):
    mood, ours = choices("mood", "angry"), choices("framing", "Foreign hand")
    rating = {"from_name": "stars", "to_name": "t", "type": "rating", "value": {"rating": 3}}
    tasks = json.dumps([task([mood, ours, rating]), task([mood], text="B.")]).encode()
    reading = read("label-studio", tasks, codebook)
    assert codes(reading) == [("1", "A.", FOREIGN)]
    assert reasons(reading) == {"the question 'framing' was left open": 1}
    both = json.dumps([task([ours, choices("second", "grievance_driven")])]).encode()
    with pytest.raises(ExchangeError, match=r"'framing', 'second'.*--question"):
        read("label-studio", both, codebook)
    assert codes(read("label-studio", both, codebook, question="second")) == [("1", "A.", GRIEVANCE)]
    with pytest.raises(ExchangeError, match="no question 'third'"):
        read("label-studio", both, codebook, question="third")


def test_an_answer_of_another_type_is_never_no_frame(codebook):
    spans = {"from_name": "frames", "to_name": "t", "type": "labels", "value": {"labels": ["foreign_hand"]}}
    tasks = json.dumps([task([choices("frames", "foreign_hand")]), task([spans], text="B.")]).encode()
    reading = read("label-studio", tasks, codebook, empty_means_none=True)
    assert codes(reading) == [("1", "A.", FOREIGN)]
    assert reasons(reading) == {"the answer to 'frames' is not of the type choices": 1}
    for row in (
        {"text": "A.", "label": [[0, 2, "foreign_hand"]]},
        {"text": "A.", "entities": [{"label": "foreign_hand"}]},
        {"text": "A.", "annotations": [{"label": 7, "start_offset": 0, "end_offset": 2, "user": 1}]},
        {"text": "A.", "annotations": []},
    ):
        assert codes(read("doccano", lines(row), codebook, empty_means_none=True)) == []


def test_old_label_ids_of_doccano_are_read_once_they_are_mapped(codebook):
    row = {"text": "A.", "annotations": [{"label": 7, "user": 1}, {"label": 8, "user": 2}]}
    reading = read("doccano", lines(row), codebook, frames={"7": "foreign_hand", "8": "grievance_driven"})
    assert codes(reading) == [("1", "A.", FOREIGN), ("2", "A.", GRIEVANCE)]


MIN_ROWS = [
    {"text": "A.", "id": 1, "frames": "foreign_hand", "mood": "angry", "annotator": 2, "annotation_id": 2},
    {"text": "A.", "frames": {"choices": ["foreign_hand", "grievance_driven"]}, "annotator": 1, "annotation_id": 1},
    {"text": "B.", "id": 2, "mood": "angry", "annotator": 1, "annotation_id": 3},
    {"text": "C.", "id": 3, "annotator": None, "annotation_id": None},
]  # fmt: skip


def test_json_min_and_csv_of_label_studio_are_read(codebook):
    expected = [("2", "A.", FOREIGN), ("1", "A.", {**FOREIGN, **GRIEVANCE})]
    expected_reasons = {"the question 'frames' was left open": 1, "the task has no annotation": 1}
    reading = read("label-studio", json.dumps(MIN_ROWS).encode(), codebook)
    assert (codes(reading), reasons(reading)) == (expected, expected_reasons)
    table = (
        '"annotation_id","annotator","frames","id","mood","text"\n'
        '2,"2","foreign_hand",1,"angry","A."\n'
        '1,"1","{""choices"":[""foreign_hand"",""grievance_driven""]}",1,"","A."\n'
        '3,"1","",2,"angry","B."\n"","","",3,"","C."\n'
    )
    reading = read("label-studio", table.encode(), codebook)
    assert (codes(reading), reasons(reading)) == (expected, expected_reasons)


def test_the_last_of_a_coders_annotations_counts_by_the_time_that_the_file_gives(codebook):
    rows = [
        {**MIN_ROWS[0], "annotator": 1, "created_at": "2026-01-02T00:00:00Z"},
        {**MIN_ROWS[1], "created_at": "2026-01-01T00:00:00Z"},
    ]
    reading = read("label-studio", json.dumps(rows).encode(), codebook)
    assert codes(reading) == [("1", "A.", FOREIGN)]
    assert [(e.where, e.reason) for e in reading.set_aside] == [
        ("row 2", "a later annotation by the coder replaces it")
    ]


def test_both_forms_of_an_argilla_export_are_read(codebook):
    nested = [
        {
            "id": "1",
            "fields": {"text": "A."},
            "metadata": {"source": "Courier", "paragraph": 3},
            "responses": {
                "frames": [{"value": ["foreign_hand"], "user_id": "u1"}, {"value": [], "user_id": "u2"}],
                "mood": [{"value": "angry", "user_id": "u1"}],
            },
        },
        {"id": "2", "fields": {"text": "B."}, "metadata": {}, "responses": {}},
    ]
    reading = read("argilla", json.dumps(nested).encode(), codebook, coders={"u1": "mira"})
    assert codes(reading) == [("mira", "A.", FOREIGN), ("u2", "A.", {})]
    assert (reading.annotations[0].source, reading.annotations[0].paragraph) == ("Courier", 3)
    assert "drafts" in reading.notes[0]
    flat = [
        {
            "text": "A.", "source": "Courier", "paragraph": 3, "article_id": None,
            "frames.responses": [["foreign_hand"], ["grievance_driven"]],
            "frames.responses.users": ["u1", "u2"], "frames.responses.status": ["submitted", "draft"],
        },
        {"text": "B.", "source": None, "paragraph": None, "frames.responses": None, "frames.responses.users": None},
    ]  # fmt: skip
    reading = read("argilla", json.dumps(flat).encode(), codebook)
    assert codes(reading) == [("u1", "A.", FOREIGN)]
    assert (reading.annotations[0].source, reading.annotations[0].paragraph, reading.notes) == ("Courier", 3, [])
    assert reasons(reading) == {"the response has the status draft": 1, "the record has no response": 1}


def test_binary_tasks_of_prodigy_become_an_annotation_once_they_cover_every_frame(codebook):
    def question(text, frame, answer):
        return {"text": text, "label": frame, "answer": answer, "_annotator_id": "m"}

    whole = [question("A.", frame, "accept" if frame == "foreign_hand" else "reject") for frame in codebook.keys]
    part = [question("B.", "foreign_hand", "accept"), question("B.", "grievance_driven", "reject")]
    reading = read("prodigy", lines(*whole, *part), codebook)
    assert codes(reading) == [("m", "A.", FOREIGN)]
    reason = "the binary questions left open whether it has blame_on_leadership, militarized_response"
    assert reasons(reading) == {reason: 2}


def test_a_choice_of_prodigy_is_about_the_options_that_it_offers(codebook):
    every = [{"id": number, "text": frame.title} for number, frame in enumerate(codebook.frames)]
    row = {"text": "A.", "options": every, "accept": [1], "answer": "accept", "_session_id": "m"}
    assert codes(read("prodigy", lines(row), codebook)) == [("m", "A.", {codebook.keys[1]: "present"})]
    assert codes(read("prodigy", lines({**row, "options": every[:2], "accept": []}), codebook)) == []
    cats = {"text": "A.", "cats": dict.fromkeys(codebook.keys, 0.0), "answer": "accept", "_session_id": "m"}
    assert codes(read("prodigy", lines(cats), codebook)) == [("m", "A.", {})]
    cats["cats"]["foreign_hand"] = 0.4
    assert codes(read("prodigy", lines(cats), codebook)) == []


POTATO_ITEMS = lines({"id": "i1", "text": "A."}, {"id": 2, "text": "B."})


def test_potato_2_is_read_with_its_items(codebook):
    table = b"instance_id,user_id,frames.foreign_hand,frames.Grievance-driven,mood.angry\ni1,m,True,,True\n2,m,,,True\n"
    with pytest.raises(ExchangeError, match="--items"):
        read("potato", table, codebook)
    reading = read("potato", table, codebook, items=POTATO_ITEMS)
    assert codes(reading) == [("m", "A.", FOREIGN)]
    assert reasons(reading) == {"no label of the scheme 'frames' is ticked": 1}
    records = lines(
        {"instance_id": "i1", "user_id": "m", "labels": {"framing": {"foreign_hand": "1"}, "mood": {"angry": True}}},
        {"instance_id": "2", "user_id": "t", "labels": {"mood": {"angry": True}}, "spans": {"x": []}},
    )
    reading = read("potato", zipped(annotations__jsonl=records, data__jsonl=POTATO_ITEMS), codebook)
    assert codes(reading) == [("m", "A.", FOREIGN)]
    with pytest.raises(ExchangeError, match="'i1'"):
        read("potato", records, codebook, items=lines({"id": "other", "text": "C."}))


def test_potato_1_is_read_with_the_text_that_it_displayed(codebook):
    table = "user,instance_id,displayed_text,frames:::foreign_hand,frames:::grievance_driven\nm,1,A.,foreign_hand,\n"
    assert codes(read("potato", table.encode(), codebook)) == [("m", "A.", FOREIGN)]
    row = {"id": "1", "displayed_text": "A.", "label_annotations": {"frames": {"foreign_hand": "1"}}}
    assert codes(read("potato", lines(row), codebook, coder="m")) == [("m", "A.", FOREIGN)]


def test_rows_with_missing_or_extra_cells_are_refused(codebook):
    head = "coder,text," + ",".join(codebook.keys)
    for row in ("m,A.,1,0,0", "m,A.,1,0,0,0,1", "m,A.,1,0"):
        with pytest.raises(ExchangeError, match=r"row 2: It has \d cells, and the table has 6 columns"):
            read("csv-wide", f"{head}\n{row}\n".encode(), codebook)
    with pytest.raises(ExchangeError, match="'text' more than once"):
        read("csv-long", b"coder,text,frame,text\n", codebook)
    with pytest.raises(ExchangeError, match="A quotation mark in this row is not closed"):
        read("csv-long", b'coder,text,frame\nm,"A.,foreign_hand\n', codebook)


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_tables_of_any_spreadsheet_are_read(codebook, separator):
    def table(*rows):
        return "\r\n".join(separator.join(row) for row in rows) + "\r\n"

    long = table(("coder", "text", "frame"), ("m", '"A; b, c\nd"', "foreign_hand"), ("", "", ""))
    for text in (long, f"sep={separator}\r\n{long}"):
        for encoding in ("utf-8", "utf-8-sig", "utf-16"):
            reading = read("csv-long", text.encode(encoding), codebook)
            assert codes(reading) == [("m", "A; b, c\nd", FOREIGN)]
            assert reading.notes == (["The file was read as utf-16."] if encoding == "utf-16" else [])
    wide = table(("text", "Foreign hand", "a", "b", "c"), ("A.", "TRUE", "no", "0.0", "FALSE"))
    keys = [key for key in codebook.keys if key != "foreign_hand"]
    mapped = dict(zip("abc", keys, strict=True))
    assert codes(read("csv-wide", wide.encode(), codebook, frames=mapped)) == [("", "A.", FOREIGN)]
    with pytest.raises(ExchangeError, match="no column"):
        read("csv-wide", wide.encode(), codebook)


def test_a_file_that_says_too_much_or_no_text_is_refused(codebook):
    for row, fault in (
        ({"text": "A\x00.", "label": ["foreign_hand"]}, "NUL"),
        ({"text": "A\ud800.", "label": ["foreign_hand"]}, "half of a character"),
        ({"text": "A." * 60_000, "label": ["foreign_hand"]}, "longer than 100,000"),
        ({"text": "A.", "label": ["foreign_hand"], "coder": "m" * 200}, "longer than 128"),
    ):
        with pytest.raises(ExchangeError, match=fault):
            read("doccano", lines(row), codebook)
    with pytest.raises(ExchangeError, match="not a JSON object"):
        read("doccano", b"{" * 100_000, codebook)


def test_coders_that_a_file_only_numbers_are_named_unless_the_caller_chose_the_number(codebook):
    answered = [choices("frame", "foreign_hand")]
    tasks = [task(answered, coder=coder, text=f"{coder}.") for coder in (1, 12, 2)]
    data = json.dumps(tasks)
    [note] = read("label-studio", data.encode(), codebook).notes
    assert "only a number for coders (1, 2, 12)" in note
    assert "--coder-map '1=NAME' (coder_map= in the API)" in note
    [note] = read("label-studio", data.encode(), codebook, coders={"1": "mira", "12": "tom"}).notes
    assert "only a number for a coder (2)" in note
    assert "'2=NAME'" in note
    assert read("label-studio", data.encode(), codebook, coders={"1": "mira", "12": "tom", "2": "2"}).notes == []
    many = lines(*({"text": "A.", "label": ["foreign_hand"], "coder": str(number)} for number in range(1, 9)))
    assert "(1, 2, 3, 4, 5, …)" in read("doccano", many, codebook).notes[-1]
    assert read("doccano", lines({"text": "A.", "label": ["foreign_hand"], "coder": "coder 7"}), codebook).notes == []
