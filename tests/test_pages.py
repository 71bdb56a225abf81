"""The pages without a browser: addresses, headers, errors, and what every page must not do."""

import re
from dataclasses import replace

import pytest
from starlette.testclient import TestClient

from labels.annotations import DEFAULT_CORPUS
from service.app import create_app
from service.pages.charts import charts
from service.pages.models import version_rows
from service.pages.palette import shades_of
from service.settings import Settings
from tests.support.articles import THREE_PARAGRAPHS
from training.evaluation import OF_THE_BASE

PAGES = [
    "/",
    "/classify",
    "/articles",
    "/coding",
    "/coding?coder=mira",
    "/coding/assignments",
    "/coding/desk",
    "/coding/disagreements",
    "/models",
    "/codebook",
    "/audit",
    "/sign-in",
]


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
    # A link may lead to a document of the project; nothing is loaded from there.
    assert not re.findall(r"<(?!a\b)[^>]*(?:src|href)=\"https?://", answer.text)


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
        assert "train one with <code>framing train</code>" in answer.text
        assert '<a href="/models">' in answer.text


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
    empty = "from=&to=&outlet=&frame=&operating_point="
    assert stored["id"] in client.get(f"/articles?q=&decision=&about=&{empty}").text
    assert stored["id"] in client.get(f"/?period=week&population=&{empty}").text


def test_the_dashboard_says_what_to_do_where_there_is_nothing_to_draw(client, client_without_model):
    without_model = client_without_model.get("/").text
    assert "No model has been trained yet" in without_model
    assert "framing train" in without_model
    empty = client.get("/").text
    assert "No article is stored yet" in empty
    assert "framing ingest" in empty
    for page in (without_model, empty):
        assert "<form" not in page
        assert 'class="chart"' not in page


def test_filters_that_no_article_passes_are_answered_with_the_days_there_are(client, stored):
    page = client.get("/?from=2020-01-01&to=2020-12-31&outlet=Courier").text
    assert "No stored article passes these filters" in page
    assert "from 2 March 2026 to 2 March 2026" in page
    assert '<a href="/">show all articles</a>' in page
    assert 'name="from" value="2020-01-01"' in page
    assert 'class="chart"' not in page


@pytest.mark.parametrize("page", ["/", "/articles"])
@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"from": "2026-03-02", "to": "2026-03-01"}, "The last day, 1 March 2026, is before the first, 2 March 2026"),
        ({"frame": "sport"}, "no frame “sport”"),
    ],
)
def test_filters_that_cannot_be_used_are_answered_in_the_form(client, stored, page, parameters, sentence):
    answer = client.get(page, params=parameters)
    assert answer.status_code == 422
    alert = re.search(r'role="alert" id="faults">(.*?)</div>', answer.text, re.DOTALL).group(1)
    assert sentence in alert
    assert 'name="to"' in answer.text
    assert ('aria-invalid="true" aria-describedby="faults"' in answer.text) == ("to" in parameters)
    assert stored["id"] not in answer.text
    assert 'class="chart"' not in answer.text


def test_every_filter_of_the_dashboard_reaches_its_charts_its_exports_and_its_lists(client, stored):
    chosen = "from=2026-03-01&to=2026-03-31&outlet=Courier&outlet=Valley+Times"
    frames = "frame=foreign_hand&frame=grievance_driven"
    others = "operating_point=high_recall&dedup=true&unit=article&shares=raw&period=day"
    page = client.get(f"/?{chosen}&{frames}&{others}").text.replace("&amp;", "&")
    sources = re.findall(r'data-source="([^"]+)"', page) + re.findall(r'data-figures="([^"]+)"', page)
    downloads = re.findall(r'href="(/v1/[^"]+)" download', page)  # three charts as CSV, four as JSON, and the scores
    assert (len(sources), len(downloads)) == (5, 8)
    parts = ["from=2026-03-01", "to=2026-03-31", "outlet=Courier&outlet=Valley+Times", "operating_point=high_recall"]
    for address in (*sources, *downloads):
        assert all(part in address for part in (*parts, "dedup=true")), address
        assert (frames in address) == ("/v1/profile" not in address)
        assert client.get(address).status_code == 200
    assert f'href="/articles/{stored["id"]}?operating_point=high_recall"' in page
    of_these = re.search(r'href="(/articles\?[^"]+)">All of these articles', page).group(1)
    assert all(part in of_these for part in (*parts, "dedup=true", frames))
    assert stored["id"] in client.get(of_these).text


def test_with_articles_counted_every_title_says_articles(client, stored):
    page = client.get("/?unit=article&shares=raw").text
    assert "Frames in the same article" in page
    assert "Share of articles that carry both frames" in page
    assert "Frames in the same paragraph" in client.get("/?shares=raw").text


def test_an_outlet_that_the_address_chose_is_ticked_though_no_article_has_it(client, stored):
    page = client.get("/articles?outlet=Nowhere&outlet=Courier").text
    for outlet in ("Nowhere", "Courier"):
        assert f'name="outlet" value="{outlet}" checked' in page


def test_a_search_without_results_offers_to_leave_out_each_of_its_filters(client, stored):
    page = client.get("/articles?q=mayor+zeppelin&outlet=Courier&decision=present").text.replace("&amp;", "&")
    assert "No stored article matches" in page
    assert "all of the words" in page
    assert '<a href="/articles?outlet=Courier&decision=present">without the words</a>' in page
    assert '<a href="/articles?q=mayor+zeppelin&decision=present">from all outlets</a>' in page
    assert stored["id"] in client.get("/articles?outlet=Courier").text


def test_decisions_of_the_list_are_those_of_the_point_in_the_address(client, corpus, codebook):
    bodies = [{"paragraphs": [paragraph.text], "force_language": "en"} for paragraph in corpus[:12]]
    for number, body in enumerate(bodies):
        client.post("/v1/articles", json={**body, "published_at": f"2026-03-{number + 1:02}"})
    listed = {}
    for point in ("high_precision", "balanced", "high_recall"):
        page = client.get("/articles", params={"operating_point": point}).text
        listed[point] = re.findall(r'<span class="tag frame-\d+">([^<]+)</span>', page)
        answers = [client.post("/v1/classify", json={**body, "operating_point": point}).json() for body in bodies]
        assert listed[point] == [
            frame.title
            for answer in reversed(answers)
            for frame in codebook.frames
            if answer["article"]["frames"][frame.key]["decision"] == "present"
        ]
    assert len(listed["high_precision"]) < len(listed["balanced"]) < len(listed["high_recall"])


def test_articles_are_filtered_by_words_and_frames(client, stored):
    assert stored["id"] in client.get("/articles?q=mayor&frame=foreign_hand").text
    assert "No stored article matches" in client.get("/articles?q=zeppelin").text


def test_older_articles_are_a_link_away(client):
    for number in range(26):
        client.post("/v1/articles", json={"text": f"{THREE_PARAGRAPHS}\n\nEdition {number}.", "title": f"No {number}"})
    first = client.get("/articles?from=2020-01-01").text
    older = re.search(r'rel="next" href="([^"]+)"', first).group(1).replace("&amp;", "&")
    last = client.get(older).text
    assert last.count('<li><a href="/articles/') == 1
    assert '<a href="/articles?from=2020-01-01">Back to the newest</a>' in last


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
    for place, (shades, frame) in enumerate(
        zip(shades_of(tuple(codebook.colours.values())), codebook.frames, strict=True)
    ):
        assert shades.on_light == frame.colour
        assert f".frame-{place}{{--frame:light-dark({shades.on_light},{shades.on_dark})}}\n" in styles
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
