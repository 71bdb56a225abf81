"""The worker as a process: killed, started again, one of several, and what it leaves to others."""

import os
import signal
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
from conftest import THREE_PARAGRAPHS, running_server, wait_until
from runs import kill, running_worker, start, state_of, wait_for_end

from service.jobs.training_run import STEPS
from service.store import training_runs
from training.registry.versions import Registry

pytestmark = pytest.mark.databases


def has_reached(client, run, step):
    found = state_of(client, run)
    if found["state"] == "running":
        return STEPS.index(found["step"]) >= STEPS.index(step)
    return found["state"] in training_runs.ENDED


@pytest.mark.databases("sqlite")  # on PostgreSQL a worker is killed in the test of two of them
def test_whatever_step_the_worker_is_killed_in_the_run_ends_well_and_registers_one_model(
    data_dir, client, champion_of_the_part
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
    assert [p.version for p in registry.history()] == ["v1", champion_of_the_part, ended["version"]]


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


def test_of_two_workers_one_works_and_the_other_takes_over_when_it_dies(data_dir, client):
    run = start(client)
    with running_worker(data_dir) as first:
        wait_until(lambda: state_of(client, run)["step"] == "train", "the training")
        with running_worker(data_dir):
            kill(first)
            assert wait_for_end(client, run)["state"] == "succeeded"
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
def test_a_worker_takes_what_others_leave_unless_it_is_told_that_it_is_alone(data_dir, yields, policy):
    with running_worker(data_dir, worker_yields=yields) as process:
        wait_until((data_dir / "worker.lock").exists, "the worker to work", process=process)
        assert os.sched_getscheduler(process.pid) == getattr(os, policy)
