"""Reads answers of the service."""

from typing import Any

import httpx2


def pointers(problem: dict[str, Any]) -> list[str]:
    """JSON pointers to the fields that a problem document complains about."""
    return [error["pointer"] for error in problem.get("errors", [])]


def answers(client: httpx2.Client, path: str) -> bool:
    """Whether the server answers a GET of this path with 200."""
    try:
        return bool(client.get(path).status_code == 200)
    except httpx2.TransportError:
        return False
