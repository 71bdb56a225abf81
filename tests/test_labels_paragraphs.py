import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labels.boilerplate import reason_to_skip
from labels.errors import ArticleError
from labels.paragraphs import split_html, split_paragraphs, split_text
from labels.reading.headings import may_be_heading
from tests.support.paths import SHARED

A = "The gunmen stopped the night train in the pass and held its passengers until the next afternoon."
B = "Ministers promised an inquiry, and the opposition demanded to know why earlier warnings had been ignored."
WHITE_SPACE = "".join(character for character in map(chr, range(0x3001)) if character.isspace())
C = "By evening the line had been repaired and the first goods trains went through to the coast."


def texts(article):
    return [paragraph.text for paragraph in article.paragraphs]


def reasons(article):
    return {piece.text: piece.reason for piece in article.skipped}


def test_blank_lines_separate_paragraphs():
    assert texts(split_text(f"{A}\n\n{B}\n \t\n{C}")) == [A, B, C]


def test_newlines_separate_paragraphs_in_a_text_without_blank_lines():
    assert texts(split_text(f"{A}\n{B}\r\n{C}")) == [A, B, C]


def test_newlines_separate_paragraphs_although_blank_lines_occur_elsewhere_in_the_text():
    article = split_text(f"World\nTrain seized in the pass\n\n{A}\n{B}\n{C}\n\n\n")
    assert texts(article) == [A, B, C]
    assert reasons(article) == {"World": "heading", "Train seized in the pass": "heading"}


def test_lines_that_were_wrapped_at_a_column_are_joined():
    wrapped = (
        "The gunmen stopped the night train in the pass and held its\n"
        "passengers until the next afternoon, when soldiers reached the\n"
        "tunnel from both sides. Ministers promised an inquiry.\n\n"
        "By evening the line had been repaired and the first goods\n"
        "trains went through to the coast under guard of the police."
    )
    article = split_text(wrapped)
    assert texts(article) == wrapped.split("\n\n")


def test_offsets_are_code_points_into_the_submitted_text():
    text = f"😀 É\n\n{A}\n\n\u202eİstanbul’da {B}"
    article = split_text(text)
    for piece in (*article.paragraphs, *article.skipped):
        assert text[piece.start : piece.end] == piece.text


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("World", "heading"),
        ("After the night train", "heading"),
        ("## The long war", "heading"),
        ("THE MAKING OF A CRISIS", "heading"),
        ("By Ilara Venn", "byline"),
        ("By Ilara Venn and Tomas Okrand in Velin", "byline"),
        ("BY ILARA VENN", "byline"),
        ("By Élise Marçal of the Courier", "byline"),
        ("Our staff reporter in Velin", "byline"),
        ("Our Correspondent", "byline"),
        ("The writer is a former ambassador and teaches history.", "byline"),
        ("ilara.venn@courier.example", "byline"),
        ("March 14, 2026", "dateline"),
        ("Published 14 March 2026 at 10:30", "dateline"),
        ("Updated 3 hours ago", "dateline"),
        ("Views are personal.", "byline"),
        ("— Ilara Venn (@ilara) March 14, 2026", "byline"),
        ("This image is taken from the Courier.", "caption"),
        ("Photo: Courier archive", "caption"),
        ("Soldiers at the mouth of the tunnel on Tuesday. — AFP", "caption"),
        ("Soldiers at the mouth of the tunnel on Tuesday (Reuters)", "caption"),
        ("In this handout photo, soldiers stand at the tunnel.", "caption"),
        ("Share this on", "boilerplate"),
        ("Facebook Twitter WhatsApp", "boilerplate"),
        ("Share", "boilerplate"),
        ("Subscribe to our newsletter for the day's news.", "boilerplate"),
        ("© 2026 The Courier. All rights reserved.", "boilerplate"),
        ("Published in The Courier, March 15th, 2026", "boilerplate"),
        ("Tags: railways, security", "boilerplate"),
        ("* * *", "heading"),
        ("12 Comments", "boilerplate"),
        ("https://courier.example/2026/03/14/road", "boilerplate"),
        ("www.courier.example/road", "boilerplate"),
        ("https://courier.example/road 1/3", "boilerplate"),
        ("1 of 3 29.11.2026, 08:33", "boilerplate"),
        ("11/29/26, 8:33\u202fAM", "boilerplate"),
        ("Also read: The tunnel that nobody guarded", "related"),
        ("More columns by Ilara Venn", "related"),
    ],
)
def test_a_piece_that_is_not_a_paragraph_is_skipped_with_its_reason(line, reason):
    article = split_text(f"{line}\n\n{A}\n\n{B}")
    assert texts(article) == [A, B]
    assert reasons(article) == {line: reason}


@pytest.mark.parametrize(
    "line",
    [
        "By 2003 the movement had split into three, and its founder was dead.",
        "By killing monks the separatists have discredited themselves once more.",
        "By dawn it was over.",
        "The army killed nine rebels in the valley on Sunday, a spokesman announced. (Reuters)",
        "A senior reporter was shot dead at his gate.",
        "The man who was killed was a columnist of the paper.",
        "Published in 2019, the report was ignored by everybody.",
        "Posted to the border in 2019, he had never seen a rebel.",
        "Share prices fell after the attack, the exchange reported on Tuesday.",
        "Photographs of the tunnel show two breaches in the northern wall.",
        "“We were left alone,” he recalled.",
        "More troops were sent to the pass on Wednesday, officials confirmed.",
        "The writer and the general had met twice before the war, he claimed.",
        "Follow the money and you will find the generals, the opposition claimed.",
        "Who sent them? The ministry has named a neighbour, and offered no proof.",
        "Save the children of the valley from this war, the bishop begged the army.",
        "Related violence in the valley has killed forty people since May.",
        "https://courier.example/road has the names of the dead.",
        "The list of the dead is at https://courier.example/road",
        "11/29/26, 8:33 AM The gunmen closed the road.",
        "About: the army and its enemies in the valley.",
    ],
)
def test_a_short_paragraph_that_looks_like_boilerplate_is_not_skipped(line):
    assert texts(split_text(f"{A}\n\n{line}")) == [A, line]


def test_a_list_of_other_columns_is_skipped_completely():
    text = f"{A}\n\nMore columns\n\nThe price of quiet\n\nWho guards the tunnel?\n\nA minister explains\n\n{B}"
    article = split_text(text)
    assert texts(article) == [A, B]
    assert set(reasons(article).values()) == {"related"}


@pytest.mark.parametrize("lines", [["The state has failed its people"], ["Army storms pass", "Envoy recalled", "Rain"]])
def test_headings_without_a_text_below_them_are_paragraphs(lines):
    assert texts(split_text("\n".join(lines))) == lines


@pytest.mark.parametrize("text", ["Share this on", "By Ilara Venn\n\nWorld\n\nPhoto: Courier"])
def test_a_text_that_is_only_boilerplate_is_rejected(text):
    with pytest.raises(ArticleError, match="Nothing is left to score") as caught:
        split_text(text)
    assert caught.value.field == "text"


@pytest.mark.parametrize("text", ["", " \n\t\u2028 "])
def test_an_empty_text_is_rejected(text):
    with pytest.raises(ArticleError, match="empty"):
        split_text(text)


def test_nothing_is_set_aside_of_the_paragraphs_of_a_caller():
    article = split_paragraphs([A, "Share this on", "no full stop here", B])
    assert [(p.index, p.text) for p in article.paragraphs] == [
        (0, A),
        (1, "Share this on"),
        (2, "no full stop here"),
        (3, B),
    ]
    assert article.skipped == ()
    for piece in article.paragraphs:
        assert article.text[piece.start : piece.end] == piece.text


def test_an_empty_paragraph_of_a_caller_is_named():
    with pytest.raises(ArticleError) as caught:
        split_paragraphs([A, " "])
    assert caught.value.field == "paragraphs/1"


def test_the_rules_skip_only_those_paragraphs_of_the_shipped_corpus_that_its_datasheet_mentions(corpus):
    skipped = [p.text for p in corpus if reason_to_skip(p.text) or may_be_heading(p.text)]
    assert len(skipped) == 6


def test_the_headings_and_the_caption_of_the_real_sample_article_are_skipped():
    sample = SHARED / "samples"
    if not sample.is_dir():
        pytest.skip("the sample is not beside this checkout")
    text = (sample / "article.txt").read_text(encoding="utf-8")
    pieces = [json.loads(line) for line in (sample / "article.codes.jsonl").read_text(encoding="utf-8").splitlines()]
    article = split_text(text)
    assert [p.text[:40] for p in article.paragraphs] == [p["starts"] for p in pieces if not p["boilerplate"]]
    assert [s.text[:40] for s in article.skipped] == [p["starts"] for p in pieces if p["boilerplate"]]


@settings(deadline=None)  # the first text without line breaks loads the rules for sentences
@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=400))
def test_only_white_space_and_marks_of_quotations_are_ever_lost(text):
    try:
        article = split_text(text)
    except ArticleError:
        return
    pieces = sorted((*article.paragraphs, *article.skipped), key=lambda piece: piece.start)
    position = 0
    for piece in pieces:
        assert not text[position : piece.start].strip("> " + WHITE_SPACE)
        assert text[piece.start : piece.end] == piece.text
        position = piece.end
    assert not text[position:].strip("> " + WHITE_SPACE)


PAGE = f"""<html><head><title>T</title><script>var a = "x";</script></head><body>
<nav><ul><li><a href="/">Home</a></li><li><a href="/p">Politics of the day</a></li></ul></nav>
<article><h1>After the night train</h1><p class="by">By Ilara Venn</p>
<p>{A}</p><figure><img src="t.jpg"><figcaption>The tunnel after the fire</figcaption></figure>
<h2>What was known</h2><p>{B.replace("inquiry", "<em>inquiry</em>")}</p><blockquote><p>{C}</p></blockquote></article>
<aside>Share this on <a>Facebook</a></aside><footer>© 2026 The Courier</footer></body></html>"""


def test_the_article_of_an_html_page_becomes_paragraphs_and_the_rest_is_skipped():
    article = split_html(PAGE)
    assert texts(article) == [A, B, C]
    skipped = reasons(article)
    assert skipped["After the night train"] == "heading"
    assert skipped["By Ilara Venn"] == "byline"
    assert skipped["The tunnel after the fire"] in ("caption", "outside_article")
    assert skipped["Politics of the day"] == "outside_article"
    assert "var a" not in article.text


def test_offsets_of_html_index_the_extracted_text():
    article = split_html(PAGE)
    for piece in (*article.paragraphs, *article.skipped):
        assert article.text[piece.start : piece.end] == piece.text


def test_a_fragment_of_html_is_accepted():
    assert texts(split_html(f"<p>{A}<p>{B}")) == [A, B]


@pytest.mark.parametrize(
    "form",
    [
        "The army moved into valley {n} and the ministers blamed a neighbouring state.",
        "At {n} minutes past the hour the mayor of the port told the council that the road was still closed.",
        "The road was closed again.",
    ],
)
def test_a_page_of_many_paragraphs_that_are_alike_keeps_them_all_and_skips_its_menu(form):
    paragraphs = [form.format(n=n) for n in range(120)]
    menu = "".join(f"<li><a href='/{n}'>The army moved into valley {n} again</a></li>" for n in range(60))
    page = f"<nav><ul>{menu}</ul></nav><article>{''.join(f'<p>{text}</p>' for text in paragraphs)}</article>"
    article = split_html(page)
    assert [paragraph.text for paragraph in article.paragraphs] == paragraphs
    assert {piece.reason for piece in article.skipped} == {"outside_article"}


@pytest.mark.parametrize("page", ["", "<html></html>", "<script>x</script>", "<!-- nothing -->", "<div>" * 5000])
def test_html_without_a_paragraph_is_rejected(page):
    with pytest.raises(ArticleError) as caught:
        split_html(page)
    assert caught.value.field == "html"
