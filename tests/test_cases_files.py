"""Tables, encodings, JSON Lines and Parquet files of the kinds that public bug reports describe, and what is right."""

import csv
import gzip
import io
import json
from contextlib import suppress
from pathlib import Path
from time import sleep

import docx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labels.errors import FileError, FramingError
from labels.files.documents import read_document
from labels.files.encodings import decoded, encoding_named
from labels.files.extraction_process import Extraction
from labels.files.packed import unpacked
from labels.files.tables import delimiter_named, find_dialect, read_rows
from labels.paragraphs import split_html, split_text
from service.bulk.inputs import Dialect, find_files
from service.bulk.records import read_records
from tests.support.packed import word_of, zip_of
from tests.support.pdf import pdf_of

CASES = Path(__file__).with_name("cases") / "files"
GUNMEN = "The gunmen closed the mountain road at dawn and held the drivers until the evening, a district officer said."
OPPOSITION = (
    "Opposition members told parliament that the interior minister had read three warnings and done nothing about them."
)
# In the standard encoding of PDF, these characters are the ligatures "fi" and "fl".
FI, FL = "\xae", "\xaf"
WITH_MARKS = "“No one was told,” said the café’s owner — not even the mayor."


def records(path, **options):
    return list(read_records([str(path)], **options))


def texts(path, **options):
    return [record.fields.get("text") for record in records(path, **options)]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("bom.csv", [GUNMEN]),
        ("semicolon.csv", [GUNMEN]),
        ("tab.csv", [GUNMEN]),
        ("utf16.csv", [GUNMEN]),
        ("cr.jsonl", [GUNMEN, OPPOSITION]),
        ("bom.jsonl", [GUNMEN, OPPOSITION]),
        ("int_id.parquet", [GUNMEN, OPPOSITION]),
        ("timestamptz.parquet", [GUNMEN, OPPOSITION]),
    ],
)
def test_a_table_or_lines_are_read_whatever_program_wrote_them(name, expected):
    read = records(CASES / name)
    assert [record.fields["text"] for record in read] == expected
    assert {record.fault for record in read} == {None}


def test_lines_with_other_line_separators_inside_are_not_cut():
    [record] = records(CASES / "u2028.jsonl")
    assert "\u2028" in record.fields["text"]


def test_a_list_in_a_file_of_lines_is_read_entry_by_entry():
    assert len(records(CASES / "j01.array.jsonl")) == len(json.loads((CASES / "j01.array.jsonl").read_text()))


def test_paragraphs_of_a_parquet_file_stay_paragraphs():
    assert all(isinstance(record.fields["paragraphs"], list) for record in records(CASES / "paragraphs.parquet"))


def test_a_row_with_too_many_cells_is_named_and_the_next_is_read():
    first, second = records(CASES / "long_row.csv")
    assert "It has 3 cells, and the table has 2 columns" in first.fault
    assert first.name.endswith("row 1")
    assert (first.fields, second.fields["text"]) == ({}, GUNMEN)


def test_an_unclosed_quotation_mark_swallows_no_row():
    [only] = records(CASES / "unclosed_quote.csv")
    assert "A quotation mark in this row is not closed" in only.fault
    assert only.fields == {}


def test_two_columns_of_the_same_name_are_refused():
    [only] = records(CASES / "dup_header.csv")
    assert "'text' more than once" in only.fault


@pytest.mark.parametrize(("name", "field"), [("latin1.html", "html"), ("j01.cp1252.jsonl", "text")])
def test_windows_1252_is_read_and_named(name, field):
    [record, *_] = records(CASES / name)
    assert record.encoding == "windows-1252"
    assert "\ufffd" not in record.fields[field]


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "windows-1252"]
)
@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".json", ".txt", ".csv.gz", ".jsonl.gz"])
def test_every_kind_of_text_is_read_in_every_usual_encoding(tmp_path, encoding, suffix):
    rows = [{"external_id": str(n), "text": f"{WITH_MARKS}\n{n}"} for n in range(3)]
    if suffix.startswith((".csv", ".tsv")):
        file = io.StringIO(newline="")
        writer = csv.writer(file, delimiter="\t" if suffix == ".tsv" else ",")
        writer.writerows([("external_id", "text"), *(row.values() for row in rows)])
        content = file.getvalue()
    elif suffix == ".txt":
        content = rows[0]["text"]
    else:
        lines = [json.dumps(row, ensure_ascii=False) for row in rows]
        content = f"[{','.join(lines)}]" if suffix == ".json" else "".join(f"{line}\n" for line in lines)
    encoded = content.encode(encoding)
    path = tmp_path / f"a{suffix}"
    path.write_bytes(gzip.compress(encoded) if suffix.endswith(".gz") else encoded)
    read = records(path)
    assert [record.fault for record in read] == [None] * len(read)
    assert [record.fields["text"] for record in read] == [row["text"] for row in rows][: len(read)]
    assert len(read) == (1 if suffix == ".txt" else 3)
    assert {record.encoding for record in read} == {"utf-8" if encoding == "utf-8-sig" else encoding}


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.jsonl"])
def test_a_byte_order_mark_is_passed_over_where_the_user_names_the_encoding(tmp_path, name):
    content = '{"text": "alpha"}\n{"text": "beta"}\n' if name == "a.jsonl" else "text,outlet\nalpha,A\nbeta,B\n"
    encoded = content.encode("utf-8-sig")
    (tmp_path / name).write_bytes(gzip.compress(encoded) if name.endswith(".gz") else encoded)
    assert texts(tmp_path / name, dialect=Dialect(encoding="utf-8")) == ["alpha", "beta"]


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz"])
def test_names_of_columns_that_are_not_text_in_the_encoding_that_the_user_names_are_a_fault(tmp_path, name):
    encoded = "text,éditeur\nalpha,A\n".encode("windows-1252")
    (tmp_path / name).write_bytes(gzip.compress(encoded) if name.endswith(".gz") else encoded)
    [only] = records(tmp_path / name, dialect=Dialect(encoding="utf-8"))
    assert only.fault == "The names of its columns are not text in utf-8."
    assert texts(tmp_path / name) == ["alpha"]


@pytest.mark.parametrize(
    ("encoding", "text"), [("cp1251", "Армия вошла в долину утром."), ("shift_jis", "軍隊は朝に谷に入った。")]
)
def test_other_encodings_are_guessed(encoding, text):
    read = decoded((text * 5).encode(encoding))
    assert read.text == text * 5


def test_a_damaged_line_does_not_change_the_encoding_of_the_others(tmp_path):
    lines = [json.dumps({"text": WITH_MARKS}, ensure_ascii=False).encode() for _ in range(4)]
    lines[2] = lines[2].replace(b"caf\xc3\xa9", b"caf\xe9")
    (tmp_path / "a.jsonl").write_bytes(b"\n".join(lines))
    read = records(tmp_path / "a.jsonl")
    assert [record.fault is None for record in read] == [True, True, False, True]
    assert "bytes that are no characters" in read[2].fault
    assert read[3].fields["text"] == WITH_MARKS


def test_an_encoding_and_a_delimiter_can_be_given(tmp_path):
    (tmp_path / "a.csv").write_bytes("id:text\n1:Wojna się kończy.\n".encode("cp1250"))
    dialect = Dialect(encoding_named("windows-1250"), delimiter_named(":"))
    [record] = records(tmp_path / "a.csv", dialect=dialect)
    assert record.fields["text"] == "Wojna się kończy."
    for wrong in ("utf-99", "base64", "rot13", "punycode", "idna", "unicode_escape", "utf-7"):
        with pytest.raises(FileError, match="There is no encoding"):
            encoding_named(wrong)
    with pytest.raises(FileError, match="cannot separate cells"):
        delimiter_named("||")
    assert (delimiter_named("tab"), delimiter_named("semicolon"), delimiter_named("\t")) == ("\t", ";", "\t")


def test_excels_first_line_names_the_delimiter(tmp_path):
    (tmp_path / "a.csv").write_text('sep=;\r\nid;text\r\n1;"a, b; c"\r\n', encoding="utf-8")
    assert texts(tmp_path / "a.csv") == ["a, b; c"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("id;text\n1;The army, it said, left.\n", ["The army, it said, left."]),
        ('id,"text, full",text\n1,x,y\n', ["y"]),
        ("text\nNo comma here.\n", ["No comma here."]),
        ("id|text\n1|a\n\n2|b\n", ["a", "b"]),
        ("text,id\r'quoted',1\r", ["'quoted'"]),
    ],
)
def test_what_separates_the_cells_is_recognised(tmp_path, content, expected):
    (tmp_path / "a.csv").write_text(content, encoding="utf-8", newline="")
    assert texts(tmp_path / "a.csv") == expected


_CELL = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=10)


@given(st.lists(st.tuples(_CELL, _CELL, _CELL), max_size=6), st.sampled_from(",;\t|"))
def test_a_table_that_is_written_is_read_as_it_was(rows, delimiter):
    file = io.StringIO(newline="")
    csv.writer(file, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows([("a", "b", "text"), *rows])
    lines = io.StringIO(file.getvalue(), newline="").readlines()
    dialect = find_dialect(lines)
    assert dialect.delimiter == delimiter
    read = list(read_rows(lines[dialect.head_lines :], dialect))
    assert [row.cells for row in read] == [row for row in rows if any(map(str.strip, row))]


def test_a_column_falls_back_to_the_fields_own_name(tmp_path):
    (tmp_path / "a.csv").write_text("body,id\nfrom the body,1\n", encoding="utf-8")
    (tmp_path / "b.csv").write_text("text,id\nfrom the text,2\n", encoding="utf-8")
    (tmp_path / "c.jsonl").write_text('{"text": "a title", "body": "c"}\n{"text": "d"}\n', encoding="utf-8")
    pq.write_table(pa.table({"text": ["e"]}), tmp_path / "e.parquet")
    assert texts(tmp_path, columns={"text": "body"}) == ["from the body", "from the text", "c", "d", "e"]


# -- documents and archives -------------------------------------------------------------------------------------------


def test_word_documents_and_pdf_files_are_read(tmp_path):
    (tmp_path / "a.docx").write_bytes(word_of(GUNMEN, OPPOSITION))
    (tmp_path / "b.pdf").write_bytes(pdf_of([GUNMEN, OPPOSITION]))
    assert texts(tmp_path) == [f"{GUNMEN}\n\n{OPPOSITION}", f"{GUNMEN}\n{OPPOSITION}"]


def test_a_scanned_pdf_is_refused_by_a_sentence():
    with pytest.raises(FileError, match="pictures of pages and no text"):
        read_document(".pdf", pdf_of([]))


def test_ligatures_of_a_pdf_become_the_letters_that_readers_search_for():
    text = read_document(".pdf", pdf_of([f"The army {FL}ooded the {FI}elds of the valley on Monday."])).text
    assert text == "The army flooded the fields of the valley on Monday."


@pytest.mark.parametrize("title", ["", " Army strikes back", " Who closed the road?"])
def test_what_a_browser_prints_above_and_below_a_page_is_not_scored_and_cuts_no_sentence(title):
    def printed(number):
        return [f"11/29/26, 8:33 AM{title}", f"{FI}le:///home/road.html {number}/3"]

    first, rest = OPPOSITION.split(" had ", 1)
    pages = ([first, *printed(1)], [f"had {rest}", *printed(2)], [*printed(3), GUNMEN])
    article = split_text(read_document(".pdf", pdf_of(*pages)).text)
    assert [" ".join(paragraph.text.split()) for paragraph in article.paragraphs] == [OPPOSITION, GUNMEN]
    assert {piece.reason for piece in article.skipped} == {"boilerplate"}
    assert "file:///home/road.html 2/3" in [piece.text for piece in article.skipped]


def test_a_time_that_begins_the_text_of_a_page_loses_no_sentence():
    line = "11/29/26, 8:33 AM The gunmen closed the road."
    for pages in ([[line, OPPOSITION]], [[line, OPPOSITION, "https://courier.example/road 1/1"]]):
        assert read_document(".pdf", pdf_of(*pages)).text.startswith(line)


def test_cells_of_a_word_table_are_read_once():
    document = docx.Document()
    table = document.add_table(2, 2)
    table.cell(0, 0).merge(table.cell(0, 1)).text = "A cell that spans two columns."
    table.cell(1, 0).text, table.cell(1, 1).text = "Left.", "Right."
    file = io.BytesIO()
    document.save(file)
    assert read_document(".docx", file.getvalue()).text == "A cell that spans two columns.\n\nLeft.\n\nRight."


def test_the_files_of_an_archive_are_read_and_others_are_passed_over(tmp_path):
    inside = {"news/a.txt": GUNMEN, "news/b.jsonl": json.dumps({"text": OPPOSITION}), "c.png": b"\x89PNG"}
    (tmp_path / "all.zip").write_bytes(zip_of(inside))
    read = records(tmp_path / "all.zip")
    assert [record.fields["text"] for record in read] == [GUNMEN, OPPOSITION]
    assert read[0].source.endswith("all.zip/news/a.txt")
    _, passed_over = find_files([str(tmp_path)])
    assert [file.name.rsplit("/")[-1] for file in passed_over] == ["c.png"]


@pytest.mark.parametrize("name", ["../a.txt", "/etc/a.txt", "C:\\a.txt", "x/../../a.txt"])
def test_an_archive_that_would_leave_its_folder_is_refused(tmp_path, name):
    (tmp_path / "all.zip").write_bytes(zip_of({name: GUNMEN}))
    [only] = records(tmp_path / "all.zip")
    assert only.fields == {}
    assert "name" in only.fault
    with pytest.raises(FramingError):
        unpacked("all.zip", (tmp_path / "all.zip").read_bytes(), 2**20)


def of_another_kind(offset, change):
    """A zip file with an article, and something else in its directory."""
    content = bytearray(zip_of({"a.txt": GUNMEN}))
    place = content.index(b"PK\x01\x02") + offset
    content[place : place + len(change)] = change
    return bytes(content)


@pytest.mark.parametrize(
    ("offset", "change"),
    [(6, b"\x63\x00"), (8, b"\x20\x00"), (8, b"\x00\x08\x00\x00"), (42, b"\xf0\xff\xff\xff"), (46, b"\xff")],
    ids=["of a later version", "patched", "not UTF-8", "beyond the end", "another name"],
)
def test_a_zip_file_of_another_kind_is_refused_and_the_files_beside_it_are_read(offset, change, tmp_path):
    content = of_another_kind(offset, change)
    (tmp_path / "a.zip").write_bytes(content)
    (tmp_path / "b.txt").write_text(GUNMEN, encoding="utf-8")
    [_, *_, last] = records(tmp_path)
    assert last.fault is None
    for reader in (lambda: unpacked("a.zip", content, 2**20), lambda: read_document(".docx", content)):
        with suppress(FramingError):
            reader()


def test_what_is_packed_too_small_or_too_large_is_refused():
    bomb = gzip.compress(b"a" * 2**23)
    with pytest.raises(FileError, match="200 times"):
        unpacked("a.txt.gz", bomb, 2**30)
    with pytest.raises(FileError, match="larger than 1 MiB"):
        unpacked("a.txt.gz", gzip.compress(bytes(range(256)) * 8192), 2**20)
    assert unpacked("a.txt.gz", gzip.compress(b"a"), 2**20) == [("a.txt", b"a")]


# -- the process that reads documents ---------------------------------------------------------------------------------


@pytest.fixture
def extraction():
    extraction = Extraction(seconds=1)
    yield extraction
    extraction.close()


def test_a_document_is_read_in_a_process_that_stays_for_the_next(extraction):
    content = word_of(GUNMEN)
    assert [extraction.run(read_document, ".docx", content).text for _ in range(2)] == [GUNMEN] * 2
    with pytest.raises(FileError, match="not a Word document"):
        extraction.run(read_document, ".docx", b"rubbish")
    assert len(extraction._idle) == 1


def test_a_file_that_takes_too_long_or_too_much_memory_is_refused_and_the_next_is_read(extraction):
    with pytest.raises(FileError, match="cannot be read within 1 seconds"):
        extraction.run(sum, range(10**11))
    with pytest.raises(FileError, match="too large"):
        extraction.run(bytearray, 3 * 2**30)
    assert extraction.run(len, "abc") == 3


def test_a_process_that_waits_for_nothing_is_ended_by_the_clock():
    extraction = Extraction(by_the_clock=0.5)
    with pytest.raises(FileError, match="cannot be read"):
        extraction.run(sleep, 600)
    extraction.close()


def test_pages_that_are_pictures_beside_pages_with_text_are_named(tmp_path):
    page = [f"The army closed the road {n} on Monday and the minister blamed the capital for it." for n in range(4)]
    document = read_document(".pdf", pdf_of(page, [], page, []))
    assert document.text.count("The army closed the road 1") == 2
    assert document.scanned == (2, 4)
    (tmp_path / "report.pdf").write_bytes(pdf_of(page, [], page, []))
    article, about_pages = read_records([str(tmp_path / "report.pdf")])
    assert article.fields == {"text": document.text}
    assert about_pages.fault.startswith("Pages 2 and 4 are pictures without text: have the text recognised")
    assert read_document(".pdf", pdf_of(page, [" "])).scanned == ()
    with pytest.raises(FileError, match=r"nearly without text. Pages 2, 3, .* and 10 more are pictures"):
        read_document(".pdf", pdf_of(page[:1], *([[]] * 20)))


def test_a_block_that_repeats_a_sentence_is_an_article():
    sentence = "The governor blamed the capital for the attack on the road. "
    for count in (60, 300):
        article = split_html(f"<html><body><article><h1>Road</h1><p>{sentence * count}</p></article></body></html>")
        assert [p.text for p in article.paragraphs] == [(sentence * count).strip()]
