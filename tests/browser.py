"""Chromium for the tests of the pages and for `make screenshots`."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@contextmanager
def chromium() -> "Iterator[Browser]":
    """A headless browser of the system; it may reach this machine only."""
    from playwright.sync_api import sync_playwright  # a quarter of a second, of processes without such tests too

    with sync_playwright() as playwright:
        rules = "MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*_FLAGS, f"--host-resolver-rules={rules}"])
        yield browser
        browser.close()
