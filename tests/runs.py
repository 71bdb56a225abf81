"""Training runs over HTTP and workers as processes, for the tests of both."""

import subprocess
import sys
from contextlib import contextmanager

from conftest import environment, wait_until

from service.store import training_runs


@contextmanager
def running_worker(data_dir, **variables):
    process = subprocess.Popen(
        [sys.executable, "-m", "service.cli", "worker"],
        cwd=data_dir,
        env=environment(data_dir=data_dir, log_level="warning", **variables),
    )
    try:
        yield process
    finally:
        kill(process)


def kill(process):
    process.kill()
    process.wait()


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
