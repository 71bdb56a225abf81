"""Faults under load: what the service acknowledged is stored once. `make soak` runs the same for minutes."""

import re
import resource
import shutil
import socket
import subprocess
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime, timedelta

import pytest

from service.store import annotations, audit
from service.store.sql.database import Database
from tests.support import faults, filled_database
from tests.support.articles import THREE_PARAGRAPHS
from tests.support.endurance import endure
from tests.support.length import full
from tests.support.outages import restart_postgresql
from tests.support.postgresql import administer, postgresql
from tests.support.servers import PROGRAM, environment, running_server
from tests.support.waiting import wait_until
from training.registry import promotions as registry_module


@pytest.fixture
def folder(models_folder):
    return models_folder.parent


def assert_nothing_lost(figures):
    assert figures["articles acknowledged"] > 0
    assert (figures["lost"], figures["doubled"], figures.get("database damaged", 0)) == (0, 0, 0), figures


def test_acknowledged_articles_survive_kills_of_server_and_worker_and_are_stored_once(folder):
    figures = faults.kill_again_and_again(folder, 3)
    assert figures["kills"] >= 3
    assert_nothing_lost(figures)


def test_a_server_that_stops_answers_the_requests_in_flight(folder):
    assert_nothing_lost(faults.stop_and_start(folder, 3))


def test_while_the_database_is_locked_classifying_continues_and_writers_wait(folder):
    figures = faults.lock_the_database(folder, 1)
    assert figures["classified during that time"] > 20
    assert figures["of these failed"] == 0
    assert_nothing_lost(figures)


def test_two_servers_on_the_same_sqlite_file_are_safe(folder):
    figures = faults.servers_on_the_same_file(folder, 2)
    assert_nothing_lost(figures)
    assert figures["of these failed"] == 0


def test_overload_is_refused_with_503_and_ends_with_the_load(folder):
    figures = faults.overload(folder, 2, connections=40)
    assert figures["failed otherwise"] == 0
    assert figures["answered"] > 50
    assert figures["rejected with 503"] > 0


def test_no_bad_input_is_answered_with_500(folder):
    count = full(600, short=300)
    figures = faults.bad_inputs(folder, count)
    assert figures["refused"] > count / 2
    assert figures["answered with 500"] == 0


@contextmanager
def small_disk(path, mib):
    path.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={mib}m", "tmpfs", path], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("This machine does not allow mounting a small disk.")
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", path], check=False)


def fill(path):
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(2**16))


def test_a_full_disk_refuses_writes_but_not_reads_and_recovers_when_there_is_room(folder, tmp_path):
    with small_disk(tmp_path / "disk", 24) as disk:
        shutil.copytree(folder, disk / "data")
        with running_server(disk / "data") as (client, _process):
            first = client.post("/v1/articles", json={"text": THREE_PARAGRAPHS})
            filler = disk / "filler"
            fill(filler)
            long = THREE_PARAGRAPHS * 200
            statuses = [client.post("/v1/articles", json={"text": f"{long} {n}"}).status_code for n in range(5)]
            assert set(statuses) <= {201, 503}
            assert statuses[-1] == 503
            assert client.post("/v1/classify", json={"text": THREE_PARAGRAPHS}).status_code == 200
            assert client.get(first.headers["location"]).status_code == 200
            filler.unlink()
            wait_until(
                lambda: (
                    client.post("/v1/articles", json={"text": f"{THREE_PARAGRAPHS} again"}).status_code in (200, 201)
                ),
                "writes to succeed again",
            )
            assert len(client.get("/v1/articles").json()["articles"]) == statuses.count(201) + 2


def test_a_copy_with_a_truncated_log_opens_with_all_whole_transactions(client, settings, tmp_path):
    for number in range(20):
        client.post("/v1/articles", json={"text": f"{THREE_PARAGRAPHS} {number}"})
    log = settings.data_dir / "framing.sqlite3-wal"
    whole = log.stat().st_size
    assert whole > 100_000
    counts = []
    for share in (0.0, 0.31, 0.62, 0.97, 1.0):
        place = tmp_path / f"copy-{share}"
        place.mkdir()
        shutil.copy(settings.data_dir / "framing.sqlite3", place)
        (place / "framing.sqlite3-wal").write_bytes(log.read_bytes()[: int(whole * share)])
        database = Database(f"sqlite:///{place / 'framing.sqlite3'}")
        database.migrate()
        with database.read() as connection:
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
            counts.append(connection.exec_driver_sql("SELECT count(*) FROM articles").scalar())
        database.close()
    assert counts == sorted(counts)
    assert (counts[0] < 20, counts[-1]) == (True, 20)


@pytest.mark.databases("postgresql")
def test_while_postgresql_is_down_classifying_continues_and_writes_are_refused_with_503(models_folder, database_url):
    more = {"text": f"{THREE_PARAGRAPHS} more"}
    with postgresql() as cluster:
        administer(cluster.url, "CREATE DATABASE own")
        own = cluster.url.format(name="own")
        with running_server(models_folder.parent, database_url=own) as (client, process):
            stored = client.post("/v1/articles", json={"text": THREE_PARAGRAPHS}).json()["id"]
            cluster.stop()
            assert client.post("/v1/classify", json={"text": THREE_PARAGRAPHS}).status_code == 200
            refused = client.post("/v1/articles", json=more)
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
            cluster.start()
            wait_until(lambda: client.post("/v1/articles", json=more).status_code == 201, "the database to be back")
            assert client.get(f"/v1/articles/{stored}").status_code == 200
            assert process.poll() is None


@pytest.mark.databases("postgresql")
@pytest.mark.usefixtures("postgresql_server")
def test_acknowledged_articles_survive_restarts_of_postgresql_and_are_stored_once(trained_folder, tmp_path):
    folder = shutil.copytree(trained_folder.parent, tmp_path / "data")
    figures = restart_postgresql(folder, annotations=60, most_up=2)
    assert figures["restarts"] >= 1
    assert_nothing_lost(figures)
    assert (figures["of these failed"], figures["server processes ended"]) == (0, 0)


class Earlier(datetime):
    """A clock that was set back by a day."""

    @classmethod
    def now(cls, tz=None):
        return datetime.now(tz) - timedelta(days=1)


@pytest.mark.databases
def test_after_the_clock_was_set_back_later_annotations_promotions_and_actions_still_count(
    client, registry, challenger, settings, monkeypatch
):
    registry.register(challenger)
    annotation = {"coder": "mira", "text": "The army left.", "source": "radio", "frames": {"foreign_hand": "reported"}}
    client.post("/v1/annotations", json=annotation)
    client.post("/v1/models/v2/promote", json={"reason": "better"})
    for module in (annotations, audit, registry_module):
        monkeypatch.setattr(module, "datetime", Earlier)
    client.post("/v1/annotations", json={**annotation, "frames": {}})
    client.post("/v1/models/rollback", json={"reason": "worse"})
    [in_force] = client.get("/v1/annotations").json()["annotations"]
    assert in_force["frames"] == {}
    assert client.get("/v1/models").json()["champion"] == "v1"
    assert [line["action"] for line in client.get("/v1/audit").json()["lines"]] == [
        "roll back",
        "annotate",
        "promote",
        "annotate",
    ]
    database = Database(settings.store_url)
    with database.read() as connection:
        assert audit.verify(connection) == 4
    database.close()


def test_an_endless_stream_of_new_words_neither_fills_the_memory_nor_leaves_files_open(folder):
    figures = endure(folder, full(8, short=5))
    assert (figures["failed"], figures["requests"] > 100, figures["words never sent twice"] > 10_000) == (0, True, True)
    assert figures["open files in the last fifth"] <= figures["open files in the second fifth"] + 2
    assert figures["MiB in the last fifth"] < figures["MiB in the second fifth"] * 1.2


def test_clients_that_do_not_read_their_answer_hold_no_place_and_are_disconnected(settings):
    filled_database.fill(settings, articles=1500, paragraphs=15, progress=lambda _done: None)
    body = {"text": THREE_PARAGRAPHS}
    with running_server(settings.data_dir, max_requests=3, answer_seconds=100) as (client, _), ExitStack() as clients:
        for _ in range(3):
            assert clients.enter_context(request_without_reading(client.base_url.port)).recv(12) == b"HTTP/1.1 200"
        wait_until(lambda: client.post("/v1/classify", json=body).status_code == 200, "their places", seconds=60)
    with running_server(settings.data_dir, answer_seconds=2) as (client, _):

        def in_progress():
            text = client.get("/metrics").text
            return float(re.search(r"^framing_http_requests_in_progress ([\d.]+)$", text, re.MULTILINE)[1]) - 1

        with request_without_reading(client.base_url.port) as connection:
            assert connection.recv(12) == b"HTTP/1.1 200"
            wait_until(lambda: in_progress() == 0, "its disconnection")
            content = b""
            with suppress(ConnectionResetError):
                while piece := connection.recv(2**16):
                    content += piece
            assert not content.endswith(b"0\r\n\r\n")
        whole = client.get("/v1/scores", params={"format": "csv"})
        assert whole.text.count("\n") == 1500 * 15 * 4 + 1


def test_a_server_on_a_folder_that_is_read_only_says_so_and_does_not_start(folder, tmp_path):
    with small_disk(tmp_path / "disk", 24) as disk:
        shutil.copytree(folder, disk / "data")
        with Database.opened(f"sqlite:///{disk / 'data' / 'framing.sqlite3'}"):
            pass
        for data in (disk / "data", disk / "new"):
            subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
            run = subprocess.run(
                [*PROGRAM, "serve"],
                env=environment(data_dir=data, port="0", worker="false"),
                cwd=tmp_path,
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
            assert run.returncode == 1
            assert str(data) in run.stderr
            assert re.search(r"cannot be (written to|made)", run.stderr)
            assert "Traceback" not in run.stderr


def test_a_running_server_that_can_no_longer_write_goes_on_classifying_and_reading(folder):
    with running_server(folder) as (client, process):
        stored = client.post("/v1/articles", json={"text": THREE_PARAGRAPHS})
        _, most = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (0, most))
        refused = client.post("/v1/articles", json={"text": f"{THREE_PARAGRAPHS} more"})
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert client.post("/v1/classify", json={"text": THREE_PARAGRAPHS}).status_code == 200
        assert client.get(stored.headers["location"]).status_code == 200
        assert client.get("/readyz").status_code == 200
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (most, most))
        assert client.post("/v1/articles", json={"text": f"{THREE_PARAGRAPHS} more"}).status_code == 201


def request_without_reading(port):
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect(("127.0.0.1", port))
    connection.sendall(b"GET /v1/scores?format=csv HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    return connection
