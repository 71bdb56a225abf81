"""From signing in to going back to the earlier model, in a real browser, by somebody who has no mouse."""

import re
from operator import itemgetter

import pytest

from service.access.secrets import create_key
from service.store.sql.database import Database
from tests.support.articles import articles
from tests.support.browser import needs_chromium
from tests.support.servers import running_server
from tests.support.waiting import wait_until

pytestmark = needs_chromium

ARTICLES, ANNOTATED = 3, 40  # of forty-five paragraphs
UNDONE, CHANGED = 20, 38  # the annotation that is undone, and that which is changed later
FRAMES = ("blame_on_leadership", "foreign_hand", "grievance_driven", "militarized_response")
DISPUTED, OTHERWISE = 17, {"foreign_hand": "contested"}  # a case, and what the second coder sees in it

# Whether the focus is where a person can see it: marked, on the screen, and under no bar.
SEEN = """() => {
  const element = document.activeElement;
  const box = [...element.getClientRects()].find(({ width, height }) => width && height);
  if (!box || !element.matches(":focus-visible")) return false;
  const middle = (start, length, size) => Math.min(Math.max(start + length / 2, 1), size - 1);
  const [x, y] = [middle(box.left, box.width, innerWidth), middle(box.top, box.height, innerHeight)];
  const top = document.elementFromPoint(x, y);
  return box.bottom > 0 && box.top < innerHeight && (element.contains(top) || Boolean(top?.contains(element)));
}"""


@pytest.fixture
def keys(models_folder):
    """The keys of an administrator, who codes too, and of a second coder."""
    database = Database(f"sqlite:///{models_folder.parent / 'framing.sqlite3'}")
    database.migrate()
    with database.write() as connection:
        mira = create_key(connection, "mira", "admin", None).shown
        tomas = create_key(connection, "tomas", "coder", None).shown
    database.close()
    return {"mira": mira, "tomas": tomas}


class Person:
    """Somebody at the keyboard of a page."""

    def __init__(self, page):
        self.page = page

    def press(self, *names):
        for name in names:
            self.page.keyboard.press(name)

    def types(self, text):
        self.page.keyboard.type(text)

    def tabs_to(self, locator):
        """Presses Tab until an element has the focus, which never goes where nobody sees it."""
        for _ in range(80):
            if self.is_on(locator):
                return
            self.press("Tab")
            away = self.page.evaluate("document.activeElement === document.body")  # in the bar of the browser
            assert away or self.page.evaluate(SEEN), self.page.evaluate("document.activeElement.outerHTML")
        pytest.fail(f"{locator} is not reached by Tab.")

    def is_on(self, locator):
        return locator.evaluate("element => element === document.activeElement")

    def follows(self, name, heading):
        """Goes to a link and follows it."""
        self.tabs_to(self.page.get_by_role("link", name=name, exact=True))
        self.press("Enter")
        self.page.get_by_role("heading", level=1, name=heading, exact=True).wait_for()


def case_of(text):
    """The number with which a paragraph of `articles` ends."""
    return int(re.search(r"in case (\d+)\.$", text)[1])


def decided_on(case):
    """What both coders see in a paragraph, as frames; every fifth carries none."""
    return {FRAMES[case % 5]: "advanced"} if case % 5 < len(FRAMES) else {}


def store_and_annotate(client, key):
    """Stores the articles, of which the second coder annotates the beginnings, one paragraph otherwise than the first
    coder will; returns the case of each stored paragraph.
    """
    cases = {}
    for number, paragraphs in enumerate(articles(ARTICLES)):
        stored = client.post("/v1/articles", json={"text": "\n\n".join(paragraphs), "title": f"Report {number}"})
        article = stored.json()["id"]
        cases |= {(article, place): case_of(text) for place, text in enumerate(paragraphs)}
        for place in range(5):
            case = cases[article, place]
            frames = OTHERWISE if case == DISPUTED else decided_on(case)
            body = {"coder": "tomas", "article_id": article, "paragraph": place, "frames": frames}
            sent = client.post("/v1/annotations", json=body, headers={"Authorization": f"Bearer {key}"})
            assert sent.status_code == 201, sent.text
    return cases


def sign_in(person, key):
    page = person.page
    page.goto("/coding")
    assert person.is_on(page.get_by_label("Key"))
    person.types(key)
    person.press("Enter")
    name = page.get_by_label("Your name")
    name.wait_for()
    person.tabs_to(name)
    person.types("mira")
    person.tabs_to(page.get_by_label("whole articles"))
    person.press("Space")
    person.tabs_to(page.get_by_role("button", name="Start"))
    person.press("Enter")


def annotate(person, frames):
    """Chooses these frames by their keys and saves."""
    for frame in frames:
        person.press(str(FRAMES.index(frame) + 1))
    person.press("Enter" if frames else "n")


def wait_for_the_server(page):
    unsent = "Object.keys(localStorage).filter((name) => name.startsWith('framing-outbox')).length"
    wait_until(lambda: page.evaluate(unsent) == 0, "all annotations to be stored")


def code(person):
    """Annotates forty paragraphs, undoes one at once and changes another later; returns their cases in order."""
    page, cases, held = person.page, [], []
    text = page.locator("[data-text]", has_text="in case")
    for number in range(ANNOTATED):
        case = case_of(text.inner_text())
        cases.append(case)
        if number == ANNOTATED - 1:
            page.route("**/v1/annotations", lambda route: held.append(route), times=1)  # noqa: PLW0108 - playwright inspects the signature of the function
        if number == UNDONE:
            annotate(person, {"militarized_response": "advanced", "foreign_hand": "advanced"})
            person.press("u")
            wait_until(lambda case=case: case_of(text.inner_text()) == case, "the paragraph to come back")
            person.press(*["4"] * 3, *["2"] * 3)  # takes both away
        annotate(person, decided_on(case))
        wait_until(lambda case=case: case_of(text.inner_text()) != case, "the next paragraph")
    assert page.locator("[data-coded]").inner_text() == str(ANNOTATED)
    person.press("r")
    for _ in range(ANNOTATED - 1 - CHANGED):
        person.press("Tab")
    wait_until(lambda: page.wait_for_timeout(20) or held, "the last annotation to be sent")
    held[0].continue_()
    wait_for_the_server(page)  # whose answer does not take the focus away
    person.press("Enter")
    assert case_of(text.inner_text()) == cases[CHANGED]
    [frame] = decided_on(cases[CHANGED])
    person.press(str(FRAMES.index(frame) + 1), "m")
    person.types("read once more")
    person.press("Enter")
    page.locator("[data-toast]", has_text="Changed to").wait_for()
    wait_for_the_server(page)
    return cases


def adjudicate(person):
    """Settles the only disagreement as the second coder decided."""
    page = person.page
    person.follows("Coders", "Coders")
    person.follows("Settle them", "Disagreements")
    page.locator("[data-count]", has_text="1 paragraph to settle").wait_for()
    assert case_of(page.locator("[data-text]").inner_text()) == DISPUTED
    notice = page.locator("[data-notice]")
    for _ in range(2):
        person.press("d")
        if notice.inner_text().startswith("As tomas decided"):
            break
    person.press("m")
    person.types("the army denies it")
    person.press("Enter")
    page.locator("[data-nothing]", has_text="Nothing waits to be settled").wait_for()
    person.tabs_to(page.locator("[data-toast] button"))  # it could still be undone


def retrain(person):
    page = person.page
    person.follows("Models", "Models")
    person.tabs_to(page.locator("[data-train] input[name=note]"))
    person.types("forty paragraphs")
    person.tabs_to(page.get_by_role("button", name="Train", exact=True))
    person.press("Enter")
    outcome = page.locator("[data-outcome]")
    outcome.wait_for(timeout=90_000)
    assert "v2 was made and not promoted" in outcome.inner_text()
    person.tabs_to(outcome.locator("a"))
    person.press("Enter")
    assert person.is_on(page.locator("#v2 h2").first)


def promote(person):
    """Promotes the challenger, also against the verdict."""
    page = person.page
    person.tabs_to(page.get_by_role("button", name="Promote v2…"))
    person.press("Enter")
    dialog = page.get_by_role("dialog", name="Promote v2?")
    person.types("it has read our texts")  # the first field has the focus
    against = dialog.get_by_label("against the verdict")
    if against.count():
        person.tabs_to(against)
        person.press("Space")
    person.tabs_to(dialog.get_by_role("button", name="Promote v2"))
    person.press("Enter")
    page.locator("[data-outcome]").get_by_text("v2 is the current model from now on.").wait_for()


def go_back(person):
    page = person.page
    person.tabs_to(page.get_by_role("button", name="Back to v1…"))
    person.press("Enter")
    dialog = page.get_by_role("dialog", name="Go back to v1?")
    person.types("too few of them yet")
    person.tabs_to(dialog.get_by_role("button", name="Go back to v1"))
    person.press("Enter")
    page.locator("[data-outcome]").get_by_text("v1 is the current model again.").wait_for()


def annotations_of(client, coder, cases):
    """Role, case, frames and note of each annotation in force."""
    listed = client.get("/v1/annotations", params={"coder": coder, "limit": 1000}).json()["annotations"]
    return [(a["role"], cases[a["article_id"], a["paragraph"]], a["frames"], a["note"]) for a in listed]


def test_a_person_without_a_mouse_annotates_settles_retrains_promotes_and_goes_back(browser, data_dir, keys):
    with running_server(data_dir, worker="true") as (client, _):
        client.headers["Authorization"] = f"Bearer {keys['mira']}"
        cases = store_and_annotate(client, keys["tomas"])
        # A screen of 1280 by 800 pixels, enlarged to 200%.
        context = browser.new_context(base_url=str(client.base_url), viewport={"width": 640, "height": 400})
        page, complaints = context.new_page(), []
        page.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
        person = Person(page)
        sign_in(person, keys["mira"])
        coded = code(person)
        adjudicate(person)
        retrain(person)
        promote(person)
        assert client.get("/v1/models").json()["champion"] == "v2"
        go_back(person)
        context.close()
        assert complaints == []

        assert client.get("/v1/models").json()["champion"] == "v1"
        history = client.get("/v1/models/history").json()["promotions"]
        assert [(h["action"], h["version"], h["by"], h["reason"]) for h in history[:2]] == [
            ("rollback", "v1", "mira", "too few of them yet"),
            ("promote", "v2", "mira", "it has read our texts"),
        ]
        changed = coded[CHANGED]
        expected = [("coder", case, decided_on(case), "") for case in coded if case != changed]
        expected.append(("coder", changed, dict.fromkeys(decided_on(changed), "reported"), "read once more"))
        assert len(expected) == ANNOTATED
        expected.append(("adjudicator", DISPUTED, OTHERWISE, "the army denies it"))
        in_order = itemgetter(0, 1)
        assert sorted(annotations_of(client, "mira", cases), key=in_order) == sorted(expected, key=in_order)
        assert len(annotations_of(client, "tomas", cases)) == 5 * ARTICLES
