"""The clock is set back and forth: what was promised for a time neither ends early nor locks anybody out."""

import sys
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from starlette.testclient import TestClient

from service.access import limits
from service.app import create_app
from tests.support.articles import THREE_PARAGRAPHS
from tests.support.http import bearer


@pytest.fixture
def clock(monkeypatch):
    """The clock of what the service stores; `offset` sets it."""
    clock = SimpleNamespace(offset=timedelta(0))

    class Shifted(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.now(tz) + clock.offset

    for name, module in list(sys.modules.items()):
        if name.startswith(("service.store.", "service.access.")) and getattr(module, "datetime", None) is datetime:
            monkeypatch.setattr(module, "datetime", Shifted)
    moment = datetime(2026, 3, 1, 12, 0, 30, tzinfo=UTC)

    def shifted_time():
        return (moment + clock.offset).timestamp()

    monkeypatch.setattr(limits, "time", SimpleNamespace(time=shifted_time))
    return clock


@pytest.mark.databases
def test_a_repeated_request_is_recognised_while_the_clock_is_set_back_and_forth(settings, key_of, clock):
    headers = {**bearer(key_of["admin"]), "Idempotency-Key": "once"}
    with TestClient(create_app(settings)) as client:
        first = client.post("/v1/articles", json={"text": THREE_PARAGRAPHS}, headers=headers)
        for hours in (-1, 1, -1, 0, 23):
            clock.offset = timedelta(hours=hours)
            other = {"text": f"{THREE_PARAGRAPHS} {hours}"}
            client.post("/v1/articles", json=other, headers={**headers, "Idempotency-Key": f"other{hours}"})
            again = client.post("/v1/articles", json={"text": THREE_PARAGRAPHS}, headers=headers)
            assert again.json() == first.json()


@pytest.mark.databases
def test_a_session_lasts_its_hours_by_the_clock_as_it_is_now(settings, key_of, clock):
    with TestClient(create_app(settings), follow_redirects=False) as client:
        client.post("/sign-in", data={"key": key_of["reader"]})
        for hours, status in ((0, 200), (-1, 200), (1, 200), (11, 200), (13, 401), (0, 200)):
            clock.offset = timedelta(hours=hours)
            client.app.state.services.gate.clear_cache()
            assert client.get("/v1/codebook").status_code == status


@pytest.mark.databases
def test_a_request_limit_holds_in_every_minute_and_locks_nobody_out_when_the_clock_is_set_back(settings, key_of, clock):
    settings = settings.model_copy(update={"rate_per_minute": 3})
    with TestClient(create_app(settings)) as client:
        for minutes in (0, 60, -60, -61, 90, -59):
            clock.offset = timedelta(minutes=minutes)
            statuses = [client.get("/v1/codebook", headers=bearer(key_of["reader"])).status_code for _ in range(5)]
            assert statuses == [200, 200, 200, 429, 429]
