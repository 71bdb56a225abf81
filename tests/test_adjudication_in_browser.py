"""Settling what coders disagree about, with the keyboard, in a real browser."""

import shutil

import pytest

from tests.support.articles import THREE_PARAGRAPHS
from tests.support.browser import needs_chromium, serious_barriers
from tests.support.servers import running_server
from tests.support.waiting import wait_until

pytestmark = needs_chromium

TEXTS = ("The minister blamed a neighbour.", "The army moved into the valley.", "It rained in the valley.")


@pytest.fixture(scope="module")
def site(trained_folder, tmp_path_factory):
    """A client of a server with a single article."""
    data = tmp_path_factory.mktemp("site") / "data"
    shutil.copytree(trained_folder.parent, data)
    with running_server(data) as (client, _):
        client.post("/v1/articles", json={"text": THREE_PARAGRAPHS, "title": "Three"}).raise_for_status()
        yield client


@pytest.fixture
def disputed(site, request):
    """Three texts on which two coders, who annotate nothing else, differ; the name of the first of them."""
    own = request.node.name[:60]
    frames = [
        ({"foreign_hand": "reported", "grievance_driven": "advanced"}, {"grievance_driven": "advanced"}),
        ({"militarized_response": "advanced"}, {"militarized_response": "reported"}),
        ({"foreign_hand": "reported"}, {}),
    ]
    for text, pair in zip(TEXTS, frames, strict=True):
        for coder, seen in zip(("ann", "ben"), pair, strict=True):
            body = {
                "coder": f"{coder} {own}",
                "text": text,
                "source": own,
                "frames": seen,
                "note": f"{coder} thinks so",
            }
            site.post("/v1/annotations", json={**body, "unsure": coder == "ben"}).raise_for_status()
    return f"ann {own}"


def open_desk(page, coder):
    page.goto(f"/coding/disagreements?coder={coder}")
    page.fill("[data-name]", "prof")
    page.locator("[data-text]", has_text=TEXTS[0]).wait_for()
    page.focus("[data-text]")


def adjudications(site, coder):
    """The adjudications of the texts of a test, the oldest first."""
    source = coder.removeprefix("ann ")
    listed = site.get("/v1/annotations", params={"source": source, "coder": "prof"}).json()["annotations"]
    return [(a["text"], a["frames"], a["note"]) for a in reversed(listed)]


def shown(page):
    return page.locator("[data-text]").inner_text()


def test_disagreements_are_settled_with_the_keyboard_alone(page, site, disputed):
    open_desk(page, disputed)
    assert page.locator("[data-count]").inner_text() == "3 paragraphs to settle"
    differing = page.locator(".decisions .differs")
    assert differing.locator("th").inner_text() == "Foreign hand"
    assert differing.locator("td").all_inner_texts() == ["reported", "absent"]
    assert page.locator(".decisions .badge").all_inner_texts() == ["unsure"]
    assert page.locator(".decisions .note").all_inner_texts() == ["ann thinks so", "ben thinks so"]
    open_frames = page.locator(".frame-button.open .name")
    assert open_frames.all_inner_texts() == ["Foreign hand"]
    page.keyboard.press("D")
    page.keyboard.press("d")
    assert page.locator("[data-notice]").inner_text().startswith(f"As {disputed.replace('ann', 'ben', 1)} decided")
    page.keyboard.press("2")
    page.keyboard.press("m")
    page.keyboard.type("the minister says it")
    page.keyboard.press("Enter")
    wait_until(lambda: shown(page) == TEXTS[1], "the next paragraph")
    frames = {"foreign_hand": "advanced", "grievance_driven": "advanced"}
    assert adjudications(site, disputed) == [(TEXTS[0], frames, "the minister says it")]
    page.locator("[data-count]", has_text="2 paragraphs to settle").wait_for()
    assert page.locator(".sticky-bar [data-toast]").inner_text().startswith("Settled: ")  # it covers no button
    page.keyboard.press("u")
    wait_until(lambda: shown(page) == TEXTS[0], "the decision to come back")
    assert adjudications(site, disputed) == []
    assert page.locator("[data-note]").input_value() == "the minister says it"
    page.keyboard.press("2")
    page.keyboard.press("Enter")
    wait_until(lambda: shown(page) == TEXTS[1], "the next paragraph")
    assert adjudications(site, disputed)[0][1]["foreign_hand"] == "reported"
    page.keyboard.press("s")
    wait_until(lambda: shown(page) == TEXTS[2], "the paragraph after that which was skipped")
    page.keyboard.press("n")
    page.focus("[data-frame=foreign_hand]")
    page.keyboard.press("Enter")
    wait_until(lambda: shown(page) == TEXTS[1], "the skipped paragraph")
    page.click("button[aria-label^='Decide as ben']")
    page.keyboard.press("Escape")
    page.click("[data-save]")
    page.locator("[data-nothing]", has_text="Nothing that is open fits these filters.").wait_for()
    assert [frames for _, frames, _ in adjudications(site, disputed)][1:] == [{}, {"militarized_response": "reported"}]


def test_a_key_that_is_held_settles_nothing_and_nothing_is_settled_unread(page, site, disputed):
    open_desk(page, disputed)
    page.keyboard.down("Enter")
    for _ in range(20):
        page.keyboard.down("Enter")
    page.keyboard.up("Enter")
    assert page.locator("[data-notice]").inner_text().startswith("Decide about Foreign hand first")
    page.keyboard.down("d")
    for _ in range(5):
        page.keyboard.down("d")
    page.keyboard.up("d")
    page.keyboard.down("Enter")
    for _ in range(20):
        page.keyboard.down("Enter")
    page.keyboard.up("Enter")
    wait_until(lambda: shown(page) == TEXTS[1], "the next paragraph")
    assert [text for text, _, _ in adjudications(site, disputed)] == [TEXTS[0]]


def test_what_is_decided_while_another_decision_is_being_sent_stays_on_the_screen(page, site, disputed):
    open_desk(page, disputed)
    held = []
    page.route("**/v1/annotations", lambda route: held.append(route))  # noqa: PLW0108 - a built-in is no listener
    page.keyboard.press("d")
    page.keyboard.press("Enter")
    wait_until(lambda: page.locator("[data-text]").count() and held, "the request")
    page.keyboard.press("s")
    wait_until(lambda: shown(page) == TEXTS[1], "the next paragraph")
    page.keyboard.press("d")
    decided = page.locator("[data-stance]").all_inner_texts()
    held[0].continue_()
    page.unroute("**/v1/annotations")
    page.locator("[data-count]", has_text="2 paragraphs to settle").wait_for()
    assert (shown(page), page.locator("[data-stance]").all_inner_texts()) == (TEXTS[1], decided)
    assert [text for text, _, _ in adjudications(site, disputed)] == [TEXTS[0]]


def test_a_decision_that_cannot_be_sent_stays_and_says_so(page, context, site, disputed):
    page.expected = ["ERR_INTERNET_DISCONNECTED", "401"]
    open_desk(page, disputed)
    page.keyboard.press("d")
    context.set_offline(True)
    page.keyboard.press("Enter")
    page.locator("[data-trouble]", has_text="This is not saved: The server cannot be reached.").wait_for()
    assert shown(page) == TEXTS[0]
    context.set_offline(False)
    ended = {"status": 401, "detail": "Your session has ended."}
    page.route("**/v1/annotations", lambda route: route.fulfill(status=401, json=ended), times=1)
    page.click("[data-trouble] button")
    link = page.locator("[data-trouble] a")
    assert link.get_attribute("href").startswith("/sign-in?next=%2Fcoding%2Fdisagreements")
    page.focus("[data-text]")
    page.keyboard.press("Enter")
    wait_until(lambda: shown(page) == TEXTS[1], "the next paragraph")
    assert len(adjudications(site, disputed)) == 1


def test_the_article_around_a_paragraph_is_a_key_away(page, site):
    article = site.get("/v1/articles?limit=1").json()["articles"][0]["id"]
    texts = [paragraph["text"] for paragraph in site.get(f"/v1/articles/{article}").json()["paragraphs"]]
    body = {"coder": "around", "article_id": article, "paragraph": 1, "frames": {}, "unsure": True}
    site.post("/v1/annotations", json=body).raise_for_status()
    page.expected = ["503"]
    busy = {"status": 503, "detail": "The server is busy."}
    page.route(f"**/v1/articles/{article}*", lambda route: route.fulfill(status=503, json=busy), times=1)
    page.goto("/coding/disagreements?coder=around")
    page.locator("[data-around-problem]", has_text="could not be loaded").wait_for()
    page.click("[data-retry]")
    page.locator("[data-before]", has_text=texts[0]).wait_for()
    page.keyboard.press("a")
    wait_until(lambda: len(texts) == page.locator("[data-before] p, [data-after] p").count() + 1, "the whole article")
    page.keyboard.press("i")
    page.keyboard.press("2")
    assert page.locator("dialog[open] [data-about=foreign_hand]").is_visible()
    page.keyboard.press("i")
    page.keyboard.press("Enter")
    assert page.locator("[data-notice]").inner_text().startswith("Nothing is settled yet")


def test_what_was_settled_can_be_changed_and_the_change_undone(page, site, disputed):
    source = disputed.removeprefix("ann ")
    settled = {"coder": "prof", "role": "adjudicator", "text": TEXTS[0], "source": source, "note": "the first time"}
    frames = {"foreign_hand": "contested", "grievance_driven": "advanced"}
    site.post("/v1/annotations", json={**settled, "frames": frames}).raise_for_status()
    page.goto(f"/coding/disagreements?settled=true&coder={disputed}")
    page.fill("[data-name]", "prof")
    page.locator("[data-count]", has_text="1 paragraph settled").wait_for()
    assert page.locator(".decisions thead th").all_inner_texts()[1] == "prof (adjudicator)"
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        assert serious_barriers(page) == []
    page.focus("[data-text]")
    page.keyboard.press("Enter")
    assert page.locator("[data-notice]").inner_text().startswith("Nothing is settled yet")
    page.keyboard.press("n")
    page.keyboard.press("Enter")
    page.locator("[data-nothing]").wait_for()
    assert adjudications(site, disputed) == [(TEXTS[0], {}, "the first time")]
    page.keyboard.press("u")
    page.locator("[data-notice]", has_text="Brought back").wait_for()
    assert adjudications(site, disputed) == [(TEXTS[0], frames, "the first time")]
