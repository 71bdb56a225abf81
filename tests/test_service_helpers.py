"""Processes that help with huge articles."""

import json
import os
import signal
from pathlib import Path

import pytest
from conftest import running_server, wait_until

from benchmarks.server import children
from service.articles.answers import as_json, classified
from service.articles.reading import open_article, read
from service.articles.scoring_pool import Helpers
from service.schemas.articles import ClassifyRequest

HUGE = [f"The army moved into valley {n} and the ministers blamed a neighbouring state." for n in range(700)]


@pytest.fixture
def helpers(settings):
    helpers = Helpers(settings.model_copy(update={"helpers": 2}))
    yield helpers
    helpers.stop()


def helped(helpers, request, opened, model):
    """The answer by helpers, once they have started."""
    found = []
    wait_until(lambda: found.append(helpers.answer(request, opened, model.card)) or found[-1] is not None, "helpers")
    return json.loads(found[-1].content)


def opened_and_answered(request, model, settings):
    opened = open_article(request, model, settings)
    reading = read(opened, request, model)
    return opened, json.loads(as_json(classified(request, reading, model.card, evidence_terms=settings.evidence_terms)))


@pytest.mark.parametrize(
    "more", [{}, {"explain": False, "operating_point": "high_recall", "thresholds": {"foreign_hand": 0.5}}]
)
@pytest.mark.parametrize("field", ["paragraphs", "html"])
def test_helpers_answer_as_the_server_itself_does(helpers, settings, registry, field, more):
    model, _ = registry.load_champion()
    content = HUGE if field == "paragraphs" else "".join(f"<p>{text}</p>" for text in HUGE)
    request = ClassifyRequest(**{field: content}, **more)
    opened, expected = opened_and_answered(request, model, settings)
    answer = helped(helpers, request, opened, model)
    article, by_helpers = expected.pop("article"), answer.pop("article")
    assert answer == expected
    for frame, found in article["frames"].items():
        stances = by_helpers["frames"][frame].pop("stances", None)
        assert stances == pytest.approx(found.pop("stances", None))
        assert by_helpers["frames"][frame] == found


def test_small_articles_and_those_of_a_server_without_helpers_are_answered_by_the_server(helpers, settings, registry):
    model, _ = registry.load_champion()
    small, huge = ClassifyRequest(paragraphs=HUGE[:20]), ClassifyRequest(paragraphs=HUGE)
    assert helpers.answer(small, open_article(small, model, settings), model.card) is None
    none = Helpers(settings.model_copy(update={"helpers": 0}))
    assert none.answer(huge, open_article(huge, model, settings), model.card) is None


def test_where_no_helper_can_start_the_server_answers(helpers, settings, registry, monkeypatch):
    def refuse(*_args, **_kwargs):
        raise OSError("no room for a semaphore")

    monkeypatch.setattr("joblib.externals.loky.get_reusable_executor", refuse)
    model, _ = registry.load_champion()
    request = ClassifyRequest(paragraphs=HUGE)
    assert helpers.answer(request, open_article(request, model, settings), model.card) is None


def helpers_of(process):
    """Processes that loky started for a server."""
    return [child for child in children(process.pid) if b"popen_loky" in Path(f"/proc/{child}/cmdline").read_bytes()]


def test_a_helper_that_is_killed_costs_no_answer_and_none_outlives_the_server(models_folder):
    with running_server(models_folder.parent, helpers="2") as (client, process):

        def ask():
            answer = client.post("/v1/classify", json={"paragraphs": HUGE, "explain": False})
            assert (answer.status_code, len(answer.json()["paragraphs"])) == (200, len(HUGE))

        def started():
            ask()
            return len(helpers_of(process)) == 2

        wait_until(started, "two helpers")
        killed = helpers_of(process)
        os.kill(killed[0], signal.SIGKILL)
        ask()
        wait_until(started, "two helpers again")
        last = helpers_of(process)
        assert killed[0] not in last
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=20)
        wait_until(lambda: not any(Path(f"/proc/{one}").exists() for one in last), "the helpers to end")
