"""Training runs with a real server and worker: progress, promotion, rollback, faults."""

import errno
import hashlib
import json
import os
import re
import subprocess
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from service.jobs.training_run import TrainingRunner
from service.schemas.hyperparameters import HyperparametersRequest, chosen
from service.settings import Settings
from service.store import training_runs
from service.store.sql.database import Database
from tests.support.articles import THREE_PARAGRAPHS
from tests.support.paths import ROOT
from tests.support.servers import running_server, running_worker
from tests.support.training_runs import start, state_of, wait_for_end
from tests.support.waiting import wait_until
from training.challenger import evaluate_held_out
from training.dataset import build_dataset, is_held_out
from training.errors import StorageError, TrainingDataError
from training.hyperparameters import Hyperparameters
from training.registry import storage as storage_module
from training.registry.versions import Registry

pytestmark = pytest.mark.databases


def test_a_run_is_followed_by_events_to_its_verdict_and_label_diff(data_dir, part_of_the_corpus):
    with running_server(data_dir, worker="true") as (client, _process):
        client.post("/v1/articles", json={"text": THREE_PARAGRAPHS})
        run = start(client, note="first round", hyperparameters={"regularisation": 0.3})
        with client.stream("GET", f"/v1/training-runs/{run}/events") as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            lines = [line for line in stream.iter_lines() if line.startswith("data: ")]
        events = [json.loads(line.removeprefix("data: ")) for line in lines]
    progress = [event["progress"] for event in events]
    assert progress == sorted(progress)
    assert (events[-1]["state"], events[-1]["step"], progress[-1]) == ("succeeded", "promote", 1.0)
    last, paragraphs = events[-1], part_of_the_corpus.read_text().count("\n")
    assert (last["version"], last["promoted"]) == ("v2", False)
    assert (last["annotations"], last["corpus_paragraphs"]) == (0, paragraphs)
    assert last["outcome"].startswith("v2 was made and not promoted")
    assert last["verdict"]["champion"] == "v1"
    assert last["verdict"]["reason"]
    assert last["label_diff"]["paragraphs"] == 3
    assert any("registered as v2" in line for line in last["log"])
    card = Registry(data_dir / "models").card("v2")
    assert (card.run, card.note) == (run, "first round")
    assert not (data_dir / "models" / "runs" / run).exists()


@pytest.mark.databases("postgresql")
def test_runs_wait_for_each_other_and_a_repeated_key_returns_the_same_run(data_dir, client):
    first = start(client, key="k", seed=1)
    assert start(client, key="k", seed=1) == first
    assert client.post("/v1/training-runs", json={"seed": 2}, headers={"Idempotency-Key": "k"}).status_code == 409
    second = start(client, seed=2)
    third = start(client, seed=3)
    assert client.post(f"/v1/training-runs/{third}/cancel").json()["state"] == "cancelled"
    with running_worker(data_dir):
        wait_until(lambda: state_of(client, first)["state"] == "running", "the first to run")
        assert state_of(client, second)["state"] == "queued"
        assert wait_for_end(client, first)["state"] == "succeeded"
        assert wait_for_end(client, second)["state"] == "succeeded"
    assert state_of(client, first)["finished_at"] <= state_of(client, second)["started_at"]
    assert Registry(data_dir / "models").versions() == ["v1", "v2", "v3"]
    listed = client.get("/v1/training-runs", params={"limit": 2}).json()
    assert [run["id"] for run in listed["training_runs"]] == [third, second]
    following = client.get("/v1/training-runs", params={"cursor": listed["next"]}).json()
    assert [run["id"] for run in following["training_runs"]] == [first]


def test_the_log_of_actions_has_a_line_for_each_run_that_was_queued_or_cancelled_and_none_for_repetitions(
    settings, client
):
    def logged(action):
        return [line["subject"] for line in client.get("/v1/audit", params={"action": action}).json()["lines"]]

    first = start(client, key="k")
    assert start(client, key="k") == first
    second = start(client)
    assert logged("train") == [second, first]
    with closing(Database(settings.store_url)) as database, database.write() as connection:
        training_runs.change(connection, first, state="running")
    for run in (first, first, second, second):
        assert client.post(f"/v1/training-runs/{run}/cancel").status_code == 200
    assert logged("cancel training") == [second, first]
    assert sum("stop requested" in line for line in state_of(client, first)["log"]) == 1
    assert client.post(f"/v1/training-runs/{'0' * 32}/cancel").status_code == 404


def test_a_running_run_can_be_cancelled(data_dir, client):
    run = start(client)
    with running_worker(data_dir):
        wait_until(lambda: state_of(client, run)["step"] == "train", "the training")
        client.post(f"/v1/training-runs/{run}/cancel")
        assert wait_for_end(client, run)["state"] == "cancelled"
    assert Registry(data_dir / "models").versions() == ["v1"]


@pytest.mark.databases("sqlite")
def test_a_run_without_enough_annotations_fails_with_a_sentence_and_the_next_run_succeeds(data_dir, client):
    client.post("/v1/annotations", json={"coder": "m", "text": "The army.", "source": "radio", "frames": {}})
    run, following = start(client, include_corpus=False), start(client)
    with running_worker(data_dir):
        ended = wait_for_end(client, run)
        assert wait_for_end(client, following)["state"] == "succeeded"
    assert (ended["state"], ended["step"]) == ("failed", "check")
    assert ended["error"].startswith("There are too few annotations to train")


def test_a_run_is_refused_while_the_coders_agree_too_little(data_dir, client, settings, codebook):
    rows = [
        {
            "coder": coder,
            "text": f"Text {n}.",
            "source": "radio",
            "frames": {"foreign_hand": "reported"} if n % k == 0 else {},
        }
        for n in range(40)
        for coder, k in (("ann", 2), ("ben", 4))
    ]
    client.post("/v1/annotations", json=rows)
    run = start(client)
    database = Database(settings.store_url)
    strict = settings.model_copy(update={"min_alpha": 0.7})
    runner = TrainingRunner(strict, database, Registry(data_dir / "models"), codebook)
    runner.perform("snapshot", run)
    with pytest.raises(TrainingDataError, match=r"agree too little on 'foreign_hand': Krippendorff's alpha is 0\.\d+"):
        runner.perform("check", run)
    TrainingRunner(settings, database, Registry(data_dir / "models"), codebook).perform("check", run)
    database.close()


def test_bad_requests_for_runs_are_named(client):
    for body, pointer in (
        ({"seed": -1}, "/seed"),
        ({"hyperparameters": {"regularisation": 0}}, "/hyperparameters/regularisation"),
        ({"hyperparameters": {"depth": 3}}, "/hyperparameters/depth"),
        ({"hyperparameters": {"characters": 9}}, "/hyperparameters/characters"),
        ({"hyperparameters": {"concepts": -1}}, "/hyperparameters/concepts"),
        ({"coders": []}, "/coders"),
    ):
        response = client.post("/v1/training-runs", json=body)
        assert response.status_code == 422
        assert response.json()["errors"][0]["pointer"] == pointer
    assert client.get("/v1/training-runs/" + "0" * 32).status_code == 404


def test_the_request_of_a_run_overrides_the_settings():
    of_service, of_run = HyperparametersRequest(names=True, regularisation=2), HyperparametersRequest(regularisation=3)
    assert chosen(of_service, of_run) == Hyperparameters(names=True, regularisation=3)
    assert set(HyperparametersRequest.model_fields) == set(Hyperparameters().as_dict())


def test_stored_annotations_are_trained_on_and_adjudication_settles_them(data_dir, client, settings, codebook, corpus):
    text = "The quetzal council said so."
    for coder, role, frames in (
        ("a", "coder", {}),
        ("b", "coder", {}),
        ("c", "adjudicator", {"foreign_hand": "present"}),
    ):
        client.post(
            "/v1/annotations",
            json={"coder": coder, "role": role, "text": text, "source": "radio", "frames": frames},
        )
    run = start(client)
    database = Database(settings.store_url)
    runner = TrainingRunner(settings, database, Registry(data_dir / "models"), codebook)
    runner.perform("snapshot", run)
    rows = [
        json.loads(line) for line in (data_dir / "models" / "runs" / run / "snapshot.jsonl").read_text().splitlines()
    ]
    [own] = [row for row in rows if row["text"] == text]
    assert own["annotations"] == [{"coder": "c", "frames": {"foreign_hand": "present"}}]
    counted = state_of(client, run)
    assert (counted["annotations"], counted["corpus_paragraphs"]) == (1, len(corpus))
    database.close()


@pytest.mark.databases("sqlite")
def test_a_verdict_against_a_model_has_to_be_overruled_and_the_history_records_that(data_dir, client):
    run = start(client, hyperparameters={"regularisation": 0.01})
    with running_worker(data_dir):
        assert wait_for_end(client, run)["verdict"]["promote"] is False
    refused = client.post("/v1/models/v2/promote", json={"reason": "I like it"})
    assert refused.status_code == 409
    assert "lower by" in refused.json()["detail"]
    forced = client.post("/v1/models/v2/promote", json={"reason": "I like it", "by": "mira", "force": True}).json()
    assert (forced["version"], forced["forced"], forced["by"]) == ("v2", True, "mira")
    assert client.post("/v1/models/rollback", json={"reason": "it was worse", "by": "tom"}).json()["version"] == "v1"
    assert client.post("/v1/models/rollback", json={"reason": "again"}).status_code == 409
    history = client.get("/v1/models/history").json()["promotions"]
    assert [(p["action"], p["version"], p["forced"]) for p in history] == [
        ("rollback", "v1", False), ("promote", "v2", True), ("promote", "v1", False),
    ]  # fmt: skip
    then = client.get("/v1/models/history", params={"at": history[1]["at"]}).json()["promotions"]
    assert [p["version"] for p in then] == ["v2"]
    assert client.get("/v1/models/history", params={"at": "2020-01-01T00:00:00Z"}).json()["promotions"] == []
    assert client.post("/v1/models/v9/promote", json={"reason": "x"}).status_code == 404
    assert client.post("/v1/models/v2/promote", json={}).status_code == 422


@pytest.mark.databases("sqlite")
@pytest.mark.usefixtures("timid_champion")
def test_with_automatic_promotion_only_a_good_verdict_promotes(data_dir, client):
    good, bad = start(client, seed=5), start(client, hyperparameters={"regularisation": 0.01})
    with running_worker(data_dir, promotion="auto"):
        promoted, refused = wait_for_end(client, good), wait_for_end(client, bad)
    assert (promoted["state"], promoted["promoted"]) == (refused["state"], True) == ("succeeded", True)
    assert refused["promoted"] is False
    assert promoted["outcome"] == "v3 was promoted: it is the champion from then on."
    assert refused["outcome"].startswith("v4 was made and not promoted")
    assert refused["outcome"].endswith(refused["verdict"]["reason"])
    champion = Registry(data_dir / "models").champion()
    assert champion.version == "v3"
    assert good in champion.by


def test_a_run_on_the_same_annotations_shows_no_difference_and_promotes_nothing(data_dir, client):
    with running_worker(data_dir, promotion="auto"):
        first = wait_for_end(client, start(client, seed=5))
        client.post(f"/v1/models/{first['version']}/promote", json={"reason": "the newest", "force": True})
        again = wait_for_end(client, start(client, seed=5))
    assert again["verdict"]["gain"]["value"] == 0
    assert again["promoted"] is False
    assert "no difference that" in again["outcome"]


@pytest.mark.databases("sqlite")
def test_stored_articles_are_rescored_and_show_the_old_scores_again_after_a_rollback(data_dir, client):
    texts = [f"{THREE_PARAGRAPHS} {number}" for number in range(30)]
    ids = [client.post("/v1/articles", json={"text": text, "explain": False}).json()["id"] for text in texts]
    before = client.get(f"/v1/articles/{ids[0]}").json()
    run = start(client, hyperparameters={"regularisation": 0.3})
    with running_worker(data_dir):
        wait_for_end(client, run)
        client.post("/v1/models/v2/promote", json={"reason": "try", "force": True})
        wait_until(lambda: client.get("/v1/models/rescoring").json()["scored"] == 30, "all to be scored by v2")
    after = client.get(f"/v1/articles/{ids[0]}").json()
    assert (before["model"]["version"], after["model"]["version"]) == ("v1", "v2")
    assert after["paragraphs"][0]["frames"] != before["paragraphs"][0]["frames"]
    client.post("/v1/models/rollback", json={"reason": "back"})
    assert client.get(f"/v1/articles/{ids[0]}").json() == before


@pytest.mark.databases("sqlite")
def test_a_full_disk_during_registration_fails_the_run_and_the_champion_still_serves(
    data_dir, client, settings, part_of_the_corpus, codebook, monkeypatch
):
    settings = settings.model_copy(update={"corpus": part_of_the_corpus})
    stored = client.post("/v1/articles", json={"text": THREE_PARAGRAPHS}).json()["id"]
    client.post("/v1/annotations", json={"coder": "m", "article_id": stored, "paragraph": 0, "frames": {}})
    run = start(client)
    database = Database(settings.store_url)
    registry = Registry(data_dir / "models")
    runner = TrainingRunner(settings, database, registry, codebook)
    runner.perform("snapshot", run)

    def full(*_args):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(storage_module.os, "fsync", full)
        with pytest.raises(StorageError, match="No space left"):
            runner.perform("train", run)
    assert registry.versions() == ["v1"]
    assert registry.unfinished() == []
    assert registry.load_champion()[1].version == "v1"
    assert client.post("/v1/classify", json={"text": THREE_PARAGRAPHS}).status_code == 200
    runner.perform("train", run)
    assert registry.versions() == ["v1", "v2"]
    assert registry.card("v2").stored_articles == (stored,)
    database.close()


@pytest.mark.databases("sqlite")
def test_enough_new_annotations_queue_a_run(data_dir, client):
    rows = [{"coder": "m", "text": f"Text {n}.", "source": "radio", "frames": {}} for n in range(5)]
    with running_worker(data_dir, retrain_every="5"):
        client.post("/v1/annotations", json=rows[:4])
        client.post("/v1/annotations", json=rows[4:])
        wait_until(lambda: client.get("/v1/training-runs").json()["training_runs"], "a run")
        [run] = client.get("/v1/training-runs").json()["training_runs"]
        assert run["request"]["note"] == "scheduled: 5 new annotations"
        wait_for_end(client, run["id"])
    assert len(client.get("/v1/training-runs").json()["training_runs"]) == 1


def test_a_cron_expression_is_checked_at_the_start():
    assert Settings(retrain_cron="0 3 * * 1").retrain_cron
    with pytest.raises(ValueError, match="not a cron expression"):
        Settings(retrain_cron="every monday")


@pytest.mark.databases("sqlite")
def test_the_model_gets_better_with_annotations_sent_over_http(data_dir, client, corpus, codebook):
    """From 200 to 800 coded paragraphs of the corpus, judged on the same held-out articles."""
    dataset = build_dataset(corpus, codebook)
    judged = dataset.take(dataset.held_out)
    coded = [p for p in corpus if not is_held_out(p.article)]
    coded.sort(key=lambda p: hashlib.sha256(p.text.encode()).digest())
    figures = []
    with running_worker(data_dir):
        for low, high in ((0, 200), (200, 800)):
            rows = [
                {"coder": "reader", "text": p.text, "source": p.source, "frames": dict(p.annotations[0].frames)}
                for p in coded[low:high]
            ]
            assert client.post("/v1/annotations", json=rows).status_code == 201
            ended = wait_for_end(client, start(client, include_corpus=False))
            assert ended["state"] == "succeeded", ended["error"]
            model = Registry(data_dir / "models").load(ended["version"])
            figures.append(evaluate_held_out(model, judged).macro.f1.value)
    assert figures[1] > figures[0] + 0.03


@pytest.mark.databases("sqlite")
def test_the_script_of_the_documentation_does_the_whole_loop(data_dir, tmp_path):
    text = (ROOT / "docs" / "retraining.md").read_text(encoding="utf-8")
    [script] = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    folder = tmp_path / "loop"
    folder.mkdir()
    with running_server(data_dir, worker="true") as (client, _process):
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=folder,
            env={**os.environ, "API": str(client.base_url).rstrip("/")},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    reason, changes, *shown = done.stdout.splitlines()
    assert "macro F1" in reason or "It loses" in reason
    assert "present" in changes
    assert shown[::2] == ["v1", "v2", "v1"]
    before, after, again = shown[1::2]
    assert before != after == "present"
    assert again == before


def test_a_cron_expression_queues_a_single_run_when_it_is_due(client, settings, monkeypatch):
    from service.jobs import worker

    database = Database(settings.store_url)
    every_minute = settings.model_copy(update={"retrain_cron": "* * * * *"})
    monkeypatch.setattr(worker, "_STARTED", datetime.now(UTC) + timedelta(hours=1))
    worker._schedule(every_minute, database)
    assert client.get("/v1/training-runs").json()["training_runs"] == []
    monkeypatch.setattr(worker, "_STARTED", datetime.now(UTC) - timedelta(hours=1))
    worker._schedule(every_minute, database)
    [run] = client.get("/v1/training-runs").json()["training_runs"]
    assert run["request"]["note"] == "scheduled: * * * * *"
    client.post(f"/v1/training-runs/{run['id']}/cancel")
    monkeypatch.setattr(worker, "_STARTED", datetime.now(UTC) + timedelta(hours=1))
    worker._schedule(every_minute, database)
    assert len(client.get("/v1/training-runs").json()["training_runs"]) == 1
    database.close()
