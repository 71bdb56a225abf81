"""An article as its reader uses it: the map, the weights of words, another operating point, and what is copied."""

import json
import re

import pytest

from tests.support.articles import TWO_PARAGRAPHS
from tests.support.browser import needs_chromium, serious_barriers
from tests.support.demonstration import follow
from tests.support.servers import running_server

pytestmark = needs_chromium

BLAME, FOREIGN = TWO_PARAGRAPHS.split("\n\n")
WEATHER = "The market reopened on Monday and the road to the coast was cleared of snow by noon, the mayor reports."
ARTICLE = [BLAME, WEATHER, FOREIGN, WEATHER.replace("Monday", "Friday"), FOREIGN.replace("Officials", "Ministers")]
SUM = re.compile(
    r"The (\d+) words with the largest weights add up to ([+−]\d+\.\d\d); all other words and the starting point of "
    r"the frame to ([+−]\d+\.\d\d). Together these are log-odds of ([+−]\d+\.\d\d), a score of (\d\.\d\d)."
)


@pytest.fixture(scope="module")
def site(trained_folder, tmp_path_factory):
    """A server that has the article and nothing else."""
    import shutil

    data = shutil.copytree(trained_folder.parent, tmp_path_factory.mktemp("reading") / "data")
    with running_server(data) as (client, _):
        client.post("/v1/articles", json={"text": "\n\n".join(ARTICLE), "title": "After the raid"}).raise_for_status()
        yield client


@pytest.fixture
def article(page, site):
    """The page of the article."""
    stored = site.get("/v1/articles").json()["articles"][0]
    page.goto(f"/articles/{stored['id']}")
    return stored


def number(text):
    return float(text.replace("−", "-"))


def test_the_weights_of_words_are_shown_to_keyboard_pointer_and_touch(page, site, article, browser):
    section = page.locator("#paragraph-0")
    panel = section.locator("[data-weighing]")
    section.locator(".paragraph-number").focus()
    page.keyboard.press("Tab")
    first = page.evaluate("document.activeElement.textContent")
    assert panel.inner_text().startswith(f"“{first}” +")
    assert "for Blame on leadership" in panel.inner_text()
    page.keyboard.press("End")
    last = page.evaluate("document.activeElement.textContent")
    assert last != first
    assert panel.inner_text().startswith(f"“{last}” ")
    page.keyboard.press("Enter")
    assert panel.locator(".pointed-at").inner_text().startswith(f"{last} ")
    page.keyboard.press("Escape")
    assert not panel.is_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    chip = section.locator(".chip[data-frame=blame_on_leadership]")
    assert chip.get_attribute("aria-expanded") == "true"
    count, words, rest, log_odds, score = SUM.search(panel.inner_text()).groups()
    items = panel.locator("li")
    assert items.count() == int(count)
    shown = [number(item.locator(".number").inner_text()) for item in items.all()]
    assert sum(shown) == pytest.approx(number(words), abs=1e-9)
    assert number(words) + number(rest) == pytest.approx(number(log_odds), abs=1e-9)
    stored = site.get(f"/v1/articles/{article['id']}").json()["paragraphs"][0]["frames"]["blame_on_leadership"]
    assert [round(span["weight"], 2) for span in stored["evidence"]] == shown
    assert f"{stored['score']:.2f}" == score
    chip.click()
    assert not panel.is_visible()
    section.locator(".evidence[role]").first.click()
    assert SUM.search(panel.inner_text())
    phone = browser.new_context(base_url=str(site.base_url), viewport={"width": 390, "height": 800}, has_touch=True)
    touched = phone.new_page()
    touched.goto(f"/articles/{article['id']}")
    touched.locator("#paragraph-2 .evidence[role]").first.tap()
    assert "Foreign hand" in touched.locator("#paragraph-2 [data-weighing]").inner_text()
    assert touched.evaluate("document.documentElement.scrollWidth") <= 390
    phone.close()


def test_function_words_are_drawn_faintly_and_count_in_the_sum(page, site):
    page.goto("/classify")
    # Words that hold a sentence together, so that some are among those with the largest weights.
    page.fill("textarea", f"{BLAME} It is of the and to them that they were there because of it.")
    follow(page, lambda: page.click("button.primary"))
    page.locator("#paragraph-0 .chip[data-frame=blame_on_leadership]").click()
    panel = page.locator("#paragraph-0 [data-weighing]")
    shown = panel.locator("li").all()
    faint = panel.locator("li.function").all()
    words = {item.evaluate("item => item.firstChild.textContent.trim().toLowerCase()") for item in faint}
    assert words
    assert words <= set(json.loads(page.locator("#function-words").text_content()))
    total = sum(number(item.locator(".number").inner_text()) for item in shown)
    assert number(SUM.search(panel.inner_text()).group(2)) == pytest.approx(total, abs=1e-9)
    drawn = page.locator("#paragraph-0 .evidence.function")
    plain = page.locator("#paragraph-0 .evidence:not(.function, .quiet)")
    thickness = "mark => parseFloat(getComputedStyle(mark).textDecorationThickness)"
    assert drawn.count()
    assert drawn.first.evaluate(thickness) < plain.first.evaluate(thickness)


def visible_chips(page, place):
    return page.locator(f"#paragraph-{place} .chip:visible").evaluate_all("chips => chips.map(c => c.dataset.frame)")


def decided(paragraph, *decisions):
    return [key for key, frame in paragraph["frames"].items() if frame["decision"] in decisions]


def test_the_map_leads_to_paragraphs_shows_those_of_a_frame_alone_and_moves_among_them(page, site, article):
    paragraphs = site.get(f"/v1/articles/{article['id']}").json()["paragraphs"]
    for place, paragraph in enumerate(paragraphs):
        assert sorted(visible_chips(page, place)) == sorted(decided(paragraph, "present", "uncertain"))
    page.check("[data-show-absent]")
    assert len(visible_chips(page, 1)) == len(paragraphs[1]["frames"])
    page.uncheck("[data-show-absent]")
    row = page.locator("[data-row=foreign_hand]")
    assert row.locator(".cells li").evaluate_all("cells => cells.map(c => c.className)") == [
        paragraph["frames"]["foreign_hand"]["decision"] for paragraph in paragraphs
    ]
    places = [p["index"] for p in paragraphs if "foreign_hand" in decided(p, "present", "uncertain")]
    assert {2, 4} <= set(places)
    row.locator(".cells a").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == f"paragraph-{places[1]}"
    row.locator(".chip").focus()
    page.keyboard.press("Enter")
    assert row.locator(".chip").get_attribute("aria-pressed") == "true"
    others = set(range(5)) - set(places)
    shown_alone = page.locator(".paragraph:not(.other)").evaluate_all("s => s.map(x => Number(x.dataset.paragraph))")
    assert shown_alone == places
    for place in others:
        assert page.locator(f"#paragraph-{place}").bounding_box()["height"] < 60
        assert not page.locator(f"#paragraph-{place} .chips").is_visible()
    bar = page.locator("[data-moving]")
    assert bar.inner_text().startswith(f"Foreign hand in {len(places)} paragraphs")
    for step in range(len(places) + 1):  # after the last comes the first
        page.keyboard.press("n")
        assert page.evaluate("document.activeElement.id") == f"paragraph-{places[step % len(places)]}"
    page.keyboard.press("p")
    assert f"{len(places)} of {len(places)}" in bar.inner_text()
    bar.locator("[data-previous]").click()
    assert page.evaluate("document.activeElement.id") == f"paragraph-{places[-2]}"
    for look in ("light", "dark"):
        page.emulate_media(color_scheme=look)
        page.locator("#paragraph-2 .chip:visible").first.click()
        assert serious_barriers(page) == []
    page.keyboard.press("Escape")  # the weights
    page.keyboard.press("Escape")  # the filter
    assert not bar.is_visible()
    assert page.locator(".paragraph.other").count() == 0
    page.set_viewport_size({"width": 390, "height": 800})
    row.locator(".chip").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert bar.evaluate("bar => bar.getBoundingClientRect().bottom <= innerHeight")


def test_copied_paragraphs_are_their_text_alone(page, context, article):
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator("#paragraph-0 .chip:visible").first.click()  # the weights are open
    page.evaluate(
        """() => getSelection().setBaseAndExtent(
        document.querySelector("#paragraph-0 .words"), 0, document.querySelector("#paragraph-3"), 0)"""
    )
    page.keyboard.press("Control+c")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert [line for line in copied.splitlines() if line.strip()] == ARTICLE[:3]


def test_another_operating_point_is_in_the_address_with_stances_and_evidence_and_is_what_is_exported(
    page, site, article
):
    page.check("input[name=operating_point][value=high_recall]")
    page.wait_for_url("**operating_point=high_recall")
    body = {"paragraphs": ARTICLE, "operating_point": "high_recall"}
    answer = site.post("/v1/classify", json=body).json()
    with page.expect_download() as download:
        page.click("[data-export]")
    exported = json.loads(download.value.path().read_text(encoding="utf-8"))
    assert (exported["id"], exported["operating_point"]) == (article["id"], "high_recall")
    assert exported["article"] == answer["article"]
    for paragraph, expected in zip(exported["paragraphs"], answer["paragraphs"], strict=True):
        section = page.locator(f"#paragraph-{expected['index']}")
        for key, frame in expected["frames"].items():
            here = paragraph["frames"][key]
            assert {**here, "evidence": []} == {**frame, "evidence": []}
            assert [span["weight"] for span in here["evidence"]] == [span["weight"] for span in frame["evidence"]]
            chip = section.locator(f".chip[data-frame={key}]")
            assert chip.locator(".decision").text_content() == frame["decision"]
            if "stance" in frame:
                assert chip.locator(".stance").inner_text() == frame["stance"]
        is_evidence = any(
            span["weight"] > 0
            for key in decided(expected, "present", "uncertain")
            for span in expected["frames"][key]["evidence"]
        )
        assert (section.locator(".evidence:not(.quiet)").count() > 0) == is_evidence
    page.reload()
    assert page.locator("input[value=high_recall]").is_checked()
    decisions = page.locator("#paragraph-1 .chip .decision").all_text_contents()
    assert decisions == [frame["decision"] for frame in answer["paragraphs"][1]["frames"].values()]


def test_a_new_annotation_looks_as_it_does_after_a_reload(page, article):
    section = page.locator("#paragraph-2")
    section.locator("details summary").click()
    section.locator("input[name=coder]").fill("ann")
    section.locator("select[name=foreign_hand]").select_option("contested")
    section.locator("select[name=militarized_response]").select_option("reported")
    section.locator("input[name=note]").fill("a denial")
    section.locator("input[name=unsure]").check()
    section.get_by_role("button", name="Save annotation").click()
    section.locator("text=Saved.").wait_for()
    line = section.locator(".annotations li")
    new = (" ".join(line.inner_text().split()), line.locator(".tag").evaluate_all("tags => tags.map(t => t.className)"))
    assert "ann (unsure): Foreign hand · contested Militarized response · reported" in new[0]
    assert new[1] == ["tag frame-1", "tag frame-3"]
    section.locator("select[name=militarized_response]").select_option("")
    section.get_by_role("button", name="Save annotation").click()
    line.filter(has_not_text="Militarized").wait_for()
    assert line.count() == 1
    section.locator("select[name=militarized_response]").select_option("reported")
    section.get_by_role("button", name="Save annotation").click()
    line.filter(has_text="Militarized").wait_for()
    page.reload()
    again = (
        " ".join(line.inner_text().split()),
        line.locator(".tag").evaluate_all("tags => tags.map(t => t.className)"),
    )
    assert again == new


def test_a_language_has_its_name_and_a_pasted_page_is_read(page):
    page.goto("/classify")
    languages = page.locator("select[name=force_language] option").all_inner_texts()
    assert languages[0] == "recognised"
    assert "German (de)" in languages
    assert languages[1:] == sorted(languages[1:], key=str.casefold)
    page.fill("textarea", "".join(f"<p>{text}</p>" for text in ARTICLE))
    follow(page, lambda: page.click("button.primary"))
    assert [text.strip() for text in page.locator(".words").all_inner_texts()] == ARTICLE
    assert "language English (en) · 5 paragraphs" in page.locator(".result").inner_text()
    page.check("input[name=operating_point][value=high_precision]")
    follow(page, lambda: page.click("button.primary"))
    assert page.locator("input[value=high_precision]").is_checked()
