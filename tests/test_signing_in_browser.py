"""Signing in, acting with a session and signing out, in a real browser."""

from service.access.secrets import create_key
from service.store.sql.database import Database
from tests.support.articles import THREE_PARAGRAPHS
from tests.support.browser import chromium, needs_chromium
from tests.support.servers import running_server
from tests.support.waiting import wait_until

pytestmark = needs_chromium
ATTACK = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"


def sign_in(page, shown):
    page.get_by_label("Key").fill(shown)
    with page.expect_navigation():
        page.get_by_role("button", name="Sign in").click()


def test_a_coder_signs_in_corrects_an_article_and_signs_out_and_the_log_shows_it(models_folder):
    database = Database(f"sqlite:///{models_folder.parent / 'framing.sqlite3'}")
    database.migrate()
    with database.write() as connection:
        coder = create_key(connection, ATTACK, "coder", None).shown
        admin = create_key(connection, "admin", "admin", None).shown
    database.close()
    with running_server(models_folder.parent) as (client, _process), chromium() as browser:
        client.headers["Authorization"] = f"Bearer {admin}"
        article = client.post("/v1/articles", json={"text": THREE_PARAGRAPHS}).json()["id"]
        page = browser.new_page(base_url=str(client.base_url))

        page.goto(f"/articles/{article}")
        assert page.url.endswith(f"/sign-in?next=%2Farticles%2F{article}")
        sign_in(page, "framing_wrong")
        assert "not known" in page.get_by_role("alert").inner_text()
        sign_in(page, coder)
        assert page.url.endswith(f"/articles/{article}")
        names = page.locator("nav").inner_text()
        assert "Coding" in names
        assert "Log" not in names
        form = page.locator("[data-annotate]").first
        page.locator("details.annotate").first.locator("summary").click()
        assert form.locator("[name=coder]").input_value() == ATTACK
        form.locator("select").first.select_option("reported")
        form.get_by_role("button").click()
        page.get_by_text("Saved.").wait_for()
        [annotation] = client.get("/v1/annotations").json()["annotations"]
        assert annotation["coder"] == ATTACK
        page.goto("/audit")
        assert "needs a key of the role admin" in page.locator("main").inner_text()
        page.get_by_role("button", name="Sign out").click()
        page.wait_for_url("**/sign-in")
        page.goto("/coding")
        assert "/sign-in" in page.url
        sign_in(page, admin)
        client.post("/v1/models/v1/promote", json={"reason": ATTACK})
        client.post("/v1/training-runs", json={"note": ATTACK})
        page.goto("/models")
        assert ATTACK in page.locator("main").inner_text()
        assert page.locator("main img, main script:not([type])").count() == 0
        assert "owned" not in page.title()
        page.goto("/audit")
        text = page.locator("main table").inner_text()
        assert ATTACK in text
        assert "submit" in text
        assert page.locator("main img, main script").count() == 0
        assert "owned" not in page.title()


def test_the_scripts_of_the_models_page_run_without_errors_for_a_reader(models_folder):
    database = Database(f"sqlite:///{models_folder.parent / 'framing.sqlite3'}")
    database.migrate()
    with database.write() as connection:
        reader = create_key(connection, "mira", "reader", None).shown
    database.close()
    with running_server(models_folder.parent) as (client, _process), chromium() as browser:
        page = browser.new_page(base_url=str(client.base_url))
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto("/models")
        page.get_by_label("Key").fill(reader)
        with page.expect_navigation():
            page.get_by_role("button", name="Sign in").click()
        page.wait_for_load_state("networkidle")
        assert page.locator("[data-train]").count() == 0
        assert errors == []


def test_a_coder_whose_session_ends_signs_in_again_and_loses_nothing(models_folder):
    database = Database(f"sqlite:///{models_folder.parent / 'framing.sqlite3'}")
    database.migrate()
    with database.write() as connection:
        coder = create_key(connection, "mira", "coder", None).shown
        admin = create_key(connection, "admin", "admin", None).shown
    database.close()
    with running_server(models_folder.parent) as (client, _process), chromium() as browser:
        client.headers["Authorization"] = f"Bearer {admin}"
        client.post("/v1/articles", json={"text": THREE_PARAGRAPHS})
        page = browser.new_page(base_url=str(client.base_url))

        page.goto("/coding?whole=true")
        sign_in(page, coder)
        text = page.locator("[data-text]", has_not_text="Loading")
        first = text.inner_text()
        page.context.clear_cookies()
        page.keyboard.press("2")
        page.keyboard.press("Enter")
        page.get_by_text("Your session has ended.").wait_for()
        assert "1 annotation waits here until then" in page.locator("[data-network]").inner_text()
        second = text.inner_text()
        page.keyboard.press("1")  # half of a decision
        page.get_by_role("link", name="Sign in again").click()
        sign_in(page, coder)
        assert page.url.endswith("/coding?whole=true")
        wait_until(lambda: page.evaluate("localStorage.length") == 0, "the annotation to be sent")
        [annotation] = client.get("/v1/annotations").json()["annotations"]
        assert annotation["frames"] == {"foreign_hand": "advanced"}
        assert (text.inner_text(), first != second) == (second, True)
        assert page.locator("[data-frame][aria-pressed=true]").get_attribute("data-frame") == "blame_on_leadership"
