"""The pages without a browser: addresses, headers, errors, and what every page must not do."""

import re
from dataclasses import replace

import pytest
from starlette.testclient import TestClient

from labels.annotations import DEFAULT_CORPUS
from service.app import create_app
from service.pages.charts import charts
from service.pages.models import version_rows
from service.settings import Settings
from tests.support.articles import THREE_PARAGRAPHS
from training.evaluation import OF_THE_BASE

PAGES = ["/", "/classify", "/articles", "/coding", "/coding?coder=mira", "/models", "/codebook", "/audit", "/sign-in"]


@pytest.fixture
def stored(client):
    body = {"text": THREE_PARAGRAPHS, "title": "Three <b>paragraphs</b> & more", "outlet": "Courier"}
    return client.post("/v1/articles", json={**body, "published_at": "2026-03-02"}).json()


@pytest.mark.parametrize("address", PAGES)
def test_every_page_answers_on_an_empty_store(client, address):
    answer = client.get(address)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize("address", PAGES)
def test_every_page_forbids_foreign_and_inline_script_and_has_none(client, address, stored):
    answer = client.get(address)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    scripts = re.findall(r"<script([^>]*)>", answer.text)
    assert all("src=" in script or 'type="application/json"' in script for script in scripts)
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:", answer.text)
    assert not re.findall(r"(?:src|href)=\"https?://", answer.text)


@pytest.fixture
def client_without_model(tmp_path):
    with TestClient(create_app(Settings(data_dir=tmp_path))) as client:
        yield client


@pytest.mark.parametrize("address", PAGES)
def test_every_page_works_before_a_model_is_trained(client_without_model, address):
    assert client_without_model.get(address).status_code == 200


def test_what_needs_a_model_says_how_to_get_a_model(client_without_model):
    for answer in (
        client_without_model.post("/classify", data={"content": THREE_PARAGRAPHS}),
        client_without_model.get("/articles/" + "0" * 32),
    ):
        assert answer.status_code == 503
        assert "No model is ready" in answer.text
        assert "train one with `framing train`" in answer.text


def test_an_unforeseen_error_gets_a_page_with_its_id_in_the_log(client, monkeypatch):
    def fail(*_):
        raise RuntimeError("internal words")

    monkeypatch.setattr("service.pages.reader.prevalence.outlets", fail)
    answer = client.get("/articles")
    assert answer.status_code == 500
    assert "Something unexpected went wrong" in answer.text
    assert re.search(r"under the id [0-9a-f]{32}", answer.text)
    assert "internal words" not in answer.text


def test_what_was_submitted_is_shown_as_text(client, stored):
    for address in ("/", "/articles", f"/articles/{stored['id']}"):
        page = client.get(address).text
        assert "<b>paragraphs</b>" not in page
        assert "&lt;b&gt;paragraphs&lt;/b&gt;" in page


def test_an_unknown_article_gets_a_page_that_says_so(client):
    answer = client.get("/articles/" + "0" * 32)
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")
    assert "No article is stored under the id" in answer.text


@pytest.mark.parametrize("address", ["/log", "/articles/a/b", "/static/no.js"])
def test_an_address_with_nothing_gets_a_page_in_browsers_and_problem_details_in_programs(client, address):
    page = client.get(address, headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "There is nothing at this address." in page.text
    assert '<a href="/">' in page.text
    assert client.get(address).json()["detail"] == "There is nothing at this address."
    assert client.get(f"/v1{address}", headers={"Accept": "text/html"}).json()["status"] == 404


@pytest.mark.parametrize(
    "address", ["/?period=aeon", "/articles?from=yesterday", "/articles?cursor=x", "/?shares=none"]
)
def test_a_wrong_address_gets_a_page_that_names_the_parameter(client, address):
    answer = client.get(address)
    assert answer.status_code == 422
    parameter = re.search(r"[?&](\w+)=", address).group(1)
    assert re.search(rf"<li>“{parameter}” (must be|does not have the right form)[^<]*\.</li>", answer.text)


def test_empty_filters_do_not_filter(client, stored):
    assert stored["id"] in client.get("/articles?q=&outlet=&from=&to=&frame=&decision=").text
    assert stored["id"] in client.get("/?from=&to=&outlet=&frame=&period=week").text


def test_articles_are_filtered_by_words_and_frames(client, stored):
    assert stored["id"] in client.get("/articles?q=mayor&frame=foreign_hand").text
    assert "No stored article matches" in client.get("/articles?q=zeppelin").text


def test_older_articles_are_a_link_away(client):
    for number in range(26):
        client.post("/v1/articles", json={"text": f"{THREE_PARAGRAPHS}\n\nEdition {number}.", "title": f"No {number}"})
    first = client.get("/articles").text
    older = re.search(r'rel="next" href="([^"]+)"', first).group(1).replace("&amp;", "&")
    assert client.get(older).text.count('<li><a href="/articles/') == 1


def test_a_pasted_text_a_page_and_a_file_are_classified(client):
    html = (
        "<html><body><article>"
        + "".join(f"<p>{p}</p>" for p in THREE_PARAGRAPHS.split("\n\n"))
        + "</article></body></html>"
    )
    for data, files in (
        ({"content": THREE_PARAGRAPHS, "kind": "text"}, None),
        ({"content": html, "kind": "html"}, None),
        ({"content": ""}, {"file": ("a.txt", THREE_PARAGRAPHS.encode())}),
        ({"content": ""}, {"file": ("a.html", html.encode())}),
    ):
        answer = client.post("/classify", data=data, files=files)
        assert answer.status_code == 200
        assert answer.text.count('class="paragraph"') == 3
        assert re.search(r'<mark class="evidence frame-0"[^>]*>ignored', answer.text)


@pytest.mark.parametrize(
    ("data", "status", "message"),
    [
        ({"content": "  "}, 422, "empty"),
        (
            {"content": "Le ministre a ignoré les avertissements répétés avant l'attaque du train, dit-on."},
            422,
            "&#39;fr&#39;",
        ),
        ({"content": "a\0b"}, 422, "NUL"),
        ({}, 422, "empty"),
    ],
)
def test_a_text_that_cannot_be_scored_is_answered_in_the_form(client, data, status, message):
    answer = client.post("/classify", data=data)
    assert answer.status_code == status
    assert message in answer.text
    assert 'role="alert"' in answer.text


@pytest.mark.parametrize(("mib", "message"), [(2, "longer than 1 MiB"), (9, "larger than 8 MiB")])
def test_a_form_that_is_too_large_is_refused_with_a_page(client, mib, message):
    for files in ({"content": (None, "x" * (mib * 2**20))}, {"file": ("a.txt", b"x" * (mib * 2**20))}):
        answer = client.post("/classify", files=files)
        assert answer.status_code == 413
        assert answer.headers["content-type"].startswith("text/html")
        assert message in answer.text


def test_the_annotations_of_an_article_are_beside_its_scores(client, stored):
    annotation = {"coder": "mira", "article_id": stored["id"], "paragraph": 0, "frames": {"foreign_hand": "contested"}}
    client.post("/v1/annotations", json=annotation)
    page = client.get(f"/articles/{stored['id']}").text
    assert re.search(r"mira:\s*<span class=\"tag frame-1\">Foreign hand · contested</span>", page)


def test_the_codebook_page_has_definitions_agreement_and_short_examples_from_the_corpus(client, codebook, corpus):
    page = client.get("/codebook").text
    texts = {paragraph.text for paragraph in corpus}
    examples = re.findall(r"<blockquote>(.*?)</blockquote>", page, re.DOTALL)
    assert len(examples) == 3 * len(codebook.frames)
    from html import unescape

    assert all(unescape(example) in texts for example in examples)
    assert page.count("Coders agree with alpha") == len(codebook.frames)
    assert DEFAULT_CORPUS.exists()


def test_colours_of_frames_come_from_the_codebook(client, codebook):
    styles = client.get("/assets/frames.css").text
    assert [line.split(":")[1].rstrip("}") for line in styles.splitlines()] == [f.colour for f in codebook.frames]
    for chart in (charts(codebook)["prevalence"], charts(codebook)["outlets"]):
        assert all(frame.colour in str(chart) for frame in codebook.frames)


def test_vega_comes_from_this_machine_and_is_not_sent_twice(client):
    answer = client.get("/assets/vega.js")
    assert answer.status_code == 200
    assert len(answer.content) > 500_000
    again = client.get("/assets/vega.js", headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code in {200, 304}
    assert client.get("/assets/charts/nothing.json").status_code == 404
    assert client.get("/static/../pages/render.py").status_code == 404


def versions_table(client):
    page = client.get("/models").text
    return re.search(r'<table class="versions">.*?</table>', page, re.DOTALL).group()


def test_the_current_version_comes_first_in_the_table_of_versions(client, registry, challenger):
    registry.register(challenger)
    assert re.findall(r'scope="rowgroup".*?>(v\d+)<', versions_table(client)) == ["v1", "v2"]
    registry.promote("v2", by="tests", reason="better", force=True)
    registry.register(challenger)
    assert re.findall(r'scope="rowgroup".*?>(v\d+)<', versions_table(client)) == ["v2", "v3", "v1"]


def test_each_figure_of_a_version_stands_beside_what_it_was_measured_on(client, challenger):
    table = versions_table(client)
    assert "left out in turn" not in table
    for evaluation in (challenger.card.held_out, challenger.card.left_out):
        low, high = evaluation.macro.f1.low, evaluation.macro.f1.high
        figure = f"{evaluation.macro.f1.value:.2f} [{low:.2f}, {high:.2f}]"
        assert re.search(rf"{re.escape(figure)}</td>.*?{evaluation.paragraphs:,} paragraphs: {evaluation.how};", table)


@pytest.mark.parametrize(
    ("how", "short"),
    [
        ("held-out articles", "held-out articles"),
        ("leave sources out, 10 groups of 126 sources", "leave sources out"),
        ("articles left out of fine-tuning, post-stratified", "articles left out of fine-tuning"),
        ("leave articles out, 5 folds (fewer than 6 sources: says little of other sources)", "leave articles out"),
        (f"articles left out of fine-tuning, post-stratified ({OF_THE_BASE}: there are too few)", OF_THE_BASE),
    ],
)
def test_the_legend_of_versions_names_in_a_few_words_what_figures_were_measured_on(challenger, how, short):
    card = replace(challenger.card, version="v1", held_out=None, left_out=replace(challenger.card.left_out, how=how))
    [row] = version_rows({"v1": card})
    assert row["short"] == f"{short}, {card.left_out.paragraphs:,} paragraphs"
    assert len(row["short"]) <= 60
    assert row["how"].startswith(f"{how}; ")
