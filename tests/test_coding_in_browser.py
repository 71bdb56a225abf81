"""Coding paragraphs of the queue with the keyboard, in a real browser; no annotation is lost."""

from tests.support.browser import needs_chromium
from tests.support.waiting import wait_until

pytestmark = needs_chromium


def annotations_of(site, coder):
    return list(reversed(site.get(f"/v1/annotations?coder={coder}").json()["annotations"]))


def open_queue(page, coder):
    page.goto("/coding")
    page.fill("input[name=coder]", coder)
    page.press("input[name=coder]", "Enter")
    wait_until(lambda: not page.locator("[data-text]").inner_text().startswith("Loading"), "the first paragraph")


def test_paragraphs_are_coded_with_the_keyboard_alone(page, site):
    open_queue(page, "kay")
    first = page.locator("[data-text]").inner_text()
    assert page.locator("[data-guess-shown]").inner_text() == ""
    page.keyboard.press("2")
    page.keyboard.press("2")
    page.keyboard.press("4")
    assert page.locator("[aria-pressed=true] .stance").all_inner_texts() == ["reported", "advanced"]
    page.keyboard.press("Enter")
    wait_until(lambda: page.locator("[data-text]").inner_text() != first, "the next paragraph")
    wait_until(lambda: len(annotations_of(site, "kay")) == 1, "the annotation")
    annotation = annotations_of(site, "kay")[0]
    assert annotation["frames"] == {"foreign_hand": "reported", "militarized_response": "advanced"}
    assert annotation["inclusion_probability"] is not None
    page.locator("[data-guess-shown]", has_text="The model's decisions on the previous paragraph").wait_for()
    skipped = page.locator("[data-text]").inner_text()
    page.keyboard.press("s")
    assert page.locator("[data-text]").inner_text() != skipped
    page.keyboard.press("n")
    wait_until(lambda: len(annotations_of(site, "kay")) == 2, "the second annotation")
    assert annotations_of(site, "kay")[1]["frames"] == {}
    page.keyboard.press("u")
    wait_until(lambda: len(annotations_of(site, "kay")) == 1, "the annotation to be undone")
    wait_until(lambda: page.locator("[data-coded]").inner_text() == "1", "the count to follow")
    page.keyboard.press("?")
    assert page.locator("dialog[open]").count() == 1
    page.keyboard.press("Escape")
    assert page.locator("dialog[open]").count() == 0


def test_the_third_press_contests_and_the_fourth_takes_the_frame_away(page):
    open_queue(page, "presser")
    stances = []
    for _ in range(4):
        page.keyboard.press("1")
        stances.append(page.locator("[data-frame=blame_on_leadership] .stance").inner_text())
    assert stances == ["advanced", "reported", "contested", "absent"]


def test_no_annotation_is_lost_when_the_network_drops(page, context, site):
    page.expected = ["ERR_INTERNET_DISCONNECTED", "ERR_FAILED"]
    open_queue(page, "nomad")
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    wait_until(
        lambda: page.evaluate("localStorage['framing-outbox-nomad']") == "[]", "the first annotation to be stored"
    )
    context.set_offline(True)
    for _ in range(3):
        page.keyboard.press("n")
    page.locator("[data-network]", has_text="3 annotations wait here").wait_for()
    assert len(annotations_of(site, "nomad")) == 1
    context.set_offline(False)
    wait_until(lambda: len(annotations_of(site, "nomad")) == 4, "the annotations to be sent again")
    wait_until(lambda: page.locator("[data-network]").inner_text() == "", "the warning to go")


def test_an_annotation_that_is_made_while_another_is_being_sent_is_sent_too(page, context, site):
    open_queue(page, "hasty")
    held = []
    page.route("**/v1/annotations", lambda route: held.append(route) if not held else route.continue_())
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    wait_until(lambda: page.wait_for_timeout(20) or held, "the first request")
    page.keyboard.press("n")
    held[0].continue_()
    wait_until(lambda: page.wait_for_timeout(20) or len(annotations_of(site, "hasty")) == 2, "both annotations")


def test_an_annotation_that_is_undone_while_it_is_being_sent_is_deleted(page, site):
    open_queue(page, "waverer")
    held = []
    page.route("**/v1/annotations", lambda route: held.append(route))  # noqa: PLW0108 - playwright inspects the signature of the function
    page.keyboard.press("n")
    wait_until(lambda: page.wait_for_timeout(20) or held, "the request")
    page.keyboard.press("u")
    with page.expect_response(lambda answer: answer.request.method == "DELETE"):
        held[0].continue_()
    assert annotations_of(site, "waverer") == []


def test_an_annotation_that_exceeds_the_rate_limit_waits_and_is_sent_again(page, context, site):
    page.expected = ["429"]
    open_queue(page, "swift")
    problem = {"status": 429, "detail": "Too many requests."}
    page.route("**/v1/annotations", lambda route: route.fulfill(status=429, json=problem), times=1)
    page.keyboard.press("Enter")
    page.locator("[data-network]", has_text="Too many requests. 1 annotation waits here").wait_for()
    wait_until(
        lambda: page.wait_for_timeout(20) or len(annotations_of(site, "swift")) == 1, "the annotation to be sent"
    )


def test_annotations_that_could_not_be_sent_survive_the_closing_of_the_page(page, context, site):
    page.expected = ["ERR_INTERNET_DISCONNECTED", "ERR_FAILED"]
    open_queue(page, "leaver")
    context.set_offline(True)
    page.keyboard.press("3")
    page.keyboard.press("Enter")
    page.locator("[data-network]", has_text="1 annotation waits here").wait_for()
    page.close()
    context.set_offline(False)
    reopened = context.new_page()
    reopened.goto("/coding?coder=leaver")
    wait_until(lambda: len(annotations_of(site, "leaver")) == 1, "the annotation to be sent")
    assert annotations_of(site, "leaver")[0]["frames"] == {"grievance_driven": "advanced"}


def test_a_coder_sees_their_own_agreement(page):
    page.goto("/coding?coder=tomas")
    table = page.locator("section", has_text="Your agreement with others").last
    assert "mira" in table.inner_text()


def waiting_for(site, coder):
    return site.get("/v1/coding-queue", params={"coder": coder, "n": 200}).json()["tasks"]


def test_a_coder_returns_all_that_waits_or_thinks_again(page, site):
    open_queue(page, "quitter")
    page.keyboard.press("n")
    wait_until(lambda: len(annotations_of(site, "quitter")) == 1, "the annotation")
    left = len(waiting_for(site, "quitter"))
    page.click("[data-return]")
    page.keyboard.press("Escape")
    assert len(waiting_for(site, "quitter")) == left > 1
    page.click("[data-return]")
    page.click("[data-return-dialog] button[value=return]")
    page.locator("[data-text]", has_text=f"You returned {left} paragraphs.").wait_for()
    assert (waiting_for(site, "quitter"), page.locator("[data-waiting-count]").inner_text()) == ([], "0")
    page.keyboard.press("n")  # there is nothing to annotate any more
    assert len(annotations_of(site, "quitter")) == 1
    page.reload()
    wait_until(lambda: len(waiting_for(site, "quitter")) > 1, "a new draw")
