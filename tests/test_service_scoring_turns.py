"""What a request may cost an encoder: bounded paragraphs, a deadline, an end when the client leaves, and fair turns."""

import http.client
import json
import re
import signal
import sys
import threading
import time
from contextlib import contextmanager

import httpx2
import pytest
from starlette.testclient import TestClient

from service.app import create_app
from tests.support.paths import ROOT
from tests.support.servers import PORT, Command, environment, running
from tests.support.waiting import wait_until
from training.encoder.encoder import Encoder
from training.encoder.shipped import encoder_of
from training.encoder.side_by_side import SideBySide
from training.encoder.stopping import StopSignal, current_signal
from training.errors import ScoringStoppedError, ScoringTooSlowError

SMALL = {"text": "The army blames foreign envoys.", "force_language": "en"}
# A megabyte of letters without a known word: each is a subword, so that even the tiny encoder takes a while.
HUGE = {"paragraphs": [f"{number} " + "qxz " * 12_000 for number in range(20)], "force_language": "en"}


@contextmanager
def serving(tiny, base_folder, **more):
    """A server with the tiny base as a process."""
    settings = {"data_dir": tiny.data_dir, "port": PORT, "worker": "false", "log_level": "warning", **more}
    variables = environment(**settings)
    command = Command([sys.executable, "-m", "tests.support.tiny_server", str(base_folder)], "/readyz", variables, ROOT)
    with running(command, silent=False) as server, httpx2.Client(base_url=server.address, timeout=60) as client:
        yield client, server


def ask(server, body):
    """Sends a request and does not wait for its answer; the caller closes the connection."""
    address = server.address.removeprefix("http://")
    connection = http.client.HTTPConnection(address, timeout=120)
    connection.request("POST", "/v1/classify", json.dumps(body), {"Content-Type": "application/json"})
    return connection


def in_progress(client):
    text = client.get("/metrics").text
    return float(re.search(r"^framing_http_requests_in_progress ([\d.]+)$", text, re.MULTILINE)[1]) - 1


def test_probes_reads_and_small_requests_do_not_wait_for_huge_ones_whose_work_ends_when_their_clients_leave(
    tiny, base_folder
):
    with serving(tiny, base_folder, threads="4") as (client, server):
        huge = [ask(server, HUGE) for _ in range(8)]
        wait_until(lambda: in_progress(client) == 8, "the huge requests")
        began = time.monotonic()
        assert client.get("/readyz").status_code == 200
        assert client.get("/v1/articles").status_code == 200
        assert time.monotonic() - began < 5
        assert in_progress(client) == 8
        for connection in huge[:5]:
            connection.close()
        # At least a single request of the four that score at once has ended, so that a small request has its turn soon.
        assert client.post("/v1/classify", json=SMALL).status_code == 200
        for connection in huge[5:]:
            connection.close()
        wait_until(lambda: in_progress(client) == 0, "the work to end", seconds=10)
        left = re.search(r'route="/v1/classify",status="499"} ([\d.]+)', client.get("/metrics").text)
        assert float(left[1]) == 8


def test_a_stopped_server_ends_within_its_grace_whatever_is_being_scored(tiny, base_folder):
    with serving(tiny, base_folder) as (client, server):
        huge = [ask(server, HUGE) for _ in range(4)]
        wait_until(lambda: in_progress(client) == 4, "the huge requests")
        began = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(timeout=20)
        assert time.monotonic() - began < 16  # ten seconds of grace, and the end
        for connection in huge:
            connection.close()


def test_a_request_that_takes_too_long_is_answered_with_what_to_do(tiny):
    with TestClient(create_app(tiny.model_copy(update={"scoring_seconds": 0.05}))) as client:
        answer = client.post("/v1/classify", json=HUGE)
        assert (answer.status_code, answer.json()["type"]) == (503, "urn:framing:problem:scoring-too-slow")
        assert "after 0.05 seconds: send it in parts" in answer.json()["detail"]
        lines = "\n".join(json.dumps(body) for body in (HUGE, SMALL))
        first, second = map(json.loads, client.post("/v1/classify:batch", content=lines).text.splitlines())
        assert (first["status"], second["status"]) == (503, 200)


def test_a_batch_ends_when_its_client_leaves_in_the_middle_of_its_body(tiny, base_folder):
    with serving(tiny, base_folder) as (client, server):
        address = server.address.removeprefix("http://")
        connection = http.client.HTTPConnection(address, timeout=60)
        connection.putrequest("POST", "/v1/classify:batch")
        connection.putheader("Transfer-Encoding", "chunked")
        connection.endheaders()
        line = (json.dumps(HUGE) + "\n").encode()
        connection.send(b"%x\r\n%b\r\n" % (len(line), line))
        wait_until(lambda: in_progress(client) == 1, "the batch")
        connection.close()
        wait_until(lambda: in_progress(client) == 0, "its end", seconds=10)


def test_a_batch_that_is_sent_while_its_answer_is_read_is_answered_line_by_line(tiny, base_folder):
    with serving(tiny, base_folder) as (client, _):

        def lines():
            for number in range(100):
                yield (json.dumps({**SMALL, "external_id": str(number)}) + "\n").encode()

        with client.stream("POST", "/v1/classify:batch", content=lines()) as answer:
            read = [json.loads(line) for line in answer.iter_lines()]
        assert [(line["status"], line["external_id"]) for line in read] == [(200, str(n)) for n in range(100)]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"paragraphs": ["Short.", "word " * 300]}, "/paragraphs/1"),
        ({"html": f"<p>{'word ' * 300}</p>"}, "/html"),
    ],
)
def test_a_paragraph_beyond_the_limit_is_refused_by_name(tiny, body, pointer):
    with TestClient(create_app(tiny.model_copy(update={"max_paragraph_characters": 1000}))) as client:
        answer = client.post("/v1/classify", json={**body, "force_language": "en"})
        assert answer.status_code == 413
        assert answer.json()["errors"][0]["pointer"] == pointer
        assert "more than 1,000; split it" in answer.json()["detail"]


def test_the_server_is_warm_before_it_is_ready(tiny, monkeypatch):
    warmed = []
    warm_up = Encoder.warm_up
    monkeypatch.setattr(Encoder, "warm_up", lambda encoder: warmed.append(encoder) or warm_up(encoder))
    with TestClient(create_app(tiny)) as client:
        assert warmed
        assert client.get("/readyz").status_code == 200


# -- the encoder itself -----------------------------------------------------------------------------------------------


def test_a_huge_caller_leaves_turns_to_others():
    done = []
    side_by_side = SideBySide(lambda thing: done.append(thing) or time.sleep(0.002), 2)
    thread = threading.Thread(target=lambda: list(side_by_side.map([("huge", n) for n in range(300)])))
    thread.start()
    wait_until(lambda: len(done) > 10, "the huge caller")
    list(side_by_side.map([("small", n) for n in range(3)]))
    assert sum(name == "huge" for name, _ in done) < 100
    thread.join()
    assert [n for name, n in done if name == "small"] == [0, 1, 2]


def test_an_encoder_stops_between_two_windows(base):
    encoder = encoder_of(base.card.encoder_digest)
    stopped, late = StopSignal(60), StopSignal(0)
    stopped.stop()
    for stop_signal, error in ((stopped, ScoringStoppedError), (late, ScoringTooSlowError)):
        token = current_signal.set(stop_signal)
        try:
            with pytest.raises(error):
                encoder.means(["The army."])
            with pytest.raises(error):
                list(encoder.encode(["The army."]))
        finally:
            current_signal.reset(token)
    assert encoder.means(["The army."]).any()
