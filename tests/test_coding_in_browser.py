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
    wait_until(lambda: not text_of(page).startswith("Loading"), "the first paragraph")


def text_of(page):
    return page.locator("[data-text]").inner_text()


def paragraph_of(page):
    """What is on the screen, with its article: two articles may have paragraphs with the same words."""
    return page.locator("[data-where]").inner_text(), text_of(page)


def soon(page, holds, what):
    """Waits, and lets the handlers of this page's requests run meanwhile."""
    wait_until(lambda: page.wait_for_timeout(20) or holds(), what)


def waits_unsent(page):
    return page.evaluate("Object.keys(localStorage).filter((name) => name.startsWith('framing-outbox')).length")


def presses_held(page, key, times=12):
    """Holds a key down: the browser says of all presses but the first that they are repeats."""
    for _ in range(times):
        page.keyboard.down(key)
    page.keyboard.up(key)


def chosen(page):
    buttons = page.locator("[data-frame][aria-pressed=true]").all()
    return {b.get_attribute("data-frame"): b.locator(".stance").inner_text() for b in buttons}


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
    page.keyboard.press("U")  # as with caps lock
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
    wait_until(lambda: waits_unsent(page) == 0, "the first annotation to be stored")
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
    page.keyboard.press("n")
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
    page.locator("[data-nothing]", has_text=f"You returned {left} paragraphs.").wait_for()
    assert (waiting_for(site, "quitter"), page.locator("[data-waiting-count]").inner_text()) == ([], "0")
    page.keyboard.press("n")  # there is nothing to annotate any more
    assert len(annotations_of(site, "quitter")) == 1
    page.reload()
    wait_until(lambda: len(waiting_for(site, "quitter")) > 1, "a new draw")


# -- nothing is stored that nobody decided ----------------------------------------------------------------------------


def test_a_key_that_is_held_down_annotates_once(page, site):
    open_queue(page, "leaning")
    presses_held(page, "Enter")
    assert "choose a frame first" in page.locator("[data-notice]").inner_text()
    page.keyboard.press("2")
    presses_held(page, "Enter")
    presses_held(page, "n")
    page.locator("[data-none]").focus()
    presses_held(page, "Enter")
    wait_until(lambda: waits_unsent(page) == 0, "the annotations to be stored")
    assert [a["frames"] for a in annotations_of(site, "leaning")] == [{"foreign_hand": "advanced"}, {}, {}]
    presses_held(page, "1")
    assert chosen(page) == {"blame_on_leadership": "advanced"}
    presses_held(page, "u")
    wait_until(lambda: waits_unsent(page) == 0, "the annotation to be taken back")
    assert len(annotations_of(site, "leaning")) == 2
    before = text_of(page)
    presses_held(page, "s", 2)
    assert text_of(page) != before
    page.keyboard.press("s")
    assert text_of(page) != before


def test_enter_saves_what_is_chosen_and_nothing_else(page, site):
    open_queue(page, "careful")
    first = text_of(page)
    page.keyboard.press("Enter")
    page.click("[data-save]")
    assert "Nothing is saved yet" in page.locator("[data-notice]").inner_text()
    assert text_of(page) == first
    button = page.locator("[data-frame=grievance_driven]")
    button.focus()
    page.keyboard.press("Space")
    assert (chosen(page), page.locator("[data-notice]").inner_text()) == ({"grievance_driven": "advanced"}, "")
    page.keyboard.press("Enter")  # the frame has the focus, and the key saves
    wait_until(lambda: len(annotations_of(site, "careful")) == 1, "the annotation")
    page.click("[data-frame=foreign_hand]")
    page.keyboard.press("D")
    page.keyboard.press("M")
    page.keyboard.type("near the border")
    page.keyboard.press("Enter")
    wait_until(lambda: len(annotations_of(site, "careful")) == 2, "the second annotation")
    page.click("[data-skip]")
    page.keyboard.press("4")
    page.keyboard.press("Enter")  # not once more what was clicked
    wait_until(lambda: len(annotations_of(site, "careful")) == 3, "the third annotation")
    stored = [(a["frames"], a["note"], a["unsure"]) for a in annotations_of(site, "careful")]
    assert stored == [
        ({"grievance_driven": "advanced"}, "", False),
        ({"foreign_hand": "advanced"}, "near the border", True),
        ({"militarized_response": "advanced"}, "", False),
    ]


def test_what_is_undone_comes_back_with_its_choices_to_be_changed(page, site):
    open_queue(page, "second")
    first = text_of(page)
    page.keyboard.press("1")
    page.keyboard.press("1")
    page.keyboard.press("d")
    page.fill("[data-note]", "who says so?")
    page.keyboard.press("Enter")
    assert "Annotated: Blame on leadership (reported), unsure." in page.locator("[data-toast]").inner_text()
    wait_until(lambda: len(annotations_of(site, "second")) == 1, "the annotation")
    page.click("[data-toast] button")
    wait_until(lambda: annotations_of(site, "second") == [], "the annotation to be undone")
    assert (text_of(page), chosen(page)) == (first, {"blame_on_leadership": "reported"})
    assert page.input_value("[data-note]") == "who says so?"
    assert page.is_checked("[data-unsure]")
    page.keyboard.press("3")
    page.keyboard.press("d")
    page.keyboard.press("Enter")
    wait_until(lambda: len(annotations_of(site, "second")) == 1, "the changed annotation")
    [annotation] = annotations_of(site, "second")
    assert annotation["frames"] == {"blame_on_leadership": "reported", "grievance_driven": "advanced"}
    assert (annotation["note"], annotation["unsure"]) == ("who says so?", False)
    assert annotation["inclusion_probability"] is not None
    assert page.locator("[data-coded]").inner_text() == "1"


def test_forty_paragraphs_are_annotated_and_earlier_ones_changed_also_after_a_reload(page, site):
    open_queue(page, "fluent")
    seen = []
    for number in range(40):
        wait_until(lambda: paragraph_of(page) not in seen[-1:], "another paragraph")
        seen.append(paragraph_of(page))
        if number % 3:
            page.keyboard.press(str(number % 4 + 1))
        page.keyboard.press("Enter" if number % 3 else "n")
    assert len(set(seen)) == 40
    wait_until(lambda: waits_unsent(page) == 0, "all annotations to be stored")
    assert len(annotations_of(site, "fluent")) == 40
    page.reload()
    wait_until(lambda: not text_of(page).startswith("Loading"), "the next paragraph")
    following = paragraph_of(page)
    page.keyboard.press("2")  # half of a decision, which is there again later
    strip = page.locator("[data-recent] button")
    assert strip.count() == 20
    assert strip.first.locator(".recent-text").inner_text() == seen[-1][1]
    page.keyboard.press("r")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert (paragraph_of(page), chosen(page)) == (seen[38], {"grievance_driven": "advanced"})
    assert "It stays as it is until you save" in page.locator("[data-changing]").inner_text()
    page.keyboard.press("Escape")
    assert (paragraph_of(page), chosen(page)) == (following, {"foreign_hand": "advanced"})
    strip.nth(1).click()
    page.keyboard.press("3")
    page.keyboard.press("Enter")
    assert "Changed to: Grievance-driven (reported)." in page.locator("[data-toast]").inner_text()
    assert (paragraph_of(page), chosen(page)) == (following, {"foreign_hand": "advanced"})
    wait_until(lambda: waits_unsent(page) == 0, "the change to be stored")
    assert annotations_of(site, "fluent")[-1]["frames"] == {"grievance_driven": "reported"}
    page.keyboard.press("u")  # the change, not the annotation
    wait_until(lambda: waits_unsent(page) == 0, "the change to be taken back")
    assert annotations_of(site, "fluent")[-1]["frames"] == {"grievance_driven": "advanced"}
    assert (len(annotations_of(site, "fluent")), paragraph_of(page)) == (40, seen[38])
    assert chosen(page) == {"grievance_driven": "reported"}


# -- what lies beside the paragraph -----------------------------------------------------------------------------------


def test_instructions_article_concepts_and_guess_are_a_key_away(page, site):
    open_queue(page, "reader")
    page.keyboard.press("i")
    dialog = page.locator("[data-instructions]")
    assert "Settled cases" in dialog.inner_text()
    page.keyboard.press("4")
    assert dialog.locator("[data-about=militarized_response] h3").is_visible()
    assert dialog.evaluate("element => element.scrollTop") > 100
    page.keyboard.press("i")
    assert page.locator("dialog[open]").count() == 0
    [task, *_] = waiting_for(site, "reader")
    article = site.get(f"/v1/articles/{task['article_id']}").json()
    around = [p["text"] for p in article["paragraphs"] if p["index"] != task["paragraph"]]
    soon(page, lambda: page.locator(".around p").count(), "the paragraphs beside it")
    page.keyboard.press("a")
    assert page.locator(".around p").all_inner_texts() == around
    page.keyboard.press("a")
    assert page.locator(".around p").count() <= 2
    words = page.locator("[data-text] mark")
    text = text_of(page)
    assert words.count() == 0
    page.keyboard.press("w")
    assert "Concepts in this paragraph" in page.locator("[data-concepts]").inner_text()
    assert text_of(page) == text
    for _ in range(5):  # a sixth of the paragraphs of political news have a word of a concept
        if words.count():
            break
        page.keyboard.press("s")
    assert words.first.get_attribute("title")
    page.keyboard.press("g")
    page.keyboard.press("n")
    wait_until(lambda: waits_unsent(page) == 0, "the annotation to be stored")
    assert page.locator("[data-guess-shown]").inner_text() == ""
    page.keyboard.press("g")
    page.locator("[data-guess-shown]", has_text="The model's decisions on the previous paragraph").wait_for()


# -- slow and broken networks -----------------------------------------------------------------------------------------


def decisions_on(site, task):
    article = site.get(f"/v1/articles/{task['article_id']}").json()
    [paragraph] = [p for p in article["paragraphs"] if p["index"] == task["paragraph"]]
    return {key for key, frame in paragraph["frames"].items() if frame["decision"] != "absent"}


def test_the_models_decisions_are_never_those_on_another_paragraph(page, site, codebook):
    held = {}
    page.route("**/v1/articles/*", lambda route: held.setdefault(route.request.url.split("/")[-1][:32], route))
    open_queue(page, "patient")
    tasks = waiting_for(site, "patient")
    place = next(n for n in range(1, 40) if tasks[n]["article_id"] != tasks[n + 1]["article_id"])
    first, second = tasks[place : place + 2]
    line = page.locator("[data-guess-shown]")
    for _ in range(place):
        page.keyboard.press("s")
    for _ in range(2):
        page.keyboard.press("n")
    soon(page, lambda: {first["article_id"], second["article_id"]} <= held.keys(), "both articles to be requested")
    held[first["article_id"]].continue_()
    page.wait_for_timeout(150)
    assert line.inner_text() == ""
    held[second["article_id"]].continue_()
    soon(page, lambda: line.inner_text() != "", "the decisions")
    titles = {frame.key: frame.title for frame in codebook.frames}
    assert {key for key, title in titles.items() if title in line.inner_text()} == decisions_on(site, second)
    page.keyboard.press("s")
    assert line.inner_text() == ""


def test_missing_context_is_named_and_can_be_requested_again(page, site):
    page.expected = ["ERR_FAILED"]
    page.route("**/v1/articles/*", lambda route: route.abort())
    open_queue(page, "cut_off")
    problem = page.locator("[data-around-problem]")
    problem.locator("text=could not be loaded: The server cannot be reached.").wait_for()
    page.unroute("**/v1/articles/*")
    problem.locator("button").click()
    page.locator(".around p").first.wait_for()
    assert not problem.is_visible()


def test_a_coder_without_a_network_has_paragraphs_for_a_while(page, context, site):
    page.expected = ["ERR_INTERNET_DISCONNECTED", "ERR_FAILED"]
    open_queue(page, "on_a_train")
    context.set_offline(True)
    texts = set()
    for _ in range(25):
        texts.add(text_of(page))
        page.keyboard.press("n")
    assert len(texts) == 25
    page.locator("[data-network]", has_text="25 annotations wait here").wait_for()
    context.set_offline(False)
    soon(page, lambda: len(annotations_of(site, "on_a_train")) == 25, "the annotations to be sent")


def test_no_paragraph_comes_twice_although_an_answer_is_late(page, site):
    open_queue(page, "twice")
    late = []
    page.route("**/v1/coding-queue", lambda route: late.append((route, route.fetch())), times=1)
    while not late:  # more paragraphs are requested: the answer has what waits at that moment
        page.keyboard.press("n")
        page.wait_for_timeout(20)
    page.keyboard.press("n")
    wait_until(lambda: waits_unsent(page) == 0, "all annotations to be stored")
    route, answer = late[0]
    before = int(page.locator("[data-waiting-count]").inner_text())
    route.fulfill(response=answer)
    soon(page, lambda: int(page.locator("[data-waiting-count]").inner_text()) > before, "more paragraphs")
    for _ in range(int(page.locator("[data-waiting-count]").inner_text()) - 1):
        page.keyboard.press("n")
    soon(page, lambda: waits_unsent(page) == 0, "all annotations to be stored")
    every = site.get("/v1/annotations?coder=twice&history=true&limit=1000").json()["annotations"]
    assert len(every) == len({(a["article_id"], a["paragraph"]) for a in every}) > 40


def test_two_tabs_never_show_the_same_paragraph(page, context, site):
    open_queue(page, "two_tabs")
    other = context.new_page()
    other.goto("/coding?coder=two_tabs")
    wait_until(lambda: not text_of(other).startswith("Loading"), "the first paragraph of the second tab")
    seen = []
    for tab in (page, other, page, page, other, other, page):
        assert paragraph_of(page) != paragraph_of(other)
        seen.append(paragraph_of(tab))
        tab.bring_to_front()
        tab.keyboard.press("n")
        wait_until(lambda tab=tab: paragraph_of(tab) != seen[-1], "another paragraph")
    assert len(set(seen)) == 7
    page.keyboard.press("u")
    wait_until(lambda: waits_unsent(page) == 0, "the annotation to be taken back")
    assert (len(annotations_of(site, "two_tabs")), paragraph_of(page)) == (6, seen[-1])
    other.close()
    page.keyboard.press("n")
    soon(page, lambda: len(annotations_of(site, "two_tabs")) == 7, "the annotation")


def test_what_the_server_rejects_is_named(page, site):
    page.expected = ["422"]
    open_queue(page, "refused")
    text = text_of(page)
    problem = {"status": 422, "detail": "No such paragraph is stored."}
    page.route("**/v1/annotations", lambda route: route.fulfill(status=422, json=problem), times=1)
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    line = page.locator("[data-rejected] p")
    line.wait_for()
    for part in ("Blame on leadership (advanced)", text[:80], "No such paragraph is stored."):
        assert part in line.inner_text()
    assert page.locator("[data-recent] li").count() == 0
