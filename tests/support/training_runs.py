"""Starts training runs over HTTP and follows them."""

from typing import Any

import httpx2

from service.store import training_runs
from tests.support.waiting import wait_until


def start(client: httpx2.Client, key: str | None = None, **request: Any) -> str:
    """Starts a run and returns its id; `key` is sent as Idempotency-Key."""
    response = client.post("/v1/training-runs", json=request, headers={"Idempotency-Key": key} if key else {})
    assert response.status_code == 202, response.text
    run: str = response.json()["id"]
    assert response.headers["location"] == f"/v1/training-runs/{run}"
    return run


def state_of(client: httpx2.Client, run: str) -> dict[str, Any]:
    state: dict[str, Any] = client.get(f"/v1/training-runs/{run}").json()
    return state


def wait_for_end(client: httpx2.Client, run: str, seconds: float = 60) -> dict[str, Any]:
    """Waits until the run has ended and returns its state."""
    wait_until(lambda: state_of(client, run)["state"] in training_runs.ENDED, f"the end of run {run}", seconds)
    return state_of(client, run)
