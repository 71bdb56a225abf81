"""Further texts as they come: what programs and people make of articles, beside the cases that were reported."""

import gzip
import re
import textwrap

import pytest

from labels.errors import ArticleError, FileError, FramingError
from labels.paragraphs import split_html, split_text
from service.articles.uploads import read_upload
from service.bulk.inputs import find_files
from service.bulk.records import Record, read_records
from service.bulk.requests import request_of
from tests.support.packed import zip_of

GUNMEN = "The gunmen closed the mountain road at dawn and held the drivers of three lorries for hours."
GOVERNOR = "The governor blamed the ministry in the capital, which had withdrawn the patrols in spring."
VILLAGERS = "Villagers said that they had warned the army twice and that nobody had come to help them."


def texts(article):
    return [paragraph.text for paragraph in article.paragraphs]


def test_wrapped_lines_with_blank_lines_between_all_of_them_are_double_spaced():
    lines = textwrap.wrap(f"{GUNMEN} {GOVERNOR} {VILLAGERS}", 60)
    assert [" ".join(text.split()) for text in texts(split_text("\n\n".join(lines)))] == [" ".join(lines)]
    notes = ["road closed by gunmen at dawn", "three drivers held", "governor blames the capital", "army is sent"]
    assert texts(split_text("\n\n".join(notes))) == notes
    apart = [GUNMEN, GOVERNOR, VILLAGERS]
    assert texts(split_text("\n\n".join(apart))) == apart


@pytest.mark.parametrize(
    "signed",
    [
        "(Reporting by Ilara Venn; Editing by Tom Dol)",
        "Reporting by Ilara Venn in Port Sel and Tom Dol; additional reporting by Mara Sard; Editing by Omar al-Sard.",
        "Writing by Ilara Venn, Editing by Tom Dol",
    ],
)
def test_who_reported_and_edited_is_a_byline(signed):
    article = split_text(f"{GUNMEN}\n\n{GOVERNOR}\n\n{signed}")
    assert texts(article) == [GUNMEN, GOVERNOR]
    assert [(piece.text, piece.reason) for piece in article.skipped] == [(signed, "byline")]


@pytest.mark.parametrize(
    "sentence",
    ["Reporting by the army showed that the rebels fled.", "Reporting by Ilara Venn showed that the army had fled."],
)
def test_a_sentence_that_begins_like_a_byline_is_kept(sentence):
    assert texts(split_text(f"{GUNMEN}\n\n{sentence}"))[-1] == sentence


def test_a_file_of_rtf_is_refused_by_name():
    with pytest.raises(ArticleError, match="is RTF"):
        split_text(r"{\rtf1\ansi " + GUNMEN + r"\par }")


def fields_of(text):
    request = request_of(Record("a.csv", 1, "a.csv row 1", {"text": text}))
    return request.text, request.html


@pytest.mark.parametrize(
    "markup", [f"<p>{GUNMEN}</p><p>{GOVERNOR}</p>", f"{GUNMEN}<br><br />{GOVERNOR}", f"\n<div class='b'>{GUNMEN}</div>"]
)
def test_a_text_column_that_holds_html_is_read_as_html(markup):
    assert fields_of(markup) == (None, markup)


@pytest.mark.parametrize("text", [GUNMEN, f"{GUNMEN} <3", "<Venn> wrote: No.\n\n1 < 2 > 0", f"Use <br> here. {GUNMEN}"])
def test_a_text_with_angle_brackets_stays_a_text(text):
    assert fields_of(text) == (text, None)


def test_the_head_of_an_e_mail_is_no_text_and_says_its_title_and_date():
    head = (
        "From: Desk <desk@courier.example>\nTo: list@courier.example\nSubject: Road closed\nDate: Mon, 2 Mar 2026 10:00"
    )
    article = split_text(f"{head}\n\n{GUNMEN}\n\n{GOVERNOR}")
    assert texts(article) == [GUNMEN, GOVERNOR]
    assert [piece.reason for piece in article.skipped] == ["metadata"] * 4
    assert (article.imprint.title, article.imprint.published_at.day) == ("Road closed", 2)
    # People who speak are not the head of an e-mail.
    talk = f"From: {GUNMEN}\nSubject: {GOVERNOR}\n\n{VILLAGERS}"
    assert len(texts(split_text(talk))) == 3


WRITTEN = [
    ("14. März 2026", "2026-03-14"),
    ("Samstag, 14. März 2026", "2026-03-14"),
    ("le 14 juillet 2026", "2026-07-14"),
    ("1er août 2026", "2026-08-01"),
    ("14 de marzo de 2026", "2026-03-14"),
    ("14.03.2026", "2026-03-14"),
    ("March 14, 2026", "2026-03-14"),
    ("14-Mar-2026", "2026-03-14"),
    ("2026/03/14", "2026-03-14"),
    ("2026年3月14日", "2026-03-14"),
]


@pytest.mark.parametrize(("written", "day"), WRITTEN)
def test_a_day_that_a_column_writes_out_is_read(written, day):
    request = request_of(Record("a.csv", 1, "a.csv row 1", {"text": GUNMEN, "published_at": written}))
    assert request.published_at.date().isoformat() == day


@pytest.mark.parametrize(
    "written", ["3/4/2026", "31.02.2026", "03.14.2026", "Marble 3, 2026", "jui 3, 2026", "4.5.26", "soon", "March 2026"]
)
def test_a_date_that_may_mean_two_days_or_none_is_refused(written):
    with pytest.raises(FramingError, match="published_at"):
        request_of(Record("a.csv", 1, "a.csv row 1", {"text": GUNMEN, "published_at": written}))


def test_nan_is_an_empty_cell_in_articles_too():
    fields = {"text": GUNMEN, "url": float("nan"), "external_id": float("nan"), "outlet": "Courier"}
    request = request_of(Record("a.jsonl", 1, "a.jsonl line 1", fields))
    assert (request.url, request.external_id, request.outlet) == (None, None, "Courier")


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 512, "older Office program"),
        ("a.odt", zip_of({"content.xml": GUNMEN}), "save it as .docx or PDF"),
        ("a.rtf", b"{\\rtf1\\ansi " + GUNMEN.encode(), "It is RTF"),
        ("a.mht", f"Subject: Road\nMIME-Version: 1.0\n\n{GUNMEN}".encode(), "saved as one"),
        ("a.xml", f"<?xml version='1.0'?><news><p>{GUNMEN}</p></news>".encode(), "It is XML"),
        ("a.html", b"%PDF-1.4 nothing", "It is not a PDF file that can be read."),
    ],
)
def test_a_file_of_another_kind_is_refused_by_its_kind_and_not_scored(tmp_path, name, content, sentence):
    (tmp_path / name).write_bytes(content)
    (only,) = read_records([str(tmp_path / name)])
    assert sentence in only.fault
    with pytest.raises(FileError, match=re.escape(sentence)):
        read_upload(name, content, 2**20)


def test_a_packed_file_without_the_ending_that_says_so_is_refused(tmp_path):
    (tmp_path / "a.txt").write_bytes(gzip.compress(GUNMEN.encode()))
    (only,) = read_records([str(tmp_path / "a.txt")])
    assert only.fault == "It is packed: name it with .gz at the end, or unpack it."


def test_files_that_programs_put_beside_articles_are_passed_over(tmp_path):
    members = {"a.txt": GUNMEN, "__MACOSX/._a.txt": "x", "b/._b.txt": "x", "~$c.docx": "x"}
    (tmp_path / "a.zip").write_bytes(zip_of(members))
    (tmp_path / "._d.txt").write_text("x", encoding="utf-8")
    files, passed_over = find_files([str(tmp_path)])
    assert ([file.name.rsplit("/", 1)[-1] for file in files], len(passed_over)) == (["a.txt"], 4)


def test_blanks_after_commas_and_rows_of_empty_cells_are_not_text(tmp_path):
    table = f'id, text, outlet\n1, "{GUNMEN} {GOVERNOR}", Courier\n,,\n , , \n2, "{VILLAGERS}", Courier\n,,\n'
    (tmp_path / "a.csv").write_text(table, encoding="utf-8")
    records = list(read_records([str(tmp_path / "a.csv")], {"external_id": "id"}))
    assert [record.fields for record in records] == [
        {"external_id": "1", "text": f"{GUNMEN} {GOVERNOR}", "outlet": "Courier"},
        {"external_id": "2", "text": VILLAGERS, "outlet": "Courier"},
    ]
    assert [record.number for record in records] == [1, 4]


@pytest.mark.parametrize("note", ["2", "12", "3,4", "[5]"])
def test_a_sentence_that_ends_in_the_number_of_a_note_is_no_heading(note):
    body = f"<p>{GUNMEN}</p><p>{GOVERNOR}<sup>{note}</sup></p><p>{VILLAGERS}</p>"
    page = f"<html><body><article>{body}</article></body></html>"
    assert texts(split_html(page)) == [GUNMEN, f"{GOVERNOR}{note}", VILLAGERS]
    assert texts(split_text(f"{GUNMEN}\n\nHe left.”{note}\n\n{VILLAGERS}"))[1] == f"He left.”{note}"


def test_a_heading_that_ends_in_a_number_stays_a_heading():
    article = split_text(f"Army plan version 1.2\n\n{GUNMEN}\n\nThe toll rises to 12\n\n{GOVERNOR}")
    assert texts(article) == [GUNMEN, GOVERNOR]


def test_text_that_a_page_shows_as_it_is_written_is_cut_at_its_blank_lines():
    page = f"<html><body><pre>{GUNMEN}\n\n{GOVERNOR[:40]}\n{GOVERNOR[40:]}\n \n{VILLAGERS}</pre></body></html>"
    read = [" ".join(text.split()) for text in texts(split_html(page))]
    assert read == [GUNMEN, " ".join(f"{GOVERNOR[:40]} {GOVERNOR[40:]}".split()), VILLAGERS]
