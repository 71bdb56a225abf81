"""Asks the service, and reads its answers."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
from starlette.testclient import TestClient

from service.app import create_app
from service.settings import Settings


@contextmanager
def api_of(settings: Settings, **changes: Any) -> Iterator[TestClient]:
    """A client of the service under changed settings, in this process."""
    app = create_app(settings.model_copy(update=changes))
    with TestClient(app, raise_server_exceptions=False, follow_redirects=False) as client:
        yield client


def bearer(shown: str) -> dict[str, str]:
    """The header that sends a key."""
    return {"Authorization": f"Bearer {shown}"}


def pointers(problem: dict[str, Any]) -> list[str]:
    """JSON pointers to the fields that a problem document complains about."""
    return [error["pointer"] for error in problem.get("errors", [])]


def answers(client: httpx2.Client, path: str) -> bool:
    """Whether the server answers a GET of this path with 200."""
    try:
        return bool(client.get(path).status_code == 200)
    except httpx2.TransportError:
        return False


def fetch(client: httpx2.Client, path: str = "/v1/prevalence", **parameters: Any) -> Any:
    """What the API answers to a GET that succeeds; a parameter that Python reserves may end in an underscore."""
    answer = client.get(path, params={name.rstrip("_"): value for name, value in parameters.items()})
    assert answer.status_code == 200, answer.text
    return answer.json()
