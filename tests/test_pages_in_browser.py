"""The pages as people use them, in a real browser against a real server with the demonstration's articles."""

import csv
import io
import json
import re
import subprocess
import sys

import pytest

from service.pages.render import TABS
from tests.support.articles import THREE_PARAGRAPHS
from tests.support.browser import needs_chromium, serious_barriers
from tests.support.demonstration import follow, stored
from tests.support.screenshots import large_codebook, settle
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
    **{name: address for tabs in TABS.values() for address, name, _ in tabs[1:]},
}


@pytest.mark.parametrize("address", PAGES.values(), ids=list(PAGES))
@pytest.mark.parametrize("look", ["light", "dark"])
def test_no_page_has_a_serious_barrier(page, address, look):
    page.emulate_media(color_scheme=look)
    page.goto(address)
    settle(page)
    assert serious_barriers(page) == []


def test_an_article_and_a_classified_text_have_no_serious_barrier(page, site):
    page.goto(f"/articles/{stored(site)['id']}")
    page.locator("details.annotate summary").first.click()
    assert serious_barriers(page) == []
    classify(page, THREE_PARAGRAPHS)
    assert serious_barriers(page) == []
    page.emulate_media(color_scheme="dark")
    assert serious_barriers(page) == []


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
    figure.locator(".chart-table summary").click()
    assert figure.locator("tbody tr").count() == len(rows)
    # Months: a week of the demonstration has too few annotations of its own.
    assert page.locator("select[name=period]").input_value() == "month"
    assert {row["correction"] for row in rows} <= {"annotations", "borrowed"}
    own = [row for row in rows if row["correction"] == "annotations"]
    assert len(own) > len(rows) / 2
    csv = site.get(figure.locator("a[download$='.csv']").get_attribute("href"))
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


def show(page):
    follow(page, lambda: page.click(".filters button.primary"))
    settle(page)


def shown_filters(page):
    """What the form says, as its address would."""
    return page.locator("[data-filters]").evaluate("form => [...new FormData(form)].map((pair) => pair.join('='))")


def test_filters_apply_on_demand_are_in_the_address_and_keys_do_not_reload_the_page(page):
    page.goto("/?period=week&shares=raw")
    settle(page)
    address = page.url
    page.focus("select[name=period]")
    for _ in range(2):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowDown")
    assert (page.url, page.evaluate("document.activeElement.name")) == (address, "period")
    assert page.locator("[data-unapplied]").inner_text() == "Not applied yet."
    outlets = page.locator("[data-picker]").first
    outlets.locator("summary").press("Enter")
    outlets.get_by_label("Valley Times").press("Space")
    outlets.get_by_label("Harbour Post").check()
    page.keyboard.press("Escape")
    assert not outlets.locator(".picker-list").is_visible()
    assert re.fullmatch(r"2 of \d", outlets.locator("summary").inner_text().strip())
    page.select_option("select[name=operating_point]", "high_recall")
    assert page.url == address
    show(page)
    parts = ("period=month", "outlet=Harbour+Post", "outlet=Valley+Times", "operating_point=high_recall")
    assert all(part in page.url for part in parts)
    assert "from=" not in page.url
    assert page.locator("[data-unapplied]").inner_text() == ""
    source = page.locator('[data-chart="prevalence"]').get_attribute("data-source")
    assert all(part in source for part in ("by=month", "correct=false", *parts[1:]))
    outlets_of_list = {line.split(" · ")[0] for line in page.locator(".articles li > p.faint").all_inner_texts()}
    assert outlets_of_list == {"Harbour Post", "Valley Times"}


def test_the_back_button_brings_filters_back_that_say_what_the_charts_show(page):
    page.goto("/?period=month&shares=raw")
    settle(page)
    before = shown_filters(page)
    page.select_option("select[name=period]", "day")
    page.check("input[name=shares][value=corrected]")
    page.select_option("select[name=operating_point]", "high_precision")
    page.locator("[data-picker] summary").first.click()
    page.locator("[data-picker]").first.get_by_label("Valley Times").check()
    page.keyboard.press("Escape")
    show(page)
    applied = shown_filters(page)
    assert applied != before
    page.select_option("select[name=period]", "week")  # and then the reader leaves without applying it
    follow(page, lambda: page.click("nav >> text=Codebook"))
    for expected, part in ((applied, "period=day"), (before, "period=month")):
        page.go_back()
        settle(page)
        assert part in page.url
        assert shown_filters(page) == expected
        assert page.locator("[data-unapplied]").inner_text() == ""
    source = page.locator('[data-chart="prevalence"]').get_attribute("data-source")
    assert "by=month" in source
    assert "correct=false" in source


@pytest.mark.parametrize("unit", ["paragraph", "article"])
def test_what_the_dashboard_shows_at_an_operating_point_is_what_it_exports(page, site, unit):
    page.goto(f"/?operating_point=high_precision&shares=raw&period=month&unit={unit}")
    settle(page)
    page.locator("[data-figures][data-drawn=true]").wait_for()
    stored = site.get(f"/v1/prevalence?by=&correct=false&unit={unit}").json()["rows"]
    for name in ("prevalence", "outlets"):
        figure = page.locator(f'[data-chart="{name}"]')
        answer = site.get(figure.get_attribute("data-source")).json()
        assert answer["operating_point"] == "high_precision"
        figure.locator(".chart-table summary").click()
        shown = [float(row.split("\t")[2].removesuffix("%")) for row in figure.locator("tbody tr").all_inner_texts()]
        assert shown == pytest.approx([100 * row["raw_share"] for row in answer["rows"]], abs=0.051)
        exported = csv.DictReader(
            io.StringIO(site.get(figure.locator("a[download$='.csv']").get_attribute("href")).text)
        )
        assert [(float(row["raw_share"]), row["operating_point"]) for row in exported] == [
            (row["raw_share"], "high_precision") for row in answer["rows"]
        ]
        assert sum(row["count"] for row in answer["rows"]) < sum(row["count"] for row in stored)
    cards = page.locator("[data-figures] .card:has(.swatch) .value").all_inner_texts()
    whole = site.get(page.locator("[data-figures]").get_attribute("data-figures")).json()["rows"]
    shares = [float(card.removesuffix("%")) for card in cards]
    assert shares == pytest.approx([100 * row["raw_share"] for row in whole], abs=0.051)
    profile = site.get(page.locator('[data-chart="pairs"]').get_attribute("data-source")).json()
    assert (profile["unit"], profile["operating_point"]) == (unit, "high_precision")
    pairs = page.locator('[data-chart="pairs"]')
    assert f"Frames in the same {unit}" in pairs.inner_text()
    pairs.locator(".chart-table summary").click()
    assert [cell.strip() for cell in pairs.locator("thead th").all_inner_texts()][2] == f"{unit.capitalize()}s"
    counts = [int(row.split("\t")[2]) for row in pairs.locator("tbody tr").all_inner_texts()]
    assert sorted(counts) == sorted(2 * [pair["count"] for pair in profile["pairs"]])


def test_figures_that_cannot_be_fetched_can_be_tried_again(page):
    page.expected = ["503"]
    answers = iter([True])

    def refuse_once(route):
        busy = {"detail": "Too many requests are in progress."}
        route.fulfill(status=503, json=busy) if next(answers, False) else route.continue_()

    page.route(re.compile(r"/v1/prevalence\?(?!.*correct=false).*by=($|&)"), refuse_once)
    page.goto("/")
    figures = page.locator("[data-figures]")
    figures.get_by_role("button", name="Try again").click()
    page.locator("[data-figures][data-drawn=true]").wait_for()
    assert figures.locator(".card").count() == 6
    assert "95% intervals" in figures.inner_text()


def test_a_chart_that_gets_no_data_shows_the_reason(page):
    page.expected = ["503"]
    page.route("**/v1/profile*", lambda route: route.fulfill(status=503, json={"detail": "The database is away."}))
    page.goto("/")
    settle(page)
    figure = page.locator('[data-chart="pairs"]')
    assert figure.locator(".chart-note").inner_text() == "This chart cannot be shown: The database is away."
    page.unroute("**/v1/profile*")
    figure.get_by_role("button", name="Try again").click()
    page.locator('[data-chart="pairs"][data-drawn="true"]').wait_for()
    assert figure.locator(".problem").count() == 0
    assert not figure.get_by_role("button", name="Try again").is_visible()


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
    page.locator("[data-picker] summary").first.click()
    page.locator("[data-picker]").first.get_by_label(article["outlet"]).check()
    follow(page, lambda: page.press("input[name=q]", "Enter"))
    follow(page, lambda: page.locator(f"a[href='/articles/{article['id']}']").click())
    assert page.locator("h1").inner_text() == article["title"]
    section = page.locator("#paragraph-1")
    section.locator("summary").click()
    section.locator("input[name=coder]").fill("Ilara")
    section.locator("select[name=grievance_driven]").select_option("contested")
    section.locator("input[name=note]").fill("a denial")
    section.locator("[data-annotate] button").click()
    section.locator("text=Saved.").wait_for()
    assert "Ilara: Grievance-driven · contested" in section.locator(".annotations").inner_text()
    stored_annotations = site.get(f"/v1/annotations?coder=Ilara&article_id={article['id']}").json()["annotations"]
    assert [(a["paragraph"], a["frames"], a["note"]) for a in stored_annotations] == [
        (1, {"grievance_driven": "contested"}, "a denial")
    ]
    page.reload()
    assert "Ilara" in page.locator("#paragraph-1 .annotations").inner_text()


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


def test_a_term_is_explained_with_the_keyboard_alone(page):
    page.goto("/codebook")
    button = page.locator("button.explained").first
    explanation = page.locator(f"#{button.get_attribute('popovertarget')}")
    assert not explanation.is_visible()
    button.focus()
    page.keyboard.press("Enter")
    assert explanation.is_visible()
    assert "Krippendorff" in explanation.inner_text()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('[popover]') !== null")
    page.keyboard.press("Escape")
    assert not explanation.is_visible()
    assert page.evaluate("document.activeElement.classList.contains('explained')")


def test_the_log_of_actions_has_the_whole_width_and_is_not_cut_off(page, site):
    for number in range(12):
        article = site.post(
            "/v1/articles", json={"text": f"{THREE_PARAGRAPHS} {number}", "outlet": "Outlet " * 9}
        ).json()
        site.delete(f"/v1/articles/{article['id']}")
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto("/audit")
    assert page.locator("tbody tr").count() >= 24
    box = page.locator(".scroll")
    assert box.bounding_box()["width"] > 1100
    assert box.evaluate("box => box.scrollHeight <= box.clientHeight + 1 && box.scrollWidth <= box.clientWidth")


def test_pages_are_printed_black_on_white_without_controls_and_whole(page):
    cut = "[...document.querySelectorAll('.scroll')].filter((box) => box.scrollHeight > box.clientHeight + 1).length"
    page.emulate_media(media="print", color_scheme="dark")
    for address in ("/", "/articles", "/codebook", "/models", "/audit"):
        page.goto(address)
        settle(page)
        background = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        assert background == "rgb(255, 255, 255)", address
        for control in ("header nav", "form.filters", "main button:not(.legend-entry)", "a.button"):
            assert page.locator(f"{control}:visible").count() == 0, (address, control)
        assert page.evaluate(cut) == 0, address
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), address


def the_most_frequent_frames_have_a_panel_each(page):
    figure = page.locator('[data-chart="prevalence"]')
    assert figure.locator("[data-panels]").get_attribute("aria-pressed") == "true"
    assert figure.locator("tbody tr").count() == 12
    assert figure.locator(".chart-of-legend").is_hidden()  # there is no legend to click in
    assert "has no stances" in page.locator(".no-stances").inner_text()
    # A column for each of the twelve is wide enough for its figure; the table scrolls by itself.
    assert page.locator('[data-chart="pairs"] canvas').bounding_box()["width"] > 12 * 34
    assert figure.locator("[data-every]").inner_text() == "All 50 frames"
    height = figure.locator("canvas").bounding_box()["height"]
    figure.locator("[data-every]").click()
    page.wait_for_function(f"document.querySelector('[data-chart=prevalence] canvas').clientHeight > {3 * height}")
    assert figure.locator("tbody tr").count() == 50


def test_fifty_frames_with_long_names_fit_every_page(browser, tmp_path):
    corpus, codebook = large_codebook(tmp_path, 50)
    settings = {"codebook": str(codebook), "corpus": str(corpus)}
    command = [sys.executable, "-m", "service.cli", "train"]
    subprocess.run(command, env=environment(data_dir=tmp_path / "data", **settings), check=True, capture_output=True)
    with running_server(tmp_path / "data", **settings) as (client, _):
        article = client.post("/v1/articles", json={"text": THREE_PARAGRAPHS, "outlet": "Outlet " * 20}).json()
        context = browser.new_context(base_url=str(client.base_url), viewport={"width": 360, "height": 740})
        page = context.new_page()
        warnings = []
        page.on("console", lambda message: warnings.append(message.text))
        for address in (*PAGES.values(), f"/articles/{article['id']}"):
            page.goto(address)
            settle(page)
            assert page.evaluate("document.documentElement.scrollWidth") <= 360, address
            if address == "/":
                the_most_frequent_frames_have_a_panel_each(page)
        assert warnings == []  # Vega warns of what it cannot draw
        assert page.locator(".chips .chip.absent:visible").count() == 0
        page.check("[data-show-absent]")
        assert page.locator(".chips .chip.absent:visible").count() > 0
        frames_of_the_keyboard(page)
        [annotation] = client.get("/v1/annotations?coder=phone").json()["annotations"]
        assert annotation["frames"] == {f"frame_{number}": "advanced" for number in (0, 9, 10, 25, 40)}
        context.close()


def frames_of_the_keyboard(page):
    """Annotates with keys of the digits and of letters, and with a frame that has no key."""
    page.goto("/coding?coder=phone")
    page.locator("[data-text]", has_not_text="Loading").wait_for()
    # The frames lie far below the paragraph, and the bar with the buttons stays in reach.
    for choice in ("first", "last"):
        getattr(page.locator(".frame-button"), choice).scroll_into_view_if_needed()
        assert 0 < page.locator("[data-save]").bounding_box()["y"] < 740 - 40
    for key in ("1", "0", "b", "Z", "/"):
        page.keyboard.press(key)
    page.keyboard.type("number 40")
    assert page.locator(".match .name").inner_text().endswith("number 40")
    page.keyboard.press("Enter")
    with page.expect_response("**/v1/annotations"):
        page.keyboard.press("Enter")
