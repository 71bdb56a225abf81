"""The pages as people use them, in a real browser against a real server with the demonstration's articles."""

import json
import re
import subprocess
import sys

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.support.articles import THREE_PARAGRAPHS
from tests.support.browser import needs_chromium
from tests.support.demonstration import follow, stored
from tests.support.screenshots import fifty_frames, settle
from tests.support.servers import environment, running_server

pytestmark = needs_chromium

PAGES = {
    "dashboard": "/",
    "raw shares of articles": "/?shares=raw&unit=article&period=month",
    "try it": "/classify",
    "articles": "/articles",
    "no matching articles": "/articles?q=zeppelin",
    "coding": "/coding?coder=axel",
    "coding without a name": "/coding",
    "models": "/models",
    "codebook": "/codebook",
    "log of actions": "/audit",
    "sign in": "/sign-in",
}


@pytest.mark.parametrize("address", PAGES.values(), ids=list(PAGES))
@pytest.mark.parametrize("look", ["light", "dark"])
def test_no_page_has_a_serious_barrier(page, address, look):
    page.emulate_media(color_scheme=look)
    page.goto(address)
    settle(page)
    assert serious(page) == []


def test_an_article_and_a_classified_text_have_no_serious_barrier(page, site):
    page.goto(f"/articles/{stored(site)['id']}")
    page.locator("details.annotate summary").first.click()
    assert serious(page) == []
    classify(page, THREE_PARAGRAPHS)
    assert serious(page) == []
    page.emulate_media(color_scheme="dark")
    assert serious(page) == []


def serious(page):
    violations = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    return [
        f"{v['id']}: {node['html'][:200]}"
        for v in violations
        if v["impact"] in ("serious", "critical")
        for node in v["nodes"]
    ]


@pytest.mark.parametrize("address", [*PAGES.values(), "article"])
def test_every_page_fits_a_phone(page, site, address):
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(f"/articles/{stored(site)['id']}" if address == "article" else address)
    settle(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_the_first_key_leads_past_the_navigation(page):
    page.goto("/articles")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def test_the_dashboard_draws_its_charts_and_offers_their_data(page, site):
    page.goto("/")
    settle(page)
    charts = page.locator(".chart")
    assert charts.count() == 4
    assert [charts.nth(n).get_attribute("data-drawn") for n in range(3)] == ["true"] * 3
    assert page.locator(".chart canvas").count() == 4
    figure = page.locator('[data-chart="prevalence"]')
    rows = site.get(figure.get_attribute("data-source")).json()["rows"]
    figure.locator("summary").click()
    assert figure.locator("tbody tr").count() == len(rows)
    # Months: a week of the demonstration has too few annotations of its own.
    assert page.locator("select[name=period]").input_value() == "month"
    assert {row["correction"] for row in rows} <= {"annotations", "borrowed"}
    own = [row for row in rows if row["correction"] == "annotations"]
    assert len(own) > len(rows) / 2
    csv = site.get(figure.locator("a[download]").get_attribute("href"))
    assert csv.text.count("\r\n") == len(rows) + 1
    for kind, start in (("png", b"\x89PNG"), ("svg", b"<svg")):
        with page.expect_download() as download:
            figure.locator(f"[data-save={kind}]").click()
        assert download.value.path().read_bytes().startswith(start)


@pytest.mark.parametrize(
    "address", ["/?shares=raw", "/?unit=article&shares=raw", "/?frame=foreign_hand&period=day", "/models"]
)
def test_every_chart_of_every_choice_is_drawn(page, address):
    page.goto(address)
    settle(page)
    assert {chart.get_attribute("data-drawn") for chart in page.locator(".chart").all()} == {"true"}


def test_every_chart_offers_its_rows_as_csv(page, site):
    page.goto("/")
    settle(page)
    figure = page.locator('[data-chart="pairs"]')
    with page.expect_download() as download:
        figure.locator("[data-save=csv]").click()
    lines = download.value.path().read_text(encoding="utf-8").splitlines()
    pairs = site.get(figure.get_attribute("data-source")).json()["pairs"]
    assert lines[0] == '"Frame","With","Paragraphs","Share"'
    assert len(lines) == 1 + 2 * len(pairs)
    assert sorted(float(line.rpartition(",")[2]) for line in lines[1::2]) == sorted(pair["share"] for pair in pairs)
    page.goto("/models")
    settle(page)
    with page.expect_download() as download:
        page.locator('[data-chart="versions"] [data-save=csv]').click()
    table = download.value.path().read_text(encoding="utf-8")
    assert table.startswith('"Version","Measured on","Macro F1"')
    assert '"v1","held-out articles, ' in table


def test_filters_of_the_dashboard_are_in_its_address(page):
    page.goto("/")
    page.select_option("select[name=period]", "month")
    page.wait_for_url("**/?period=month*")
    page.check("input[name=shares][value=raw]")
    page.wait_for_url("**shares=raw*")
    page.select_option("select[name=outlet]", "Valley Times")
    page.wait_for_url("**outlet=Valley+Times*")
    settle(page)
    source = page.locator('[data-chart="prevalence"]').get_attribute("data-source")
    assert all(part in source for part in ("by=month", "correct=false", "outlet=Valley+Times"))
    assert set(page.locator(".articles li > p.faint").all_inner_texts()[0].split(" · ")) >= {"Valley Times"}
    page.go_back()
    page.wait_for_url(re.compile("shares=raw(?!.*outlet=Valley)"))


def test_a_chart_that_gets_no_data_shows_the_reason(page):
    page.expected = ["503"]
    page.route("**/v1/profile*", lambda route: route.fulfill(status=503, json={"detail": "The database is away."}))
    page.goto("/")
    settle(page)
    note = page.locator('[data-chart="pairs"] .chart-note')
    assert note.inner_text() == "This chart cannot be shown: The database is away."


def classify(page, text):
    page.goto("/classify")
    page.fill("textarea", text)
    follow(page, lambda: page.click("button.primary"))


def decisions(page):
    return {
        (int(section.get_attribute("data-paragraph")), chip.get_attribute("data-frame")): chip.locator(
            ".decision"
        ).text_content()
        for section in page.locator(".paragraph").all()
        for chip in section.locator(".chip").all()
    }


def test_a_pasted_text_is_shaded_underlined_and_decided_again_at_another_operating_point(page, site):
    text = (
        "\n\n".join(p for p in THREE_PARAGRAPHS.split("\n\n")) + "\n\nCritics blamed the prime minister for the raid."
    )
    classify(page, text)
    assert page.locator(".paragraph.shaded").count() >= 2
    underlined = page.locator("#paragraph-0 .evidence:not(.quiet)")
    assert "ignored" in underlined.all_inner_texts()
    assert "Blame on leadership +" in underlined.first.get_attribute("title")
    for point in ("high_precision", "high_recall", "balanced"):
        page.check(f"input[name=operating_point][value={point}]")
        answer = site.post("/v1/classify", json={"text": text, "operating_point": point}).json()
        assert decisions(page) == {
            (p["index"], key): frame["decision"] for p in answer["paragraphs"] for key, frame in p["frames"].items()
        }
        summary = page.locator("[data-summary] .chip").all()
        assert {c.get_attribute("data-frame"): c.locator(".decision").text_content() for c in summary} == {
            key: frame["decision"] for key, frame in answer["article"]["frames"].items()
        }
    with page.expect_download() as download:
        page.click("[data-export]")
    exported = json.loads(download.value.path().read_text(encoding="utf-8"))
    assert exported["paragraphs"] == answer["paragraphs"]


def test_a_file_is_classified_and_an_empty_form_is_answered_beside_the_field(page, tmp_path):
    page.expected = ["422"]
    path = tmp_path / "article.html"
    path.write_text("".join(f"<p>{p}</p>" for p in THREE_PARAGRAPHS.split("\n\n")), encoding="utf-8")
    page.goto("/classify")
    page.set_input_files("input[type=file]", path)
    follow(page, lambda: page.click("button.primary"))
    assert page.locator(".paragraph").count() == 3
    classify(page, "")
    assert page.locator("[role=alert]").inner_text() == "The text is empty."
    assert page.locator("textarea").get_attribute("aria-invalid") == "true"


def test_an_article_is_searched_read_and_corrected_in_place(page, site):
    article = stored(site, 3)
    page.goto("/articles")
    page.fill("input[name=q]", article["title"].split()[0])
    page.select_option("select[name=outlet]", article["outlet"])
    follow(page, lambda: page.press("input[name=q]", "Enter"))
    follow(page, lambda: page.locator(f"a[href='/articles/{article['id']}']").click())
    assert page.locator("h1").inner_text() == article["title"]
    section = page.locator("#paragraph-1")
    section.locator("summary").click()
    section.locator("input[name=coder]").fill("Ilara")
    section.locator("select[name=grievance_driven]").select_option("contested")
    section.locator("input[name=note]").fill("a denial")
    section.locator("button").click()
    section.locator("text=Saved.").wait_for()
    assert "Ilara: Grievance-driven · contested" in section.locator(".annotations").inner_text()
    stored_annotations = site.get(f"/v1/annotations?coder=Ilara&article_id={article['id']}").json()["annotations"]
    assert [(a["paragraph"], a["frames"], a["note"]) for a in stored_annotations] == [
        (1, {"grievance_driven": "contested"}, "a denial")
    ]
    page.reload()
    assert "Ilara" in page.locator("#paragraph-1 .annotations").inner_text()


def test_a_challenger_is_trained_promoted_and_rolled_back(browser, data_dir):
    with running_server(data_dir, worker="true") as (client, _):
        client.post("/v1/articles", json={"text": THREE_PARAGRAPHS, "title": "First"})
        page = browser.new_context(base_url=str(client.base_url)).new_page()
        page.goto("/models")
        settle(page)
        page.fill("[data-train] input[name=note]", "from the page")
        page.click("[data-train] button")
        page.locator("[data-run] progress").wait_for()
        page.locator("#v2").wait_for(timeout=90_000)
        assert "Verdict" in page.locator("#v2").inner_text()
        assert "from the page" in page.locator("table.versions").inner_text()
        page.locator(".training-run summary").first.click()
        assert "Decisions that would change in 3 stored paragraphs" in page.locator(".training-run").inner_text()
        page.fill("#v2 input[name=reason]", "better on foreign hand")
        page.fill("#v2 input[name=by]", "mira")
        if page.locator("#v2 input[name=force]").count():
            page.check("#v2 input[name=force]")
        page.click("#v2 form button")
        page.locator("#v2 .badge").wait_for()
        assert client.get("/v1/models").json()["champion"] == "v2"
        page.fill("[data-rollback] input[name=reason]", "misses denials")
        page.fill("[data-rollback] input[name=by]", "mira")
        page.click("[data-rollback] button")
        page.locator("#v1 .badge").wait_for()
        history = client.get("/v1/models/history").json()["promotions"]
        assert [(h["action"], h["by"], h["reason"]) for h in history[:2]] == [
            ("rollback", "mira", "misses denials"),
            ("promote", "mira", "better on foreign hand"),
        ]
        settle(page)
        assert [c.get_attribute("data-drawn") for c in page.locator(".chart").all()] == ["true", "true"]


def test_a_page_cannot_promote_a_version_that_does_not_exist(page, site):
    page.goto("/models")
    page.expected = ["404"]
    problem = page.evaluate(
        """async () => (await fetch("/v1/models/v9/promote", {method: "POST", headers: {"Content-Type":
        "application/json"}, body: JSON.stringify({reason: "x", by: "y"})})).status"""
    )
    assert problem == 404


def test_the_codebook_page_shows_each_frame_in_its_colour(page, codebook):
    page.goto("/codebook")
    swatches = page.locator(".definition .swatch").all()
    assert len(swatches) == len(codebook.frames)
    for frame, swatch in zip(codebook.frames, swatches, strict=True):
        red, green, blue = (int(frame.colour[n : n + 2], 16) for n in (1, 3, 5))
        assert swatch.evaluate("element => getComputedStyle(element).backgroundColor") == f"rgb({red}, {green}, {blue})"


def test_script_in_an_article_is_never_run(page, site):
    attack = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
    body = {"title": attack, "outlet": attack, "author": attack, "text": f"{THREE_PARAGRAPHS}\n\n{attack}"}
    article = site.post("/v1/articles", json={**body, "force_language": "en"}).json()
    annotation = {"coder": attack, "article_id": article["id"], "paragraph": 0, "frames": {}, "note": attack}
    assert site.post("/v1/annotations", json=annotation).status_code == 201
    for address in ("/", "/articles", f"/articles/{article['id']}", "/coding?coder=" + "%3Cscript%3E"):
        page.goto(address)
        settle(page)
        assert "owned" not in page.title() or attack in page.title()
        assert page.locator("main img, main script").count() == 0
    site.delete(f"/v1/articles/{article['id']}")


def test_fifty_frames_with_long_names_fit_every_page(browser, tmp_path):
    corpus, codebook = fifty_frames(tmp_path)
    settings = {"codebook": str(codebook), "corpus": str(corpus)}
    command = [sys.executable, "-m", "service.cli", "train"]
    subprocess.run(command, env=environment(data_dir=tmp_path / "data", **settings), check=True, capture_output=True)
    with running_server(tmp_path / "data", **settings) as (client, _):
        article = client.post("/v1/articles", json={"text": THREE_PARAGRAPHS, "outlet": "Outlet " * 20}).json()
        context = browser.new_context(base_url=str(client.base_url), viewport={"width": 360, "height": 740})
        page = context.new_page()
        for address in (*PAGES.values(), f"/articles/{article['id']}"):
            page.goto(address)
            settle(page)
            assert page.evaluate("document.documentElement.scrollWidth") <= 360, address
        assert page.locator(".chip.absent:visible").count() == 0
        page.check("[data-show-absent]")
        assert page.locator(".chip.absent:visible").count() > 0
        context.close()
