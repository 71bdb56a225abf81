"""/classify and the page of an article without a browser: what is read, what the page says of it, and its errors."""

import gzip
import json
import re
from html import unescape

import pytest

from tests.support.articles import THREE_PARAGRAPHS, TWO_PARAGRAPHS
from tests.support.packed import word_of
from tests.support.paths import ROOT
from tests.support.pdf import pdf_of

TEXTS = TWO_PARAGRAPHS.split("\n\n")
PAGE = "".join(f"<p>{text}</p>" for text in TEXTS)
ACCENTED = "The café’s owner blamed the gendarmes of Besançon for the raid, and the prefect ignored his warnings."
GERMAN = (
    "Die Regierung hat wiederholte Warnungen ignoriert, und kein Minister ist zurückgetreten.\n\n"
    "Die Armee riegelte das Tal ab und nahm vierzig Menschen fest, wie die Behörden mitteilten."
)


def words_of(page):
    """The paragraphs that a page shows."""
    shown = re.findall(r'<p class="words">(.*?)</p>', page, re.DOTALL)
    return [unescape(re.sub(r"<[^>]*>", "", paragraph)) for paragraph in shown]


def alert(page):
    return unescape(re.search(r'role="alert"[^>]*>(.*?)</p>', page, re.DOTALL).group(1))


def described(page):
    """The names of the controls that the alert is about."""
    return [re.search(r'name="(\w+)"', tag).group(1) for tag in re.findall(r"<\w+[^>]*aria-describedby[^>]*>", page)]


FILES = {
    "a.pdf": pdf_of(TEXTS),
    "b.docx": word_of(*TEXTS),
    "c.txt": TWO_PARAGRAPHS.encode("utf-16"),
    "d.txt": f"{ACCENTED}\n\n{TWO_PARAGRAPHS}".encode("windows-1252"),
    "e.html": f'<meta charset="iso-8859-1"><p>{ACCENTED.replace("’", "&rsquo;")}</p>{PAGE}'.encode("latin-1"),
    "f.txt": f"<!-- wp:paragraph -->\n{PAGE}".encode(),
    "g.json": json.dumps({"text": PAGE, "html": None}).encode(),
    "h.json": json.dumps({"paragraphs": TEXTS}).encode(),
    "i.md.gz": gzip.compress(TWO_PARAGRAPHS.encode("utf-16")),
    "latin1.html": (ROOT / "tests" / "cases" / "files" / "latin1.html").read_bytes(),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_read_on_the_page_as_by_the_api(client, name):
    upload = {"file": (name, FILES[name])}
    answer, page = client.post("/v1/classify", files=upload), client.post("/classify", files=upload)
    texts = [paragraph["text"] for paragraph in answer.json()["paragraphs"]]
    assert page.status_code == answer.status_code == 200, answer.text
    assert words_of(page.text) == texts
    assert len(texts) >= 2
    assert "<" not in "".join(texts)
    assert f"This was read from the file {name}" in page.text
    encoding = answer.headers.get("framing-encoding", "utf-8")
    assert (f"({encoding})" in page.text) == (encoding != "utf-8")


@pytest.mark.parametrize(
    "pasted",
    [
        PAGE,
        f"<!doctype html><html><head><title>Raid</title></head><body><article>{PAGE}</article></body></html>",
        f"\n<!-- wp:paragraph -->{PAGE}",
        f"<![CDATA[{PAGE}]]>",
        "<br><br>".join(TEXTS),
    ],
    ids=["elements", "page", "comment", "cdata", "line breaks"],
)
def test_a_pasted_page_is_read_as_html_unless_its_reader_says_that_it_is_text(client, pasted):
    page = client.post("/classify", data={"content": pasted}).text
    assert words_of(page) == TEXTS
    as_text = client.post("/classify", data={"content": pasted, "kind": "text", "force_language": "en"}).text
    assert "<" in "".join(words_of(as_text))


@pytest.mark.parametrize("text", ["The price fell to < 5 dollars <b>today</b>.", "He wrote <p> on the wall and left."])
def test_a_text_with_a_sign_of_html_is_read_as_text(client, text):
    assert words_of(client.post("/classify", data={"content": text, "force_language": "en"}).text) == [text]


def test_a_text_in_another_language_is_scored_once_the_reader_sends_it_again(client):
    refused = client.post("/classify", data={"content": GERMAN})
    assert refused.status_code == 422
    assert "written in 'de'" in alert(refused.text)
    assert "force_language" not in alert(refused.text)
    assert described(refused.text) == ["force_language"]
    assert re.search(r'<option value="de"[^>]* selected', refused.text)
    page = client.post("/classify", data={"content": GERMAN, "force_language": "de"})
    assert page.status_code == 200
    assert words_of(page.text) == GERMAN.split("\n\n")
    assert "which the model was not trained on" in page.text


def test_a_file_of_json_brings_its_own_fields(client):
    article = {"title": "After the raid", "paragraphs": TEXTS, "operating_point": "high_recall"}
    article["thresholds"] = {"militarized_response": 0.0}
    upload = {"file": ("a.json", json.dumps(article).encode())}
    page = client.post("/classify", files=upload).text
    assert "Framing of “After the raid”" in page
    assert re.search(r'value="high_recall"[^>]* checked', page)
    assert "thresholds of its own for Militarized response" in page
    marks = re.findall(r'class="chip frame-\d (\w+)" data-frame="militarized_response"', page)
    assert marks == ["present"] * 3  # of the article and of its paragraphs
    limits = json.loads(re.search(r'id="thresholds">(.*?)</script>', page).group(1))
    assert all(limits[point]["paragraphs"]["militarized_response"] == [0.0, 0.0] for point in limits)
    chosen = client.post("/classify", files=upload, data={"operating_point": "high_precision"}).text
    assert re.search(r'value="high_precision"[^>]* checked', chosen)


@pytest.mark.parametrize(
    ("data", "file", "sentence", "control"),
    [
        ({"content": " "}, None, "The text is empty.", "content"),
        ({"content": "<p> </p>", "kind": "html"}, None, "Nothing is left to score", "content"),
        ({"content": "a\0b"}, None, "The text must not contain the character NUL.", "content"),
        ({}, ("a.pdf", b"rubbish"), "a.pdf: It is not a PDF file that can be read.", "file"),
        ({"content": "The army left."}, ("a.txt", b""), "The text is empty.", "file"),
        ({}, ("a.json", b'{"text": "The army left.", "body": "x"}'), "a.json: the field “body” is not as", "file"),
        ({}, ("a.json", b"{}"), "text, html or paragraphs", "file"),
        ({}, ("a.csv", b"text\nThe army.\n"), "many articles", "file"),
    ],
)
def test_an_error_stands_beside_what_it_is_about(client, data, file, sentence, control):
    answer = client.post("/classify", data=data, files={"file": file} if file else None)
    assert answer.status_code == 422
    assert sentence in alert(answer.text)
    assert described(answer.text) == [control]


def test_pages_of_a_pdf_that_are_pictures_are_named(client):
    page = client.post("/classify", files={"file": ("a.pdf", pdf_of(TEXTS, [], TEXTS))})
    assert "Page 2 is a picture without text: have the text recognised" in page.text


def test_a_file_replaces_the_text_in_the_box_and_the_page_says_so(client):
    upload = {"file": ("a.txt", TWO_PARAGRAPHS.encode())}
    page = client.post("/classify", files=upload, data={"content": "The navy sailed home on Monday."}).text
    assert words_of(page) == TEXTS
    assert "from the file a.txt, in place of the text in the box." in page


@pytest.fixture
def stored(client):
    return client.post("/v1/articles", json={"text": THREE_PARAGRAPHS, "title": "Three paragraphs"}).json()


def chips(page):
    """Decision and stance of each frame in each paragraph, as the page brings them."""
    return [
        {
            key: (decision, stance)
            for decision, key, stance in re.findall(
                r'<button[^>]*class="chip frame-\d (\w+)" data-frame="(\w+)"(?:(?!</button>).)*?'
                r'(?:<span class="stance">(\w+)</span>)?</button>',
                section,
                re.DOTALL,
            )
        }
        for section in page.split('<section class="paragraph"')[1:]
    ]


def test_a_frame_brings_the_stance_and_the_evidence_that_another_operating_point_shows(client, stored):
    page = client.get(f"/articles/{stored['id']}").text
    body = {"paragraphs": THREE_PARAGRAPHS.split("\n\n"), "operating_point": "high_recall"}
    new = 0
    for shown, paragraph in zip(chips(page), client.post("/v1/classify", json=body).json()["paragraphs"], strict=True):
        for key, frame in paragraph["frames"].items():
            if "stance" in frame:
                assert shown[key][1] == frame["stance"]
                new += shown[key][0] == "absent"
    assert new
    assert "evidence frame-1 quiet" in page or "evidence frame-0 quiet" in page


def test_an_address_opens_an_article_at_an_operating_point(client, stored):
    address = f"/articles/{stored['id']}"
    assert re.search(r'value="balanced"[^>]* checked', client.get(address).text)
    assert re.search(r'value="high_recall"[^>]* checked', client.get(f"{address}?operating_point=high_recall").text)
    wrong = client.get(f"{address}?operating_point=high")
    assert wrong.status_code == 422
    assert "operating_point" in wrong.text


def test_an_annotation_shows_its_note_and_that_its_coder_was_unsure(client, stored):
    annotation = {"coder": "mira", "article_id": stored["id"], "paragraph": 0, "frames": {}, "note": "a <b>denial</b>?"}
    client.post("/v1/annotations", json={**annotation, "unsure": True})
    page = client.get(f"/articles/{stored['id']}").text
    assert "mira (unsure): " in page
    assert "a &lt;b&gt;denial&lt;/b&gt;?" in page
