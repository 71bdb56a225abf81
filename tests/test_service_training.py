"""Training runs with a real server and worker: progress, promotion, rollback, faults."""

import errno
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from conftest import ROOT, THREE_PARAGRAPHS, _environment, running_server, wait_until
from starlette.testclient import TestClient

from service.app import create_app
from service.schemas.hyperparameters import HyperparametersRequest, chosen
from service.settings import Settings
from service.store import training_runs
from service.store.database import Database
from service.training_run import STEPS, TrainingRunner
from training import storage as storage_module
from training.challenger import evaluate_held_out
from training.dataset import build_dataset, is_held_out
from training.errors import StorageError, TrainingDataError
from training.pipeline import Hyperparameters
from training.registry import Registry

pytestmark = pytest.mark.databases


@pytest.fixture
def data_dir(models_folder, part_of_the_corpus):
    """Processes started here train on a part of the corpus."""
    with (models_folder.parent / ".env").open("a", encoding="utf-8") as settings:
        settings.write(f"FRAMING_CORPUS={part_of_the_corpus}\n")
    return models_folder.parent


@pytest.fixture
def whole_corpus(data_dir):
    """Processes started here train as the champion was, so that they make one that is as good."""
    path = data_dir / ".env"
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("".join(f"{line}\n" for line in lines if "CORPUS" not in line), encoding="utf-8")


@contextmanager
def running_worker(data_dir, **variables):
    process = subprocess.Popen(
        [sys.executable, "-m", "service.cli", "worker"],
        cwd=data_dir,
        env=_environment(data_dir=data_dir, log_level="warning", **variables),
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def api(settings):
    """The API without a worker."""
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        yield client


def start(client, key=None, **request):
    response = client.post("/v1/training-runs", json=request, headers={"Idempotency-Key": key} if key else {})
    assert response.status_code == 202, response.text
    assert response.headers["location"] == f"/v1/training-runs/{response.json()['id']}"
    return response.json()["id"]


def state_of(client, run):
    return client.get(f"/v1/training-runs/{run}").json()


def wait_for_end(client, run, seconds=60):
    wait_until(lambda: state_of(client, run)["state"] in training_runs.ENDED, f"the end of run {run}", seconds)
    return state_of(client, run)


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
    assert (last["version"], last["promoted"], last["annotations"]) == ("v2", False, paragraphs)
    assert last["verdict"]["champion"] == "v1"
    assert last["verdict"]["reason"]
    assert last["label_diff"]["paragraphs"] == 3
    assert any("registered as v2" in line for line in last["log"])
    card = Registry(data_dir / "models").card("v2")
    assert (card.run, card.note) == (run, "first round")
    assert not (data_dir / "models" / "runs" / run).exists()


@pytest.mark.databases("postgresql")
def test_runs_wait_for_each_other_and_one_key_is_one_run(data_dir, api):
    first = start(api, key="k", seed=1)
    assert start(api, key="k", seed=1) == first
    assert api.post("/v1/training-runs", json={"seed": 2}, headers={"Idempotency-Key": "k"}).status_code == 409
    second = start(api, seed=2)
    third = start(api, seed=3)
    assert api.post(f"/v1/training-runs/{third}/cancel").json()["state"] == "cancelled"
    with running_worker(data_dir):
        wait_until(lambda: state_of(api, first)["state"] == "running", "the first to run")
        assert state_of(api, second)["state"] == "queued"
        assert wait_for_end(api, first)["state"] == "succeeded"
        assert wait_for_end(api, second)["state"] == "succeeded"
    assert state_of(api, first)["finished_at"] <= state_of(api, second)["started_at"]
    assert Registry(data_dir / "models").versions() == ["v1", "v2", "v3"]
    listed = api.get("/v1/training-runs", params={"limit": 2}).json()
    assert [run["id"] for run in listed["training_runs"]] == [third, second]
    following = api.get("/v1/training-runs", params={"cursor": listed["next"]}).json()
    assert [run["id"] for run in following["training_runs"]] == [first]


def test_a_running_run_can_be_cancelled(data_dir, api):
    run = start(api)
    with running_worker(data_dir):
        wait_until(lambda: state_of(api, run)["step"] == "train", "the training")
        api.post(f"/v1/training-runs/{run}/cancel")
        assert wait_for_end(api, run)["state"] == "cancelled"
    assert Registry(data_dir / "models").versions() == ["v1"]


@pytest.mark.databases("sqlite")
def test_a_run_without_enough_codes_fails_with_a_sentence_and_the_next_goes_on(data_dir, api):
    api.post("/v1/annotations", json={"coder": "m", "text": "The army.", "source": "radio", "frames": {}})
    run, following = start(api, include_corpus=False), start(api)
    with running_worker(data_dir):
        ended = wait_for_end(api, run)
        assert wait_for_end(api, following)["state"] == "succeeded"
    assert (ended["state"], ended["step"]) == ("failed", "check")
    assert ended["error"].startswith("There are too few annotations to train")


def test_a_run_is_refused_while_the_coders_agree_too_little(data_dir, api, settings, codebook):
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
    api.post("/v1/annotations", json=rows)
    run = start(api)
    database = Database(settings.store_url)
    strict = settings.model_copy(update={"min_alpha": 0.7})
    runner = TrainingRunner(strict, database, Registry(data_dir / "models"), codebook)
    runner.perform("snapshot", run)
    with pytest.raises(TrainingDataError, match=r"agree too little on 'foreign_hand': Krippendorff's alpha is 0\.\d+"):
        runner.perform("check", run)
    TrainingRunner(settings, database, Registry(data_dir / "models"), codebook).perform("check", run)
    database.close()


def test_bad_requests_for_runs_are_named(api):
    for body, pointer in (
        ({"seed": -1}, "/seed"),
        ({"hyperparameters": {"regularisation": 0}}, "/hyperparameters/regularisation"),
        ({"hyperparameters": {"depth": 3}}, "/hyperparameters/depth"),
        ({"hyperparameters": {"characters": 9}}, "/hyperparameters/characters"),
        ({"hyperparameters": {"concepts": -1}}, "/hyperparameters/concepts"),
        ({"coders": []}, "/coders"),
    ):
        response = api.post("/v1/training-runs", json=body)
        assert response.status_code == 422
        assert response.json()["errors"][0]["pointer"] == pointer
    assert api.get("/v1/training-runs/" + "0" * 32).status_code == 404


def test_what_a_run_asks_for_counts_more_than_the_settings():
    of_service, of_run = HyperparametersRequest(names=True, regularisation=2), HyperparametersRequest(regularisation=3)
    assert chosen(of_service, of_run) == Hyperparameters(names=True, regularisation=3)
    assert set(HyperparametersRequest.model_fields) == set(Hyperparameters().as_dict())


def test_codes_given_here_are_trained_on_and_adjudication_settles_them(data_dir, api, settings, codebook, corpus):
    text = "The quetzal council said so."
    for coder, role, frames in (
        ("a", "coder", {}),
        ("b", "coder", {}),
        ("c", "adjudicator", {"foreign_hand": "present"}),
    ):
        api.post(
            "/v1/annotations",
            json={"coder": coder, "role": role, "text": text, "source": "radio", "frames": frames},
        )
    run = start(api)
    database = Database(settings.store_url)
    runner = TrainingRunner(settings, database, Registry(data_dir / "models"), codebook)
    runner.perform("snapshot", run)
    rows = [
        json.loads(line) for line in (data_dir / "models" / "runs" / run / "snapshot.jsonl").read_text().splitlines()
    ]
    [own] = [row for row in rows if row["text"] == text]
    assert own["annotations"] == [{"coder": "c", "frames": {"foreign_hand": "present"}}]
    assert state_of(api, run)["annotations"] == len(corpus) + 1
    database.close()


@pytest.mark.databases("sqlite")
def test_a_verdict_against_a_model_has_to_be_overruled_and_that_is_kept(data_dir, api):
    run = start(api, hyperparameters={"regularisation": 0.01})
    with running_worker(data_dir):
        assert wait_for_end(api, run)["verdict"]["promote"] is False
    refused = api.post("/v1/models/v2/promote", json={"reason": "I like it"})
    assert refused.status_code == 409
    assert "lower by" in refused.json()["detail"]
    forced = api.post("/v1/models/v2/promote", json={"reason": "I like it", "by": "mira", "force": True}).json()
    assert (forced["version"], forced["forced"], forced["by"]) == ("v2", True, "mira")
    assert api.post("/v1/models/rollback", json={"reason": "it was worse", "by": "tom"}).json()["version"] == "v1"
    assert api.post("/v1/models/rollback", json={"reason": "again"}).status_code == 409
    history = api.get("/v1/models/history").json()["promotions"]
    assert [(p["action"], p["version"], p["forced"]) for p in history] == [
        ("rollback", "v1", False), ("promote", "v2", True), ("promote", "v1", False),
    ]  # fmt: skip
    then = api.get("/v1/models/history", params={"at": history[1]["at"]}).json()["promotions"]
    assert [p["version"] for p in then] == ["v2"]
    assert api.get("/v1/models/history", params={"at": "2020-01-01T00:00:00Z"}).json()["promotions"] == []
    assert api.post("/v1/models/v9/promote", json={"reason": "x"}).status_code == 404
    assert api.post("/v1/models/v2/promote", json={}).status_code == 422


@pytest.mark.databases("sqlite")
@pytest.mark.usefixtures("whole_corpus")
def test_by_policy_a_model_with_a_good_verdict_is_promoted_and_one_with_a_bad_one_is_not(data_dir, api):
    good, bad = start(api, seed=5), start(api, hyperparameters={"regularisation": 0.01})
    with running_worker(data_dir, promotion="auto"):
        assert wait_for_end(api, good)["promoted"] is True
        assert wait_for_end(api, bad)["promoted"] is False
    champion = Registry(data_dir / "models").champion()
    assert champion.version == "v2"
    assert good in champion.by


@pytest.mark.databases("sqlite")
def test_stored_articles_are_scored_anew_and_show_the_old_scores_again_after_a_rollback(data_dir, api):
    texts = [f"{THREE_PARAGRAPHS} {number}" for number in range(30)]
    ids = [api.post("/v1/articles", json={"text": text, "explain": False}).json()["id"] for text in texts]
    before = api.get(f"/v1/articles/{ids[0]}").json()
    run = start(api, hyperparameters={"regularisation": 0.3})
    with running_worker(data_dir):
        wait_for_end(api, run)
        api.post("/v1/models/v2/promote", json={"reason": "try", "force": True})
        wait_until(lambda: api.get("/v1/models/rescoring").json()["scored"] == 30, "all to be scored by v2")
    after = api.get(f"/v1/articles/{ids[0]}").json()
    assert (before["model"]["version"], after["model"]["version"]) == ("v1", "v2")
    assert after["paragraphs"][0]["frames"] != before["paragraphs"][0]["frames"]
    api.post("/v1/models/rollback", json={"reason": "back"})
    assert api.get(f"/v1/articles/{ids[0]}").json() == before


def kill(process):
    process.send_signal(signal.SIGKILL)
    process.wait()


def has_reached(client, run, step):
    found = state_of(client, run)
    if found["state"] == "running":
        return STEPS.index(found["step"]) >= STEPS.index(step)
    return found["state"] in training_runs.ENDED


@pytest.mark.databases("sqlite")  # on PostgreSQL a worker is killed in the test of two of them
@pytest.mark.usefixtures("whole_corpus")
def test_whatever_step_the_worker_is_killed_in_the_run_ends_well_and_registers_one_model(data_dir, api):
    for number in range(40):
        api.post("/v1/articles", json={"text": f"{THREE_PARAGRAPHS} {number}", "explain": False})
    run = start(api, seed=5)
    killed = []
    for step in STEPS:
        with running_worker(data_dir, promotion="auto") as worker:
            wait_until(partial(has_reached, api, run, step), f"step {step}")
            killed.append(state_of(api, run)["step"])
            kill(worker)
            assert api.post("/v1/classify", json={"text": THREE_PARAGRAPHS}).status_code == 200
    with running_worker(data_dir, promotion="auto"):
        ended = wait_for_end(api, run)
    assert ended["state"] == "succeeded", ended
    assert {"train", "label_diff"} & set(killed)
    registry = Registry(data_dir / "models")
    made = [version for version in registry.versions() if registry.card(version).run == run]
    assert made == [ended["version"]]
    assert registry.load_champion()[1].version == ended["version"]
    assert [p.version for p in registry.history()] == ["v1", ended["version"]]


@pytest.mark.databases("sqlite")
def test_a_killed_server_takes_its_worker_along_and_the_next_one_finishes_the_run(data_dir):
    with running_server(data_dir, worker="true") as (client, process):
        run = start(client)
        stored = client.post("/v1/annotations", json={"coder": "m", "text": "A.", "source": "s", "frames": {}})
        wait_until(lambda: state_of(client, run)["step"] == "train", "the training")
        kill(process)
    assert stored.status_code == 201
    with running_server(data_dir, worker="true") as (client, _process):
        assert wait_for_end(client, run)["state"] == "succeeded"
        assert len(client.get("/v1/annotations").json()["annotations"]) == 1
    assert Registry(data_dir / "models").versions() == ["v1", "v2"]


def test_of_two_workers_one_works_and_the_other_takes_over_when_it_dies(data_dir, api):
    run = start(api)
    with running_worker(data_dir) as first:
        wait_until(lambda: state_of(api, run)["step"] == "train", "the training")
        with running_worker(data_dir):
            kill(first)
            assert wait_for_end(api, run)["state"] == "succeeded"
    assert Registry(data_dir / "models").versions() == ["v1", "v2"]


@pytest.mark.databases("sqlite")
def test_a_dead_worker_is_started_again_by_its_server(data_dir):
    with running_server(data_dir, worker="true") as (client, process):
        run = start(client)
        wait_until(lambda: state_of(client, run)["state"] == "running", "the worker")
        workers = _children(process.pid)
        assert workers
        for pid in workers:
            os.kill(pid, signal.SIGKILL)
        assert wait_for_end(client, run)["state"] == "succeeded"


@pytest.mark.databases("sqlite")
def test_a_server_that_is_told_to_stop_stops_its_worker_first(data_dir):
    with running_server(data_dir, worker="true") as (_client, process):
        wait_until(lambda: _children(process.pid), "the worker")
        workers = _children(process.pid)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0
        assert not [pid for pid in workers if Path(f"/proc/{pid}").exists()]


def _children(pid):
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
            if int(parent) == pid:
                found.append(int(folder.name))
    return found


@pytest.mark.databases("sqlite")
def test_a_full_disk_while_registering_fails_the_run_and_the_champion_serves_on(
    data_dir, api, settings, codebook, monkeypatch
):
    stored = api.post("/v1/articles", json={"text": THREE_PARAGRAPHS}).json()["id"]
    api.post("/v1/annotations", json={"coder": "m", "article_id": stored, "paragraph": 0, "frames": {}})
    run = start(api)
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
    assert api.post("/v1/classify", json={"text": THREE_PARAGRAPHS}).status_code == 200
    runner.perform("train", run)
    assert registry.versions() == ["v1", "v2"]
    assert registry.card("v2").stored_articles == (stored,)
    database.close()


@pytest.mark.databases("sqlite")
def test_after_enough_new_codes_a_run_is_queued_by_itself(data_dir, api):
    rows = [{"coder": "m", "text": f"Text {n}.", "source": "radio", "frames": {}} for n in range(5)]
    with running_worker(data_dir, retrain_every="5"):
        api.post("/v1/annotations", json=rows[:4])
        api.post("/v1/annotations", json=rows[4:])
        wait_until(lambda: api.get("/v1/training-runs").json()["training_runs"], "a run")
        [run] = api.get("/v1/training-runs").json()["training_runs"]
        assert run["request"]["note"] == "scheduled: 5 new codes"
        wait_for_end(api, run["id"])
    assert len(api.get("/v1/training-runs").json()["training_runs"]) == 1


def test_a_cron_expression_is_checked_at_the_start():
    assert Settings(retrain_cron="0 3 * * 1").retrain_cron
    with pytest.raises(ValueError, match="not a cron expression"):
        Settings(retrain_cron="every monday")


@pytest.mark.databases("sqlite")
def test_the_model_gets_better_with_codes_given_over_http(data_dir, api, corpus, codebook):
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
            assert api.post("/v1/annotations", json=rows).status_code == 201
            ended = wait_for_end(api, start(api, include_corpus=False))
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


def test_a_cron_expression_queues_one_run_when_its_time_has_come(api, settings, monkeypatch):
    from service import worker

    database = Database(settings.store_url)
    every_minute = settings.model_copy(update={"retrain_cron": "* * * * *"})
    monkeypatch.setattr(worker, "_STARTED", datetime.now(UTC) + timedelta(hours=1))
    worker._schedule(every_minute, database)
    assert api.get("/v1/training-runs").json()["training_runs"] == []
    monkeypatch.setattr(worker, "_STARTED", datetime.now(UTC) - timedelta(hours=1))
    worker._schedule(every_minute, database)
    [run] = api.get("/v1/training-runs").json()["training_runs"]
    assert run["request"]["note"] == "scheduled: * * * * *"
    api.post(f"/v1/training-runs/{run['id']}/cancel")
    monkeypatch.setattr(worker, "_STARTED", datetime.now(UTC) + timedelta(hours=1))
    worker._schedule(every_minute, database)
    assert len(api.get("/v1/training-runs").json()["training_runs"]) == 1
    database.close()


@pytest.mark.databases("postgresql")
def test_workers_of_other_hosts_wait_for_the_lock_in_the_database(data_dir, api, tmp_path):
    """Two hosts share the database and the models, but no folder to lock a file in."""
    start(api)
    other = tmp_path / "other-host"
    other.mkdir()
    (other / ".env").write_text((data_dir / ".env").read_text())
    shared = {"models_url": str(data_dir / "models")}
    with running_worker(data_dir) as first, running_worker(other, **shared) as second:
        wait_until(lambda: len(Registry(data_dir / "models").versions()) == 2, "the run to register")
        assert (first.poll(), second.poll()) == (None, None)
    assert Registry(data_dir / "models").versions() == ["v1", "v2"]


@pytest.mark.databases("sqlite")
@pytest.mark.parametrize(("yields", "policy"), [("true", "SCHED_IDLE"), ("false", "SCHED_OTHER")])
def test_a_worker_takes_what_others_leave_unless_it_is_told_that_it_is_alone(data_dir, yields, policy):
    with running_worker(data_dir, worker_yields=yields) as process:
        wait_until((data_dir / "worker.lock").exists, "the worker to work", process=process)
        assert os.sched_getscheduler(process.pid) == getattr(os, policy)
