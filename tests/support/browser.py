"""Chromium for the tests of the pages and for `make screenshots`."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

needs_chromium = pytest.mark.skipif(
    CHROMIUM is None and not os.environ.get("FRAMING_TESTS_REQUIRE_BROWSER"),
    reason="Chromium is not installed (apt-get install chromium)",
)

_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # It would protect this machine from pages of other sites, which our own code has to do for every browser.
    "--disable-features=LocalNetworkAccessChecks,BlockInsecurePrivateNetworkRequests",
)


@contextmanager
def chromium(*names: str) -> "Iterator[Browser]":
    """Runs the system's browser without a window; it can reach this machine only, also under other names."""
    from playwright.sync_api import sync_playwright  # takes 0.25 s, which most test processes do not need

    with sync_playwright() as playwright:
        own = "".join(f"MAP {name} 127.0.0.1 , " for name in names)
        rules = f"{own}MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*_FLAGS, f"--host-resolver-rules={rules}"])
        yield browser
        browser.close()


def serious_barriers(page: "Page") -> list[str]:
    """What axe finds on a page that keeps people out: each rule with the element that breaks it."""
    from axe_playwright_python.sync_playwright import Axe

    violations = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    return [
        f"{violation['id']}: {node['html'][:200]}"
        for violation in violations
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]
    ]
