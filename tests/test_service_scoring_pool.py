"""Processes that score huge articles in pieces."""

import json
import os
import signal
from pathlib import Path

import pytest

from service.articles.answers import as_json, classified_answer
from service.articles.reading import classify_article, read_article
from service.articles.scoring_pool import ScoringPool
from service.schemas.articles import ClassifyRequest
from service.settings import Settings
from tests.support.procfs import children, command_of
from tests.support.servers import running_server
from tests.support.waiting import wait_until

HUGE = [f"The army moved into valley {n} and the ministers blamed a neighbouring state." for n in range(700)]


@pytest.fixture(scope="module")
def started_pool(trained_folder):
    """A pool for tests that only have it score, so that its processes start once."""
    pool = ScoringPool(Settings(data_dir=trained_folder.parent, scoring_processes=2))
    yield pool
    pool.stop()


@pytest.fixture
def pool(settings):
    pool = ScoringPool(settings.model_copy(update={"scoring_processes": 2}))
    yield pool
    pool.stop()


def answer_of_the_pool(pool, request, article, model):
    """The answer, once the processes have started."""
    answers = []
    wait_until(lambda: answers.append(pool.answer(request, article, model)) or answers[-1] is not None, "the pool")
    return json.loads(answers[-1].content)


def answer_of_the_server(request, article, model, settings):
    classification = classify_article(article, request, model)
    evidence = settings.evidence_terms
    return json.loads(as_json(classified_answer(request, article, classification, model, evidence_terms=evidence)))


@pytest.mark.parametrize(
    "more", [{}, {"explain": False, "operating_point": "high_recall", "thresholds": {"foreign_hand": 0.5}}]
)
@pytest.mark.parametrize("field", ["paragraphs", "html"])
def test_the_pool_answers_as_the_server_itself_does(started_pool, settings, registry, field, more):
    model, _ = registry.load_champion()
    content = HUGE if field == "paragraphs" else "".join(f"<p>{text}</p>" for text in HUGE)
    request = ClassifyRequest(**{field: content}, **more)
    article = read_article(request, model, settings)
    expected = answer_of_the_server(request, article, model, settings)
    answer = answer_of_the_pool(started_pool, request, article, model)
    whole, whole_of_the_pool = expected.pop("article"), answer.pop("article")
    assert answer == expected
    for key, frame in whole["frames"].items():
        stances = whole_of_the_pool["frames"][key].pop("stances", None)
        assert stances == pytest.approx(frame.pop("stances", None))
        assert whole_of_the_pool["frames"][key] == frame


def test_small_articles_and_servers_without_a_pool_are_left_to_the_server(pool, settings, registry):
    model, _ = registry.load_champion()
    small, huge = ClassifyRequest(paragraphs=HUGE[:20]), ClassifyRequest(paragraphs=HUGE)
    assert pool.answer(small, read_article(small, model, settings), model) is None
    empty = ScoringPool(settings.model_copy(update={"scoring_processes": 0}))
    assert empty.answer(huge, read_article(huge, model, settings), model) is None


def test_the_server_answers_if_no_process_can_start(pool, settings, registry, monkeypatch):
    def refuse(*_args, **_kwargs):
        raise OSError("no room for a semaphore")

    monkeypatch.setattr("joblib.externals.loky.get_reusable_executor", refuse)
    model, _ = registry.load_champion()
    request = ClassifyRequest(paragraphs=HUGE)
    assert pool.answer(request, read_article(request, model, settings), model) is None


def processes_of(server):
    """Processes that loky started for a server."""
    return [child for child in children(server.pid) if b"popen_loky" in command_of(child)]


def test_a_killed_process_costs_no_answer_and_none_outlives_the_server(models_folder):
    with running_server(models_folder.parent, scoring_processes="2") as (client, server):

        def classify():
            answer = client.post("/v1/classify", json={"paragraphs": HUGE, "explain": False})
            assert (answer.status_code, len(answer.json()["paragraphs"])) == (200, len(HUGE))

        def started():
            classify()
            return len(processes_of(server)) == 2

        wait_until(started, "two processes")
        first = processes_of(server)
        os.kill(first[0], signal.SIGKILL)
        classify()
        wait_until(started, "two processes again")
        last = processes_of(server)
        assert first[0] not in last
        server.send_signal(signal.SIGTERM)
        server.wait(timeout=20)
        wait_until(lambda: not any(Path(f"/proc/{process}").exists() for process in last), "the processes to end")
