"""Spreadsheets: articles and annotations in files of Excel and of other spreadsheet programs."""

import pytest

from labels.errors import ExchangeError
from labels.exchange import FORMATS, ReadingOptions
from service.bulk.records import read_records
from tests.support.packed import excel_of, zip_of

TEXT = "The army closed the road.\n\nOpposition parties blamed the minister; they asked him to resign."


def records(path, content, **columns):
    path.write_bytes(content)
    return list(read_records([str(path)], {"text": "body", **columns}))


def test_each_row_of_a_spreadsheet_is_an_article_with_its_facts(tmp_path):
    content = excel_of({"Articles": [["id", "body", "outlet"], [7, TEXT, "Courier"], [8.5, "Rain.", ""]]})
    first, second = records(tmp_path / "articles.xlsx", content, external_id="id")
    assert first.fields == {"external_id": "7", "text": TEXT, "outlet": "Courier"}
    assert (first.name, first.fault) == (f"{tmp_path}/articles.xlsx row 2", None)
    assert second.fields == {"external_id": "8.5", "text": "Rain."}


def test_rows_have_the_numbers_that_the_program_shows_whatever_stands_above_the_table(tmp_path):
    content = excel_of({"Articles": [[""], ["body", "outlet"], ["", ""], ["Rain.", "Courier"]]})
    (only,) = records(tmp_path / "articles.xlsx", content)
    assert (only.name, only.fields) == (f"{tmp_path}/articles.xlsx row 4", {"text": "Rain.", "outlet": "Courier"})


def test_all_sheets_are_read_and_one_without_texts_is_a_problem_by_name(tmp_path):
    content = excel_of(
        {"March": [["body"], ["Rain."]], "Codes": [["code", "means"], [1, "army"]], "April": [["body"], ["Sun."]]}
    )
    march, codes, april = records(tmp_path / "articles.xlsx", content)
    assert [march.fields, april.fields] == [{"text": "Rain."}, {"text": "Sun."}]
    assert "sheet 'Codes'" in codes.name
    assert "no column named text" in codes.fault
    assert len({record.number for record in (march, codes, april)}) == 3


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"id;body\n7;Rain.\n", "It is not a spreadsheet that can be read."),
        (b"PK\x03\x04 torn", "It is not a spreadsheet that can be read."),
        (zip_of({"notes.txt": "Rain."}), "It is not a spreadsheet that can be read."),
        (zip_of({"../xl/workbook.xml": "x"}), "not plain"),
        (excel_of({"Empty": []}), "It holds no cells."),
        (excel_of({"Twice": [["body", "body"], ["Rain.", "Sun."]]}), "'body' more than once"),
    ],
)
def test_what_is_no_spreadsheet_is_named(tmp_path, content, sentence):
    (only,) = records(tmp_path / "articles.xlsx", content)
    assert sentence in only.fault


def test_annotations_are_read_from_a_spreadsheet_like_from_csv(codebook):
    rows = [
        ["text", "coder", "frame", "stance"],
        [TEXT, "ana", "blame_on_leadership", "reported"],
        ["Rain.", "ana", "", ""],
    ]
    reading = FORMATS["csv-long"].read(excel_of({"Codes": rows}), codebook, ReadingOptions())
    assert [dict(annotation.frames) for annotation in reading.annotations] == [{"blame_on_leadership": "reported"}, {}]
    wide = [["text", "coder", *codebook.keys], ["Rain.", "ana", 1, 0, 0, 0], ["Sun.", "ana", 0, 0, 0, ""]]
    reading = FORMATS["csv-wide"].read(excel_of({"Codes": wide}), codebook, ReadingOptions())
    assert dict(reading.annotations[0].frames) == {codebook.keys[0]: "present"}
    with pytest.raises(ExchangeError, match=r"more than one sheet \('A', 'B'\)"):
        FORMATS["csv-long"].read(excel_of({"A": rows, "B": rows}), codebook, ReadingOptions())
    for option in (ReadingOptions(delimiter=";"), ReadingOptions(encoding="windows-1252")):
        with pytest.raises(ExchangeError, match="is about a file of text"):
            FORMATS["csv-long"].read(excel_of({"Codes": rows}), codebook, option)
    with pytest.raises(ExchangeError, match="no column 'frame'"):
        FORMATS["csv-long"].read(excel_of({"A": [["text", "coder"], ["Rain.", "ana"]]}), codebook, ReadingOptions())
