"""The worker as a process: killed, restarted, beside other workers, and giving way to requests."""

import os
import re
import signal
import threading
from functools import partial
from pathlib import Path

import httpx2
import pytest
from starlette.testclient import TestClient

from labels.codebook import DEFAULT_CODEBOOK
from service.app import create_app
from service.jobs.lock import only_worker
from service.jobs.run_record import STEPS
from service.jobs.status import WorkerStatus
from service.store import training_runs
from service.store.sql.database import Database
from tests.support.articles import THREE_PARAGRAPHS
from tests.support.procfs import children, command_of
from tests.support.servers import kill, running_server, running_worker
from tests.support.training_runs import start, state_of, wait_for_end
from tests.support.waiting import wait_until
from training.registry.versions import Registry

pytestmark = pytest.mark.databases


def has_reached(client, run, step):
    state = state_of(client, run)
    if state["state"] == "running":
        return STEPS.index(state["step"]) >= STEPS.index(step)
    return state["state"] in training_runs.ENDED


@pytest.mark.databases("sqlite")  # on PostgreSQL a worker is killed in the test of two of them
def test_in_whatever_step_the_worker_is_killed_the_run_succeeds_and_registers_a_single_model(
    data_dir, client, timid_champion
):
    for number in range(40):
        client.post("/v1/articles", json={"text": f"{THREE_PARAGRAPHS} {number}", "explain": False})
    run = start(client, seed=5)
    killed = []
    for step in STEPS:
        with running_worker(data_dir, promotion="auto") as worker:
            wait_until(partial(has_reached, client, run, step), f"step {step}")
            killed.append(state_of(client, run)["step"])
            kill(worker)
            assert client.post("/v1/classify", json={"text": THREE_PARAGRAPHS}).status_code == 200
    with running_worker(data_dir, promotion="auto"):
        ended = wait_for_end(client, run)
    assert ended["state"] == "succeeded", ended
    assert {"train", "label_diff"} & set(killed)
    registry = Registry(data_dir / "models")
    made = [version for version in registry.versions() if registry.card(version).run == run]
    assert made == [ended["version"]]
    assert registry.load_champion()[1].version == ended["version"]
    assert [p.version for p in registry.history()] == ["v1", timid_champion, ended["version"]]


@pytest.mark.databases("sqlite")
def test_a_killed_server_takes_its_worker_along_and_the_next_server_finishes_the_run(data_dir):
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


def test_a_second_worker_waits_and_takes_over_when_the_first_dies(data_dir, client):
    run = start(client)
    with running_worker(data_dir) as first:
        wait_until(lambda: state_of(client, run)["step"] == "train", "the training")
        with running_worker(data_dir):
            kill(first)
            assert wait_for_end(client, run)["state"] == "succeeded"
    assert Registry(data_dir / "models").versions() == ["v1", "v2"]


@pytest.mark.databases("sqlite")
def test_a_dead_worker_is_restarted_by_its_server(data_dir):
    with running_server(data_dir, worker="true") as (client, process):
        run = start(client)
        wait_until(lambda: state_of(client, run)["state"] == "running", "the worker")
        workers = children(process.pid)
        assert workers
        for pid in workers:
            os.kill(pid, signal.SIGKILL)
        assert wait_for_end(client, run)["state"] == "succeeded"


@pytest.mark.databases("sqlite")
def test_a_stopping_server_stops_its_worker_first(data_dir):
    with running_server(data_dir, worker="true") as (_client, process):
        wait_until(lambda: children(process.pid), "the worker")
        workers = children(process.pid)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0
        assert not [pid for pid in workers if Path(f"/proc/{pid}").exists()]


def test_readiness_and_metrics_show_whether_a_worker_of_any_process_is_running(settings, database):
    folder, other_folder = settings.data_dir, settings.data_dir / "other-host"
    of_worker = Database(settings.store_url)
    with only_worker(of_worker, folder, threading.Event(), lambda: False), _client(settings) as client:
        assert client.get("/readyz").json() == {"status": "ok", "worker": "running"}
        assert "framing_worker_up 1.0" in client.get("/metrics").text
        elsewhere = WorkerStatus(database, other_folder, expected=True)
        # Hosts share PostgreSQL, and no folder.
        assert elsewhere.is_running() is not database.is_sqlite
    of_worker.close()
    with _client(settings) as client:
        first = client.get("/readyz")
        assert first.status_code == 200
        assert re.fullmatch(r"not running since \d{4}-\d\d-\d\dT[\d:]{8}\+00:00", first.json()["worker"])
        assert client.get("/readyz").json() == first.json()
        assert "framing_worker_up 0.0" in client.get("/metrics").text
    with _client(settings.model_copy(update={"worker": False})) as client:
        assert client.get("/readyz").json() == {"status": "ok", "worker": "off"}
        assert "framing_worker_up" not in client.get("/metrics").text


def _client(settings):
    return TestClient(create_app(settings))


@pytest.mark.databases("sqlite")
def test_every_server_process_knows_that_the_worker_is_dead_and_that_it_is_back(data_dir, tmp_path):
    codebook = tmp_path / "codebook.toml"
    codebook.write_bytes(DEFAULT_CODEBOOK.read_bytes())
    with running_server(data_dir, worker="true", server_processes="2", codebook=str(codebook)) as (client, process):
        address = str(client.base_url).rstrip("/")

        def readiness():
            # Without keeping the connection, so that each of the processes answers some of the requests.
            answers = [httpx2.get(f"{address}/readyz", timeout=30) for _ in range(8)]
            assert {answer.status_code for answer in answers} == {200}
            return {answer.json()["worker"].partition(" since ")[0] for answer in answers}

        wait_until(lambda: readiness() == {"running"}, "the worker")
        codebook.write_text("not a codebook", encoding="utf-8")
        [worker] = [pid for pid in children(process.pid) if b"worker" in command_of(pid)]
        os.kill(worker, signal.SIGKILL)
        wait_until(lambda: readiness() == {"not running"}, "the processes to notice")
        assert "framing_worker_up 0.0" in client.get("/metrics").text
        assert client.post("/v1/classify", json={"text": THREE_PARAGRAPHS}).status_code == 200
        codebook.write_bytes(DEFAULT_CODEBOOK.read_bytes())
        wait_until(lambda: readiness() == {"running"}, "the worker to come back")
        assert "framing_worker_up 1.0" in client.get("/metrics").text


@pytest.mark.databases("postgresql")
def test_workers_of_other_hosts_wait_for_the_lock_in_the_database(data_dir, client, tmp_path):
    """Two hosts share the database and the models, but no folder to lock a file in."""
    start(client)
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
def test_a_worker_gives_way_to_other_processes_unless_the_settings_forbid_it(data_dir, yields, policy):
    with running_worker(data_dir, worker_yields=yields) as process:
        wait_until((data_dir / "worker.lock").exists, "the worker to work", process=process)
        assert os.sched_getscheduler(process.pid) == getattr(os, policy)
