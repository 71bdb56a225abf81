"""Assigning paragraphs on the page, and training with gold items by the keyboard, in a real browser."""

from datetime import UTC, datetime, timedelta

from tests.support.browser import needs_chromium
from tests.support.waiting import wait_until

pytestmark = needs_chromium

TODAY = datetime.now(UTC).date()
BLAME = "blame_on_leadership"


def settled_paragraph(site, place=0):
    """A paragraph that an adjudicator has settled; nobody has used it to train with."""
    article = site.get("/v1/articles?limit=5").json()["articles"][-1]["id"]
    body = {"coder": "ilse", "role": "adjudicator", "article_id": article, "paragraph": place}
    body |= {"frames": {BLAME: "advanced"}, "note": "The text itself blames."}
    assert site.post("/v1/annotations", json=body).status_code == 201
    return site.get(f"/v1/articles/{article}?explain=false").json()["paragraphs"][place]["text"]


def fault(page, name):
    return page.locator(f'[data-assign] [data-fault="{name}"]').inner_text()


def make_gold(page, text, explanation):
    page.goto("/coding/assignments")
    candidate = page.locator("li", has=page.locator("blockquote", has_text=text[:60]), has_text="Train with it")
    candidate.locator("input").fill(explanation)
    candidate.locator("button").click()
    page.locator("[data-outcome]", has_text="Coders can now train").wait_for()


def assign(page):
    """Fills in the form, whose faults stand beside their fields, until it is accepted."""
    page.locator(".new-assignment").evaluate("(details) => { details.open = true; }")
    wait_until(lambda: "1 gold item" in page.locator("[data-supply]").inner_text(), "the supply")
    page.click("[data-assign] .primary")
    assert fault(page, "coders") == "Choose at least one coder, or enter a name."
    page.fill("input[name=others]", "nora, olaf")
    for name, value in (("n", "3"), ("coders_each", "3"), ("training", "1"), ("due", str(TODAY + timedelta(days=1)))):
        page.fill(f"[data-assign] input[name={name}]", value)
    page.fill("input[name=note]", "Read the whole article first.")
    page.click("[data-assign] .primary")
    wait_until(lambda: "the assignment names only 2" in fault(page, "coders_each"), "the sentence of the server")
    page.fill("input[name=coders_each]", "2")
    page.click("[data-assign] .primary")
    page.locator("[data-outcome]", has_text="2 coders: 3 paragraphs, and 1 paragraph to train with").wait_for()


def train(page):
    """Answers the gold item, which comes first, by the keyboard, and reads what was decided and why."""
    page.keyboard.press("2")
    page.keyboard.press("Enter")
    dialog = page.locator("[data-gold-dialog]")
    dialog.wait_for()
    shown = dialog.inner_text()
    page.keyboard.press("Enter")
    wait_until(lambda: not dialog.is_visible(), "the dialog to close")
    return shown


def test_an_admin_assigns_and_a_coder_trains_and_annotates_until_nothing_is_left(page, site):
    page.expected = ["422"]
    text = settled_paragraph(site)
    make_gold(page, text, "Blame needs somebody who is named.")
    assign(page)
    card = page.locator(".assignment")
    assert ("1 day left" in card.inner_text(), card.locator("tbody tr").count()) == (True, 2)
    page.goto("/coding?coder=nora")
    assigned = page.locator("[data-assigned]")
    words = assigned.inner_text()
    assert "3 paragraphs left, and 1 paragraph to train with" in words
    assert "Read the whole article first." in words
    wait_until(lambda: page.locator("[data-text]").inner_text() == text, "the gold item")
    shown = train(page)
    assert "the adjudicator decided otherwise" in shown
    assert "Why: The text itself blames." in shown
    assert "Blame needs somebody who is named." in shown
    assert "0 of 1 paragraph" in shown
    assert site.get("/v1/annotations?coder=nora").json()["annotations"] == []
    for left in ("2 paragraphs left", "1 paragraph left", "all done"):
        page.keyboard.press("n")
        assigned.locator("[data-left]", has_text=left).wait_for()
    assert len(site.get("/v1/annotations?coder=nora").json()["annotations"]) == 3


def test_an_assignment_ends_only_once_the_admin_has_confirmed_it(page, site):
    assert site.post("/v1/assignments", json={"coders": ["olga"], "n": 2}).status_code == 201
    page.goto("/coding/assignments")
    card = page.locator(".assignment", has_text="olga")
    card.locator("[data-ends]").click()
    page.keyboard.press("Escape")
    assert site.get("/v1/assignments?coder=olga").json()["assignments"][0]["ended_at"] is None
    card.locator("[data-ends]").click()
    page.click("[data-end-dialog] button[value=end]")
    page.locator("[data-outcome]", has_text="2 paragraphs went back to the pool").wait_for()
    assert page.locator("section[aria-labelledby=running] .assignment", has_text="olga").count() == 0


def test_the_page_fits_a_telephone(page):
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto("/coding/assignments")
    page.locator(".new-assignment").evaluate("(details) => { details.open = true; }")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_what_cannot_be_withdrawn_says_so_and_what_was_withdrawn_elsewhere_is_gone(page, context, site):
    page.expected = ["ERR_INTERNET_DISCONNECTED", "404"]
    text = settled_paragraph(site, place=1)
    article = site.get("/v1/articles?limit=5").json()["articles"][-1]["id"]
    assert site.post("/v1/gold-items", json={"article_id": article, "paragraph": 1}).status_code == 201
    page.goto("/coding/assignments")
    item = page.locator("li", has=page.locator("[data-withdraw]"), has_text=text[:60])
    context.set_offline(True)
    item.locator("[data-withdraw]").click()
    item.locator("[data-fault=all]", has_text="The server cannot be reached.").wait_for()
    context.set_offline(False)
    for gold in site.get("/v1/gold-items").json()["gold_items"]:
        assert site.delete(f"/v1/gold-items/{gold['id']}").status_code == 204
    item.locator("[data-withdraw]").click()
    page.locator("[data-outcome]", has_text="No coder receives the gold item any longer").wait_for()
    assert page.locator("[data-withdraw]").count() == 0
