"""The service as a real process: start, load, the OpenAPI document, the README."""

import json
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest
from fastapi.openapi.utils import get_openapi

from service.http import openapi
from tests.support.articles import THREE_PARAGRAPHS
from tests.support.length import full
from tests.support.paths import ROOT
from tests.support.procfs import children, command_of, own_memory, resident_memory
from tests.support.servers import PORT, Command, environment, running, running_server
from tests.support.training_runs import start, state_of
from tests.support.waiting import wait_until


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="measures memory by /proc")
def test_a_worker_stays_under_250_mib_after_work(data_dir):
    page = "<html><body>" + "".join(f"<p>{paragraph}</p>" for paragraph in THREE_PARAGRAPHS.split("\n\n"))
    with running_server(data_dir) as (client, process):

        def work(number):
            body = {"html": page} if number % 2 else {"text": THREE_PARAGRAPHS}
            return client.post("/v1/classify", json=body).status_code

        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(work, range(200))) == {200}
        assert resident_memory(process) < 250


def test_no_request_fails_and_no_answer_mixes_models_through_promotions_and_rollbacks(
    data_dir, registry, other_challenger
):
    registry.register(other_challenger)
    texts = THREE_PARAGRAPHS.split("\n\n")
    expected = {version: registry.load(version).score(texts).round(9).tolist() for version in ("v1", "v2")}
    assert expected["v1"] != expected["v2"]
    seen, faults, stop = set(), [], threading.Event()

    def ask():
        while not stop.is_set():
            response = client.post("/v1/classify", json={"text": THREE_PARAGRAPHS, "explain": False})
            if response.status_code != 200:
                faults.append(response.text)
                continue
            answer = response.json()
            scores = [[round(f["score"], 9) for f in p["frames"].values()] for p in answer["paragraphs"]]
            seen.add(answer["model"]["version"])
            if scores != expected[answer["model"]["version"]]:
                faults.append(answer)

    with running_server(data_dir, champion_poll_seconds="0.05") as (client, _process), ThreadPoolExecutor(4) as pool:
        for _ in range(4):
            pool.submit(ask)
        try:
            for _ in range(3):
                registry.promote("v2", by="test", reason="swap")
                wait_until(lambda: "v2" in seen, "v2 in an answer", seconds=10)
                seen.clear()
                registry.roll_back(by="test", reason="swap back")
                wait_until(lambda: "v1" in seen, "v1 in an answer", seconds=10)
                seen.clear()
        finally:
            stop.set()
    assert faults == []


def test_a_huge_request_does_not_starve_small_ones(data_dir):
    paragraphs = [f"The army moved into valley {n} and the ministers promised an inquiry." * 3 for n in range(1900)]
    with running_server(data_dir) as (client, _process), ThreadPoolExecutor(1) as pool:

        def ask(body):
            began = time.perf_counter()
            assert client.post("/v1/classify", json=body).status_code == 200
            return time.perf_counter() - began

        ask({"text": THREE_PARAGRAPHS})
        huge, times = pool.submit(ask, {"paragraphs": paragraphs}), []
        while not huge.done():
            times.append(ask({"text": THREE_PARAGRAPHS}))
    assert len(times) > 5
    assert sorted(times)[int(len(times) * 0.99)] < huge.result() / 2


def test_sigterm_lets_a_request_in_flight_finish(data_dir):
    text = ("The army moved into the valley and the ministers promised an inquiry. " * 20 + "\n") * 700
    with running_server(data_dir) as (client, process), ThreadPoolExecutor(1) as pool:
        slow = pool.submit(client.post, "/v1/articles", json={"text": text})
        wait_until(lambda: "framing_http_requests_in_progress 2.0" in client.get("/metrics").text, "it to start")
        process.send_signal(signal.SIGTERM)
        response = slow.result()
        assert process.wait(timeout=20) in (0, -signal.SIGTERM)
    assert response.status_code == 201
    with running_server(data_dir) as (client, _process):
        assert client.get(response.headers["location"]).status_code == 200


def test_what_was_acknowledged_before_a_kill_is_there_afterwards_once(data_dir):
    acknowledged = []
    with running_server(data_dir) as (client, process):

        def store(number):
            response = client.post(
                "/v1/articles", json={"text": f"{THREE_PARAGRAPHS} {number}", "external_id": f"k{number}"}
            )
            acknowledged.append((number, response.headers["location"]))

        with ThreadPoolExecutor(4) as pool:
            futures = [pool.submit(store, number) for number in range(400)]
            wait_until(lambda: len(acknowledged) > 20, "some to be acknowledged")
            process.kill()
            for future in futures:
                future.exception()
    assert 20 < len(acknowledged) < 400
    with running_server(data_dir) as (client, _process):
        for number, location in acknowledged:
            assert client.get(location).json()["external_id"] == f"k{number}"


def test_the_openapi_document_holds_under_schemathesis_with_all_checks(data_dir, tmp_path):
    key = "a key of the settings that is long enough"
    with running_server(data_dir, admin_key=key) as (client, _process):
        command = [
            str(Path(sys.executable).with_name("schemathesis")),
            *(
                "--config-file",
                str(ROOT / "schemathesis.toml"),
                "run",
                f"{str(client.base_url).rstrip('/')}/openapi.json",
            ),
            *("--checks", "all", "--max-examples", str(full(5, short=2)), "--seed", "20260101", "--no-color"),
            *("--header", f"Authorization: Bearer {key}"),
            *("--request-timeout", "10", "--exclude-path-regex", "(/events|:batch)$"),
        ]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout[-6000:]
    assert int(re.search(r"(\d+) generated", done.stdout).group(1)) > full(300, short=130)


def test_the_openapi_document_is_made_once_however_often_it_or_a_wrong_method_is_requested(client, monkeypatch):
    made = []
    monkeypatch.setattr(openapi, "get_openapi", lambda **facts: made.append(1) or get_openapi(**facts))
    for _ in range(5):
        refused = client.put("/v1/articles")
        assert (refused.status_code, refused.headers["allow"]) == (405, "GET, POST")
        assert "ArticleRequest" in client.get("/openapi.json").json()["components"]["schemas"]
    assert len(made) == 1


def test_the_curl_of_the_readme_stores_an_article_with_all_four_frames(data_dir):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    [command] = re.findall(r"^curl .*example\.json$", readme, re.MULTILINE)
    with running_server(data_dir) as (client, _process):
        own = command.replace("http://127.0.0.1:8000", str(client.base_url).rstrip("/"))
        done = subprocess.run(["bash", "-c", own], cwd=ROOT, capture_output=True, text=True, check=True)
        answer = json.loads(done.stdout)
        assert [f["decision"] for f in answer["article"]["frames"].values()] == ["present"] * 4
        assert client.get(f"/v1/articles/{answer['id']}").json() == answer


# Memory of a scoring process that has loaded a model; a process that cannot import has a third of it.
_LOADED_MIB = 40


@pytest.fixture
def hostile_folder(tmp_path):
    """A folder with files of a user that have the names of our packages; importing any of them raises."""
    folder = tmp_path / "hostile"
    for package in ("service", "joblib", "uvicorn"):
        (folder / package).mkdir(parents=True)
    for file in ("service/__init__.py", "training.py", "labels.py", "joblib/__init__.py", "uvicorn/__init__.py"):
        (folder / file).write_text("raise SystemExit('imported from the current folder')\n", encoding="utf-8")
    return folder


@pytest.fixture
def console_script(tmp_path):
    """The command `framing` as pip installs it."""
    script = tmp_path / "bin" / "framing"
    script.parent.mkdir()
    content = "import sys\nfrom service.cli.__main__ import app\nif __name__ == '__main__':\n    sys.exit(app())\n"
    script.write_text(content, encoding="utf-8")
    return [sys.executable, str(script)]


def test_a_server_its_worker_and_its_children_import_nothing_from_the_current_folder(
    data_dir, hostile_folder, console_script, part_of_the_corpus
):
    shutil.rmtree(data_dir / "cache")  # so that the charts are made
    variables = environment(
        data_dir=data_dir,
        port=PORT,
        corpus=part_of_the_corpus,
        server_processes="2",
        scoring_processes="1",
        log_level="warning",
    )
    command = Command([*console_script, "serve"], "/readyz", variables, hostile_folder)
    huge = {"paragraphs": [f"The army moved into valley {n}, officials said." for n in range(300)], "explain": False}
    with running(command, silent=False) as server, httpx2.Client(base_url=server.address, timeout=30) as client:
        run = start(client)
        wait_until(lambda: state_of(client, run)["step"] not in ("queued", "snapshot"), "the worker")
        assert client.get("/readyz").json() == {"status": "ok", "worker": "running"}
        assert client.get("/assets/vega.js").status_code == 200
        wait_until(lambda: _answers_from_the_pool(client, server.process.pid, huge), "the scoring pool")


def _answers_from_the_pool(client, server, article):
    """Whether a scoring process is ready after it was sent an article; in a hostile folder it would die at once."""
    assert client.post("/v1/classify", json=article).status_code == 200
    pool = [pid for child in (server, *children(server)) for pid in children(child) if b"popen_loky" in command_of(pid)]
    return any(own_memory(pid) > _LOADED_MIB for pid in pool)


def test_processes_of_bulk_scoring_import_nothing_from_the_current_folder(data_dir, hostile_folder, console_script):
    (hostile_folder / "a.txt").write_text(THREE_PARAGRAPHS, encoding="utf-8")
    done = subprocess.run(
        [*console_script, "score", "a.txt", "--to", "scores", "--workers", "2", "--json"],
        cwd=hostile_folder,
        env=environment(data_dir=data_dir),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["paragraphs"] == 3
