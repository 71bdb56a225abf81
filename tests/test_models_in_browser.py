"""The models page in a real browser: train, see what would change, promote and go back."""

import re

import pytest

from service.access.secrets import create_key
from service.store.sql.database import Database
from tests.support.articles import THREE_PARAGRAPHS
from tests.support.browser import needs_chromium, serious_barriers
from tests.support.screenshots import settle
from tests.support.servers import running_server
from tests.support.waiting import wait_until

pytestmark = needs_chromium


@pytest.fixture
def open_page(browser):
    """Opens a page at an address, which must raise nothing and print nothing to the console."""
    complaints, contexts = [], []

    def opened(client, address="/models"):
        contexts.append(browser.new_context(base_url=str(client.base_url), viewport={"width": 1280, "height": 900}))
        page = contexts[-1].new_page()
        page.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
        page.goto(address)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


def tab_to(page, locator):
    """Presses Tab until an element has the focus, as somebody without a mouse does."""
    for _ in range(120):
        if locator.evaluate("element => element === document.activeElement"):
            return
        page.keyboard.press("Tab")
    pytest.fail(f"{locator} is not reached by Tab.")


def has_focus(locator):
    return locator.evaluate("element => element === document.activeElement")


def train(page):
    tab_to(page, page.locator("[data-train] input[name=note]"))
    page.keyboard.type("from the page")
    page.keyboard.press("Enter")
    page.locator("[data-run] [aria-current=step]").wait_for()
    assert page.locator("[data-run] progress").is_visible()
    # The page says what became of the run, and leads to the version.
    outcome = page.locator("[data-outcome]")
    outcome.wait_for(timeout=90_000)
    assert "v2 was made and not promoted" in outcome.inner_text()
    assert has_focus(outcome)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    section = page.locator("#v2")
    assert has_focus(section.locator("> h2"))
    assert re.search(r"Verdict: (do not )?promote\.", section.inner_text())
    assert "from the page" in page.locator("table.versions").inner_text()
    page.locator(".training-run summary").first.click()
    assert "Decisions that would change in 3 stored paragraphs" in page.locator(".training-run").inner_text()
    section.locator("> h2").focus()


def see_what_would_change(page, client):
    section = page.locator("#v2")
    tab_to(page, section.locator("[data-compare]"))
    page.keyboard.press("Enter")
    section.get_by_text("of 3 paragraphs in the 1 article stored last").wait_for()
    changes = client.get("/v1/models/v2/changes").json()
    assert section.locator("table.changes tbody tr").count() == len(changes["frames"]) == 4


def promote(page):
    opener = page.locator("[data-opens=promote-v2]")
    tab_to(page, opener)
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Promote v2?")
    dialog.wait_for()
    assert "v2 answers all requests instead of v1" in dialog.inner_text()
    assert serious_barriers(page) == []
    page.keyboard.press("Escape")  # changes nothing
    assert not dialog.is_visible()
    assert has_focus(opener)
    page.keyboard.press("Enter")
    page.keyboard.type("better on foreign hand")  # the first field has the focus
    tab_to(page, dialog.locator("input[name=by]"))
    page.keyboard.type("mira")
    if dialog.locator("input[name=force]").count():
        page.keyboard.press("Tab")
        page.keyboard.press("Space")
    page.keyboard.press("Enter")
    page.locator("#v2 .badge").wait_for()
    page.locator("[data-outcome]").get_by_text("v2 is the current model from now on.").wait_for()


def go_back(page):
    tab_to(page, page.locator("[data-opens=back]"))
    page.keyboard.press("Enter")
    page.keyboard.type("misses denials")
    page.keyboard.press("Enter")  # the name is still known
    page.locator("#v1 .badge").wait_for()
    page.locator("[data-outcome]").get_by_text("v1 is the current model again.").wait_for()


def test_a_challenger_is_trained_compared_promoted_and_taken_back_by_keyboard(open_page, data_dir):
    with running_server(data_dir, worker="true") as (client, _):
        client.post("/v1/articles", json={"text": THREE_PARAGRAPHS, "title": "First"})
        page = open_page(client)
        settle(page)
        train(page)
        see_what_would_change(page, client)
        settle(page)
        promote(page)
        assert client.get("/v1/models").json()["champion"] == "v2"
        go_back(page)
        history = client.get("/v1/models/history").json()["promotions"]
        assert [(h["action"], h["by"], h["reason"]) for h in history[:2]] == [
            ("rollback", "mira", "misses denials"),
            ("promote", "mira", "better on foreign hand"),
        ]
        settle(page)
        assert [c.get_attribute("data-drawn") for c in page.locator(".chart").all()] == ["true", "true"]
        page.close()  # it would go on asking a server that has stopped


def test_a_run_gets_the_pull_that_was_chosen_waits_aloud_for_a_worker_and_can_be_cancelled(open_page, models_folder):
    with running_server(models_folder.parent, start="base") as (client, _):
        page = open_page(client)
        assert "starts no worker" in page.locator("main").inner_text()
        page.select_option("[data-train] select[name=pull]", "3.0")
        page.click("[data-train] button.primary")
        status = page.locator("[data-run] [role=status]")
        status.get_by_text("It waits for its turn.").wait_for()
        assert page.locator("[data-train] button.primary").is_disabled()
        [run] = client.get("/v1/training-runs").json()["training_runs"]
        assert run["request"]["pull"] == 3.0
        page.reload()  # the run is still followed
        status.get_by_text("It waits for its turn.").wait_for()
        page.click("[data-cancel]")
        page.locator("[data-outcome]").get_by_text("It was cancelled.").wait_for()
        assert "pull of the shipped model was set to 3.0" in page.locator(".training-run").first.text_content()
        page.click("[data-train] button.primary")  # left to cross-validation
        wait_until(lambda: len(client.get("/v1/training-runs").json()["training_runs"]) == 2, "the second run")
        assert client.get("/v1/training-runs").json()["training_runs"][0]["request"]["pull"] is None
        page.close()


def test_answers_are_added_up_until_enough_paragraphs_were_compared(
    open_page, models_folder, registry, other_challenger
):
    registry.register(other_challenger)
    with running_server(models_folder.parent) as (client, _):
        for number in range(4):
            body = {"text": THREE_PARAGRAPHS.replace(".", f" on day {number}."), "title": f"Day {number}"}
            assert client.post("/v1/articles", json=body).status_code == 201
        page = open_page(client)

        def by_pieces(route):
            """Lets the server answer for three paragraphs at a time, as if it were slow."""
            requests.append(route.request.url)
            route.continue_(url=re.sub(r"paragraphs=\d+", "paragraphs=3", route.request.url))

        requests = []
        page.route("**/changes?*", by_pieces)
        page.click("#v2 [data-compare]")
        page.locator("#v2").get_by_text("of 12 paragraphs in the 4 articles stored last").wait_for()
        assert len(requests) == 4
        whole = client.get("/v1/models/v2/changes?examples=20").json()
        rows = page.locator("#v2 table.changes tbody tr").all()
        for row, frame in zip(rows, whole["frames"], strict=True):
            shown = row.locator("td > p").inner_text()
            assert f"present in {frame['present_before']} → {frame['present_after']}" in shown
            for change in frame["changes"]:
                assert f"{change['before']} → {change['after']}: {change['paragraphs']}" in shown
            assert row.locator("blockquote").count() == len(frame["examples"])
        [example] = [example for frame in whole["frames"] for example in frame["examples"]][:1]
        link = page.locator(f"#v2 a[href='/articles/{example['article_id']}#paragraph-{example['paragraph']}']").first
        assert link.text_content() == example["title"]


def test_a_coder_sees_versions_and_runs_without_errors_and_without_forms(
    open_page, models_folder, registry, challenger
):
    registry.register(challenger)
    database = Database(f"sqlite:///{models_folder.parent / 'framing.sqlite3'}")
    database.migrate()
    with database.write() as connection:
        coder = create_key(connection, "mira", "coder", None).shown
        create_key(connection, "root", "admin", None)
    database.close()
    with running_server(models_folder.parent) as (client, _):
        page = open_page(client)
        page.get_by_label("Key").fill(coder)
        with page.expect_navigation():
            page.get_by_role("button", name="Sign in").click()
        settle(page)
        page.wait_for_load_state("networkidle")
        assert page.locator("#v1").is_visible()
        assert page.locator("#v2").is_visible()
        assert page.locator("[data-train], [data-promote], [data-rollback], [data-opens], [data-compare]").count() == 0
