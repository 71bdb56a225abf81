"""Further texts as they come: what programs and people make of articles, beside the cases that were reported."""

import textwrap

import pytest

from labels.errors import ArticleError
from labels.paragraphs import split_text
from service.bulk.records import Record
from service.bulk.requests import request_of

GUNMEN = "The gunmen closed the mountain road at dawn and held the drivers of three lorries for hours."
GOVERNOR = "The governor blamed the ministry in the capital, which had withdrawn the patrols in spring."
VILLAGERS = "Villagers said that they had warned the army twice and that nobody had come to help them."


def texts(article):
    return [paragraph.text for paragraph in article.paragraphs]


def test_wrapped_lines_with_blank_lines_between_all_of_them_are_double_spaced():
    lines = textwrap.wrap(f"{GUNMEN} {GOVERNOR} {VILLAGERS}", 60)
    assert [" ".join(text.split()) for text in texts(split_text("\n\n".join(lines)))] == [" ".join(lines)]
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
