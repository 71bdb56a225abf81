"""Texts and pages as people have them: what is cut, what is set aside, and that no sentence is lost.

`tests/cases/texts/cut.jsonl` has an input a line, with the paragraphs that are right, white space folded.
"""

import json
import re
from datetime import UTC, datetime

import pytest

from labels.boilerplate import reason_to_skip
from labels.normalise import normalise
from labels.paragraphs import looks_like_headings, split_html, split_paragraphs, split_text
from labels.reading.prompts import is_prompt
from labels.reading.sentences import sentence_windows
from tests.support.paths import ROOT

CASES = ROOT / "tests" / "cases" / "texts"
CUT = [json.loads(line) for line in (CASES / "cut.jsonl").read_text(encoding="utf-8").splitlines()]
FURNITURE = json.loads((CASES / "sentences_like_furniture.json").read_text(encoding="utf-8"))
INLINE = json.loads((CASES / "inline_elements.json").read_text(encoding="utf-8"))
PROMPTS = (CASES / "prompts.txt").read_text(encoding="utf-8").splitlines()
SENTENCES = (CASES / "sentences.txt").read_text(encoding="utf-8").splitlines()

A = "The gunmen closed the mountain road at dawn and held the drivers until the evening, a district officer announced."
B = "Opposition members told parliament that the interior minister had read three warnings and done nothing about them."
C = "The army answered with helicopters and sealed the valley, and the schools of four towns stayed shut."
LONG = " ".join((A, B, C, "Nobody fired a shot.", "The general resigned.", "His deputy fled to the coast.", A, B, C))


def folded(article):
    return [re.sub(r"\s+", " ", paragraph.text) for paragraph in article.paragraphs]


@pytest.mark.parametrize("case", CUT, ids=lambda case: case["id"])
def test_a_text_or_page_as_it_comes_has_its_paragraphs(case):
    article = split_html(case["html"]) if "html" in case else split_text(case["text"])
    assert folded(article) == case["paragraphs"]
    for piece in (*article.paragraphs, *article.skipped):
        assert article.text[piece.start : piece.end] == piece.text


@pytest.mark.parametrize("name", sorted(FURNITURE))
def test_a_sentence_that_begins_like_furniture_is_a_paragraph(name):
    assert FURNITURE[name] in folded(split_text(f"{A}\n\n{FURNITURE[name]}\n\n{B}"))


@pytest.mark.parametrize("sentence", SENTENCES)
def test_a_sentence_about_the_words_of_furniture_is_no_furniture(sentence):
    assert reason_to_skip(sentence) is None


@pytest.mark.parametrize("prompt", PROMPTS)
def test_a_prompt_of_a_site_is_set_aside(prompt):
    assert is_prompt(prompt)
    article = split_text(f"{A}\n\n{prompt}\n\n{B}")
    assert folded(article) == [A, B]
    assert [piece.reason for piece in article.skipped] == ["boilerplate"]


@pytest.mark.parametrize("name", sorted(INLINE))
def test_an_element_within_a_paragraph_loses_none_of_its_words(name):
    page = (
        f"<html><body><nav><ul><li><a href='/'>Home</a></li></ul></nav><article><h1>Road</h1><p>{A}</p><p>Opposition "
        f"members told parliament that {INLINE[name]} the interior minister had read three warnings and done nothing "
        f"about them since March.</p><p>{C}</p></article><footer><p>© 2026 Harbour Courier</p></footer></body></html>"
    )
    text = " ".join(folded(split_html(page)))
    assert "Opposition members told parliament that" in text
    assert "the interior minister had read three warnings and done nothing about them since March." in text


WHOLE = (
    "The government blamed the separatists, who had been armed from abroad, and the minister promised that the army "
    "would clear the valley of militants before the winter, whatever the neighbours might say about it in public."
)


def hyphenated(hyphen):
    pieces = ("govern|ment", "sepa|ratists", "minis|ter", "mili|tants", "neigh|bours")
    text = WHOLE
    for piece in pieces:
        text = text.replace(piece.replace("|", ""), piece.replace("|", f"{hyphen}\n"), 1)
    return text


@pytest.mark.parametrize("hyphen", ["-", "\u00ad", "\u2010"])
def test_a_model_sees_words_hyphenated_at_line_ends_as_whole_words(hyphen):
    [paragraph] = split_text(hyphenated(hyphen)).paragraphs
    assert normalise(paragraph.text).split() == normalise(WHOLE).split()


@pytest.mark.parametrize(
    ("broken", "whole"),
    [
        ("state-\nsponsored", "state-sponsored"),
        ("self-\ndefence", "self-defence"),
        ("Anglo-\nFrench", "anglo-french"),
        ("state-of-the-\nart", "state-of-the-art"),
        ("state-\nment", "statement"),
        ("GOVERN-\nMENT", "government"),
        ("mili-\n\n12\n\ntants", "militants"),
        ("Regie-\nrung", "regierung"),
        ("> the army of mili-\n> tants", "> the army of militants"),
        ("Nord-\nund Südkorea", "nord-\nund sudkorea"),
        ("the army -\nwhich", "the army -\nwhich"),
    ],
)
def test_a_hyphen_at_a_line_end_stays_only_where_the_word_has_it_anyway(broken, whole):
    assert normalise(broken) == whole


def test_a_text_without_line_breaks_is_cut_into_windows_of_three_to_five_sentences():
    article = split_text(LONG)
    assert article.cut == "sentences"
    assert [len(re.findall(r"\.", paragraph.text)) for paragraph in article.paragraphs] == [4, 5]
    assert " ".join(paragraph.text for paragraph in article.paragraphs) == LONG


@pytest.mark.parametrize("count", range(3, 60))
def test_windows_have_three_to_five_sentences_whatever_their_number(count):
    text = " ".join(f"The army fired on crowd {number}." for number in range(count))
    sizes = [len(re.findall(r"\.", text[start:end])) for start, end in sentence_windows(text, "en", 4)]
    assert sum(sizes) == count
    assert all(3 <= size <= 5 for size in sizes)


def test_abbreviations_and_quotations_do_not_end_a_sentence():
    text = "Gen. Okrand of the U.S. army left at 5 p.m. on Friday. “We go. We must,” he announced. St. Velin was quiet."
    spans = sentence_windows(text, "en", 1)
    assert [text[start:end][:10] for start, end in spans] == ["Gen. Okran", "“We go. We", "St. Velin "]


def test_a_text_of_a_few_sentences_or_with_line_breaks_is_not_cut_into_windows():
    for text in (f"{A} {B} {C}", f"{LONG}\n\n{A}"):
        assert split_text(text).cut == "lines"
    whole = split_text(LONG, sentences=0)
    assert (len(whole.paragraphs), whole.cut) == (1, "lines")


@pytest.mark.parametrize(
    "piece",
    [
        "*Soldiers at the tunnel*",
        "The army did it —",
        "„Wir wurden allein gelassen“, sagte sie",
        "I agree.",
        "1/ They fired",
    ],
)
def test_a_piece_that_is_no_heading_is_scored(piece):
    assert piece in folded(split_text(f"{A}\n\n{piece}\n\n{B}"))


def test_where_more_than_a_third_looks_like_headings_none_is_set_aside_and_this_is_known():
    article = split_text("Army kills nine\n\nThe valley burns again tonight\n\nHe fled.")
    assert len(article.paragraphs) == 3
    assert looks_like_headings(article)
    assert not looks_like_headings(split_text(f"Army kills nine\n\n{A}\n\n{B}"))
    assert not looks_like_headings(split_paragraphs([A, B]))


def test_the_fields_of_an_export_become_what_the_article_says_of_itself():
    by_id = {case["id"]: case for case in CUT}
    # The date on which Nexis loaded an article is not that of its publication.
    dates = {
        "t09": datetime(2021, 3, 14, tzinfo=UTC),
        "Nexis-export": None,
        "Factiva-export": datetime(2021, 3, 14, tzinfo=UTC),
    }
    for identifier, date in dates.items():
        imprint = split_text(by_id[identifier]["text"]).imprint
        assert "Venn" in imprint.author
        assert imprint.published_at == date
    for identifier in ("t09", "Nexis-export"):
        imprint = split_text(by_id[identifier]["text"]).imprint
        assert (imprint.title, imprint.outlet) == ("Road closed in the pass", "Harbour Courier")


NEXIS = {
    "older": (
        "1 of 10 DOCUMENTS\n\n          The Courier\n\n     March 14, 2026 Saturday\n     Late Edition - Final\n\n"
        "Army strikes back at\nthe rebels\n\nBYLINE: By Ilara Venn\n\nSECTION: Section A; Column 1;\nPg. 4\n\n"
        "LENGTH: 412 words\n\n",
        "\n\nGRAPHIC: PHOTO: Soldiers stood at the bridge. (PHOTOGRAPH BY TOMAS OKRAND)\n\nLOAD-DATE: March 15, 2026\n"
        "\nLANGUAGE: ENGLISH\n\nSUBJECT: ARMIES (90%); REBELS (80%);\nROADS (70%)\n\nPUBLICATION-TYPE: Newspaper\n",
    ),
    "oldest": (
        "Copyright 2026 The Courier Company\nThe Courier\n\nMarch 14, 2026, Saturday, Late Edition - Final\n\n"
        "SECTION: Section A; Page 1\n\nLENGTH: 412 words\n\nHEADLINE: Army strikes back at\nthe rebels\n\n"
        "BYLINE: By Ilara Venn\n\nDATELINE: VELIN, March 13\n\nBODY:\n",
        "\n\nLOAD-DATE: March 15, 2026\n",
    ),
    "same line": (
        "The Courier\nSaturday 14 March 2026\nHEADLINE: Army strikes back at the rebels\nBYLINE: Ilara Venn\n"
        "LENGTH: 412 words\nBODY: ",
        "\nLOAD-DATE: March 15, 2026\n",
    ),
    "Uni": (
        "Army strikes back at the rebels\nThe Courier\nMarch 14, 2026 Saturday 3:15 PM GMT\n\nCopyright 2026 "
        "The Courier All Rights Reserved\n\nSection: WORLD; Pg. 4\nLength: 412 words\nByline: Ilara Venn\nBody\n\n",
        "\n\nGraphic\n \nPHOTO: Soldiers stood at the bridge. The army had closed it.\n \nClassification\n\n"
        "Language: ENGLISH\nPublication-Type: Newspaper\nSubject: ARMIES (90%)\n"
        "Load-Date: March 15, 2026\n\nEnd of Document\n",
    ),
    "Uni, cut off": (
        "Army strikes back at the rebels\nThe Courier - Final Edition\n14 March 2026\nSection: WORLD\n"
        "Length: 412 words\nByline: Ilara Venn\nBody\n",
        "",
    ),
}
LIKE_FIELDS = (
    "State: the mayor fled, and nobody knows where he went in the night.",
    "City: burnt.",
    "Date: nobody remembers.",
    "Section: the word meant nothing to the soldiers of the valley.",
    "Graphic",
    "1 of 10 soldiers came back.",
)


@pytest.mark.parametrize("count", [1, 2, 12])
@pytest.mark.parametrize("name", NEXIS)
def test_a_newspaper_article_of_nexis_has_its_paragraphs_and_says_when_and_where_it_appeared(name, count):
    above, below = NEXIS[name]
    body = [f"{number}. {(A, B, C)[number % 3]}" for number in range(count)]
    article = split_text(above + "\n\n".join(body) + below)
    assert folded(article) == body
    assert {piece.reason for piece in article.skipped} == {"metadata"}
    imprint = article.imprint
    assert (imprint.title, imprint.author) == ("Army strikes back at the rebels", "Ilara Venn")
    assert (imprint.outlet, imprint.published_at) == ("The Courier", datetime(2026, 3, 14, tzinfo=UTC))


@pytest.mark.parametrize("line", LIKE_FIELDS)
@pytest.mark.parametrize("name", NEXIS)
def test_a_sentence_of_a_nexis_article_that_begins_like_a_field_is_no_field(name, line):
    above, below = NEXIS[name]
    article = split_text(f"{above}{A}\n\n{line}\n\n{B}\n\n{C}{below}")
    assert [piece.text for piece in article.skipped if piece.reason != "metadata"] in ([], ["Graphic"])
    assert [text for text in folded(article) if text != line] == [A, B, C]
    assert line in folded(article) or line == "Graphic"


@pytest.mark.parametrize("last", ["State: the mayor fled, and nobody knows where he went in the night.", C])
def test_the_last_sentence_of_a_nexis_article_is_scored_whatever_its_first_word(last):
    for above, below in NEXIS.values():
        assert folded(split_text(f"{above}{A}\n\n{B}\n\n{last}{below}")) == [A, B, last]


def test_a_stored_article_of_nexis_has_the_outlet_and_the_date_of_the_newspaper(client):
    above, below = NEXIS["Uni"]
    answer = client.post("/v1/articles", json={"text": f"{above}{A}\n\n{B}{below}"}).json()
    assert (answer["title"], answer["outlet"]) == ("Army strikes back at the rebels", "The Courier")
    assert answer["published_at"] == "2026-03-14T00:00:00Z"
    assert [paragraph["text"] for paragraph in answer["paragraphs"]] == [A, B]


def test_text_above_the_fields_of_an_archive_is_no_headline():
    below = "BYLINE: Ilara Venn\n\nLENGTH: 412 words\n\nLOAD-DATE: March 15, 2026"
    article = split_text(f"The Courier\nMarch 14, 2026\n\n{A}\n\n{B}\n\n{below}")
    assert folded(article) == [A, B]
    assert article.imprint.published_at is None


JSON_LD = (
    '{"@context": "https://schema.org", "@graph": [{"@type": "WebPage", "name": "x"}, {"@type": ["NewsArticle"], '
    '"headline": "Road closed &amp; valley sealed", "datePublished": "2026-03-14T10:05:00+01:00", "author": [{"@type": '
    '"Person", "name": "Ilara Venn"}, {"name": "Tomas Okrand"}], "publisher": {"name": "Harbour Courier"}, '
    '"mainEntityOfPage": {"@id": "https://courier.example/road"}}]}'
)


def page(head):
    return f"<html><head>{head}</head><body><article><p>{A}</p><p>{B}</p></article></body></html>"


def test_json_ld_says_what_the_article_is():
    imprint = split_html(page(f'<script type="application/ld+json">{JSON_LD}</script>')).imprint
    assert imprint.title == "Road closed & valley sealed"
    assert imprint.author == "Ilara Venn, Tomas Okrand"
    assert imprint.outlet == "Harbour Courier"
    assert imprint.url == "https://courier.example/road"
    assert imprint.published_at == datetime(2026, 3, 14, 9, 5, tzinfo=UTC)


def test_open_graph_fills_what_json_ld_leaves_open():
    imprint = split_html(
        page(
            '<script type="application/ld+json">{"@type": "Article", "headline": "Road closed"}</script>'
            "<meta property=og:title content='Another title'><meta property=og:site_name content='Harbour Courier'>"
            "<meta property=article:published_time content=2026-03-14><meta name=author content='Ilara Venn'>"
            "<link rel=canonical href=https://courier.example/road>"
        )
    ).imprint
    assert (imprint.title, imprint.outlet, imprint.author) == ("Road closed", "Harbour Courier", "Ilara Venn")
    assert imprint.published_at == datetime(2026, 3, 14, tzinfo=UTC)
    assert imprint.url == "https://courier.example/road"


@pytest.mark.parametrize(
    "head",
    [
        "<script type='application/ld+json'>{not json</script>",
        "<script type='application/ld+json'>[[[1, null, {\"@type\": 3}]]]</script>",
        "<meta property=article:published_time content='3/4/2026'>",
        "<meta property=article:published_time content='2026-99-99'>",
        "<meta property=og:url content='javascript:alert(1)'>",
        "<meta property=article:published_time content='0001-01-01T00:00:00+23:00'>",
        "<meta property=article:published_time content='9999-12-31T23:59:59-23:00'>",
        '<script type=application/ld+json>{"@type": "Article", "url": "https://a.example/\\ud800"}</script>',
    ],
)
def test_metadata_that_cannot_be_read_stay_unknown(head):
    imprint = split_html(page(head)).imprint
    assert imprint.published_at is None
    assert imprint.url is None


def test_an_article_of_a_page_is_stored_with_its_metadata_unless_the_caller_gives_others(client):
    html = page(f'<script type="application/ld+json">{JSON_LD}</script>')
    answer = client.post("/v1/articles", json={"html": html, "author": "The caller"}).json()
    assert (answer["title"], answer["outlet"]) == ("Road closed & valley sealed", "Harbour Courier")
    assert (answer["author"], answer["url"]) == ("The caller", "https://courier.example/road")
    assert answer["published_at"] == "2026-03-14T09:05:00Z"
    assert client.post("/v1/articles", json={"html": html, "author": "The caller"}).json()["id"] == answer["id"]


def test_half_of_a_character_in_the_metadata_of_a_page_is_not_stored(client):
    script = (
        '{"@type": "Article", "headline": "Road \\ud800 closed", "author": "Mira \\udfff", "publisher": "Post\\udbff"}'
    )
    answer = client.post("/v1/articles", json={"html": page(f'<script type="application/ld+json">{script}</script>')})
    assert answer.status_code == 201
    assert [answer.json()[name] for name in ("title", "author", "outlet")] == ["Road closed", "Mira", "Post"]


def test_an_address_that_another_article_has_is_not_taken_from_a_page(client):
    head = "<link rel=canonical href=https://courier.example/>"
    first = client.post("/v1/articles", json={"html": page(head)})
    second = client.post("/v1/articles", json={"html": page(head).replace("road", "bridge")})
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json()["url"] == "https://courier.example/"
    assert "url" not in second.json()


def test_an_answer_says_how_a_text_was_cut_and_so_does_the_stored_article(client):
    for text, cut, headings_scored in (
        (LONG, "sentences", None),
        (f"{A}\n\n{B}", "lines", None),
        ("Army kills nine\n\nThe valley burns again tonight\n\nHe fled.", "lines", True),
    ):
        answer = client.post("/v1/articles", json={"text": text}).json()
        stored = client.get(f"/v1/articles/{answer['id']}").json()
        for version in (answer, stored, client.post("/v1/classify", json={"text": text}).json()):
            assert (version["cut"], version.get("headings_scored")) == (cut, headings_scored)


def test_a_page_with_thousands_of_links_in_its_menu_has_the_paragraphs_of_its_article():
    links = "".join(f"<li><a href=/{number}>Section {number} of the archive.</a></li>" for number in range(2100))
    article = split_html(
        f"<html><body><nav><ul>{links}</ul></nav><main><article><p>{A}</p><p>{B}</p></article></main></body></html>"
    )
    assert folded(article) == [A, B]
    assert len(article.skipped) < 10
