"""What all pages share: header, navigation, explanations, dates, numbers with nouns, errors that say what to do."""

import re
from datetime import UTC, date, datetime
from html.parser import HTMLParser

import pytest

from labels.wording import counted
from service.errors import ForbiddenError
from service.http.places import BusyError
from service.pages import render
from service.pages.explained import TERMS, explanation_of
from tests.support.paths import ROOT

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
ADDRESSES = ("/", "/classify", "/articles", "/coding", "/coding?coder=lena", "/models", "/codebook", "/audit")


class Ids(HTMLParser):
    """Collects the ids of a page, and what refers to them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.references: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name == "id":
                self.ids.append(value)
            if name in ("aria-labelledby", "aria-describedby", "popovertarget", "for"):
                self.references |= set(value.split())


@pytest.mark.parametrize("address", ADDRESSES)
def test_every_page_says_what_the_product_is_and_has_unique_ids(client, address):
    page = client.get(address).text
    assert "<strong>Media framing</strong>" in page
    assert "Finds and counts frames in news, paragraph by paragraph" in page
    ids = Ids(page)
    assert sorted(set(ids.ids)) == sorted(ids.ids)
    assert ids.references <= set(ids.ids)


@pytest.mark.parametrize("term", TERMS)
def test_a_term_is_explained_in_two_lines_with_a_link_that_leads_somewhere(client, codebook, term):
    explanation = explanation_of(term)
    assert 100 < len(explanation.text) <= 260
    if explanation.link.startswith("/"):
        assert client.get(explanation.link).status_code == 200
        return
    document, _, anchor = explanation.link.partition("/docs/")[2].partition("#")
    headings = re.findall(r"^#+ (.+)$", (ROOT / "docs" / document).read_text(encoding="utf-8"), re.MULTILINE)
    assert anchor in [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings]


def test_numbers_agree_with_their_nouns():
    assert counted(0, "paragraph") == "0 paragraphs"
    assert counted(1, "paragraph") == "1 paragraph"
    assert counted(12_040, "paragraph") == "12,040 paragraphs"
    assert counted(2, "story", "stories") == "2 stories"


def test_a_single_article_of_a_single_paragraph_is_counted_in_the_singular_on_every_page(client):
    client.post("/v1/articles", json={"text": "Troops killed eleven militants in the valley, the army announced."})
    for address in ADDRESSES:
        assert (
            re.search(r"\b1 (paragraphs|articles|annotations|pieces|frames|examples)\b", client.get(address).text)
            is None
        )


def test_all_dates_have_the_same_form():
    pages = render._TEMPLATES.from_string("{{ when|day }}")
    assert {pages.render(when=when) for when in (date(2026, 3, 3), datetime(2026, 3, 3, tzinfo=UTC), "2026-03-03")} == {
        "3 March 2026"
    }
    assert render._TEMPLATES.from_string("{{ when|moment }}").render(when=datetime(2026, 3, 3, 14, 5, tzinfo=UTC)) == (
        "3 March 2026, 14:05"
    )


def test_a_message_is_shown_as_text_with_its_commands_set_as_code():
    page = render._TEMPLATES.from_string("{{ message|with_code }}").render(message="Run `framing train` <b>now</b>.")
    assert page == "Run <code>framing train</code> &lt;b&gt;now&lt;/b&gt;."


def test_a_page_below_an_entry_of_the_navigation_marks_that_entry():
    assert render._entry_of("/coding/desk") == "/coding"
    assert render._entry_of("/codings") == "/codings"
    assert render._entry_of("/") == "/"


def test_who_has_not_signed_in_sees_no_navigation(client):
    assert 'aria-label="Pages"' not in client.get("/sign-in").text


@pytest.mark.parametrize(
    ("address", "advice"),
    [
        ("/articles/" + "0" * 32, '<a href="/articles">search the articles</a>'),
        ("/nowhere", "Check the address"),
        ("/?period=aeon", '<a href="/">Open this page without these parameters</a>'),
    ],
)
def test_an_error_page_says_what_to_do_next(client, address, advice):
    page = client.get(address, headers=BROWSER).text
    assert "What you can do" in page
    assert advice in page


@pytest.mark.parametrize(
    ("error", "status", "advice"),
    [
        (BusyError(), 503, "Try again</a> in a moment"),
        (ForbiddenError("This needs a key of the role admin."), 403, "Sign in with another key"),
        (RuntimeError("internal words"), 500, "If it happens again, tell whoever runs this server"),
    ],
)
def test_what_is_refused_leads_back_to_the_same_address(client, monkeypatch, error, status, advice):
    def fail(*_):
        raise error

    monkeypatch.setattr("service.pages.reader.prevalence.outlets", fail)
    answer = client.get("/articles?q=a+b")
    assert answer.status_code == status
    assert advice in answer.text
    assert re.search(r'href="(/articles\?q=a\+b|/sign-in\?next=/articles%3Fq%3Da%2Bb)"', answer.text)
