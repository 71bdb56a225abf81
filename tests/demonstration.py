"""The demonstration's site, opened in a browser: fixtures and steps of the tests of pages."""

import os
import shutil
import subprocess
import sys

import pytest
from browser import CHROMIUM, chromium
from conftest import environment, running_server

needs_chromium = pytest.mark.skipif(
    CHROMIUM is None and not os.environ.get("FRAMING_TESTS_REQUIRE_BROWSER"),
    reason="Chromium is not installed (apt-get install chromium)",
)


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.fail("Chromium is needed for the tests of the pages.", pytrace=False)
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def site(trained_folder, tmp_path_factory):
    """A server with the demonstration's articles and codes, and a client of its API."""
    data = tmp_path_factory.mktemp("site") / "data"
    shutil.copytree(trained_folder.parent, data)
    command = [sys.executable, "-m", "service.cli", "demo", "--json"]
    subprocess.run(command, env=environment(data_dir=data), check=True, capture_output=True)
    with running_server(data) as (client, _):
        yield client


@pytest.fixture
def context(browser, site):
    context = browser.new_context(base_url=str(site.base_url), viewport={"width": 1280, "height": 900})
    yield context
    context.close()


@pytest.fixture
def page(context, site):
    """A page that may print nothing to the console, break nowhere and ask nobody but the server."""
    page = context.new_page()
    told = []
    page.on("console", lambda message: told.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: told.append(f"error: {error}"))
    page.on("request", lambda request: told.append(request.url) if foreign(request.url, site) else None)
    page.expected = []
    yield page
    assert [line for line in told if not any(pattern in line for pattern in page.expected)] == []


def foreign(url, site):
    return not url.startswith((str(site.base_url), "data:", "blob:"))


def stored(site, number=0):
    return site.get("/v1/articles?limit=50").json()["articles"][number]


def follow(page, act):
    """Does what leads to another page and waits until that one is loaded and its modules have run."""
    with page.expect_navigation():
        act()
