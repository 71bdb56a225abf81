"""The site of the demonstration, opened in a browser: steps that tests of pages share."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import httpx2

if TYPE_CHECKING:
    from playwright.sync_api import Page


def is_foreign(url: str, site: httpx2.Client) -> bool:
    """Whether a page that loads this URL contacts anybody but the server."""
    return not url.startswith((str(site.base_url), "data:", "blob:"))


def stored(site: httpx2.Client, number: int = 0) -> Any:
    """The stored article in this place of the list, the latest first."""
    return site.get("/v1/articles?limit=50").json()["articles"][number]


def follow(page: "Page", act: Callable[[], object]) -> None:
    """Does what leads to another page and waits until its modules have run."""
    with page.expect_navigation():
        act()
