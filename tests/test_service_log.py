"""What is logged of an error of the database has no text of an article and no name, whatever went wrong."""

import subprocess
import sys
import time
import traceback
from contextlib import closing, contextmanager
from datetime import UTC, datetime

import httpx2
import pytest
from pysqlite3 import dbapi2
from sqlalchemy import insert, text
from sqlalchemy.exc import DBAPIError

from service.store.sql.database import Database
from service.store.sql.insertion import insert_all
from service.store.tables import api_keys, audit, idempotency_keys, paragraphs
from tests.support.articles import THREE_PARAGRAPHS
from tests.support.servers import PROGRAM, environment, free_port, stop
from tests.support.waiting import wait_until
from tests.test_faults import fill, small_disk

pytestmark = pytest.mark.databases

SECRET = "Zarquon ministers of the Obelisk coast"


@pytest.fixture
def database(tmp_path, database_url):
    database = Database(database_url or f"sqlite:///{tmp_path / 'x.sqlite3'}")
    database.migrate()
    yield database
    database.close()


def row(**values):
    key = {"id": "k", "name": SECRET, "role": "reader", "secret_sha256": "0", "created_at": datetime.now(UTC)}
    return {**key, **values}


def statement(sql):
    return lambda connection: connection.execute(text(sql), {"value": SECRET})


def insertion(*rows):
    return lambda connection: [connection.execute(insert(api_keys), values) for values in rows]


def all_at_once(table, values):
    return lambda connection: insert_all(connection, {table: [values]})


# What goes wrong, and the databases in which it does.
FAULTS = {
    "a value that is stored already": (insertion(row(id=SECRET[:12]), row(id=SECRET[:12])), "both"),
    "a row that lacks a value": (insertion(row(role=None)), "both"),
    "a row of several that lacks a value": (
        all_at_once(idempotency_keys, (SECRET, None, SECRET, SECRET, datetime.now(UTC))),
        "both",
    ),
    "a row whose owner is missing": (
        all_at_once(idempotency_keys, (SECRET, "0", SECRET[:32], SECRET, datetime.now(UTC))),
        "both",
    ),
    "a value that is too long": (insertion(row(role=SECRET)), "postgresql"),
    "a value with a NUL": (insertion(row(name=f"{SECRET}\0")), "postgresql"),
    "a number that is none": (statement("SELECT CAST(:value AS integer)"), "postgresql"),
    "a date that is none": (statement("SELECT CAST(:value AS timestamp)"), "postgresql"),
    "JSON that is none": (statement("SELECT CAST(:value AS json)"), "postgresql"),
    "bytes that are none": (statement("SELECT decode(:value, 'hex')"), "postgresql"),
    "an error that a function raises": (statement("SELECT 1 / (length(CAST(:value AS text)) - 38)"), "postgresql"),
    "a statement about a table that is missing": (statement("INSERT INTO nothing VALUES (:value)"), "both"),
    "a half of a character": (statement("SELECT :value || '\ud800'"), "both"),
    "a text with half a character": (insertion(row(name=f"{SECRET}\ud800")), "both"),
}


def logged(error):
    return "".join(traceback.format_exception(error)) + repr(getattr(error, "params", None))


@pytest.mark.parametrize("fault", FAULTS)
def test_an_error_of_the_database_tells_neither_values_nor_rows(database, fault):
    cause, where = FAULTS[fault]
    if where == "postgresql" and database.is_sqlite:
        pytest.skip("SQLite accepts this.")
    of_workflows = database.separate_engine()
    for engine in (database.engine, of_workflows):
        with pytest.raises((DBAPIError, UnicodeError)) as caught, engine.begin() as connection:
            cause(connection)
        assert SECRET[:12] not in logged(caught.value)
    of_workflows.dispose()


def test_an_error_still_names_the_constraint_that_was_broken(database):
    with pytest.raises(DBAPIError) as caught, database.write() as connection:
        insertion(row(), row())(connection)
    assert "pk_api_keys" in str(caught.value) or "api_keys.id" in str(caught.value)
    with pytest.raises(DBAPIError) as caught, database.write() as connection:
        connection.execute(insert(paragraphs), {"article_number": 1, "paragraph": 0, "start_offset": 0})
    assert "end_offset" in str(caught.value)


@pytest.mark.databases("sqlite")
@pytest.mark.parametrize("kind", ["own engine", "engine of the workflows"])
def test_a_full_disk_or_a_locked_database_tells_no_values(database, kind):
    engine = database.engine if kind == "own engine" else database.separate_engine()
    line = {"number": 1, "at": datetime.now(UTC), "who": SECRET, "action": "x", "sha256": "0", "detail": {}}

    def log(connection):
        connection.execute(insert(audit), {**line, "subject": SECRET, "detail": {"note": SECRET * 5000}})

    with engine.connect() as connection:
        [pages] = connection.connection.cursor().execute("PRAGMA page_count").fetchone()
        connection.connection.cursor().execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(DBAPIError, match="full") as caught:
            log(connection)
        assert SECRET[:12] not in logged(caught.value)
        connection.rollback()
    engine.dispose()
    with closing(dbapi2.connect(database.url.database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with engine.connect() as connection:
            connection.connection.cursor().execute("PRAGMA busy_timeout = 50")
            with pytest.raises(DBAPIError, match="locked") as caught:
                log(connection)
            assert SECRET[:12] not in logged(caught.value)
    engine.dispose()


@contextmanager
def logging_server(data_dir, log, level):
    """A client of a real server, which writes everything that it logs into a file."""
    port = str(free_port())
    variables = environment(data_dir=data_dir, port=port, worker="false", log_level=level)
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, *PROGRAM[1:], "serve"], env=variables, cwd=log.parent, stdout=output, stderr=output
        )
        try:
            with httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
                wait_until(lambda: answers(client), "the server", process=process)
                yield client
        finally:
            stop(process)


@pytest.mark.databases("sqlite")
def test_the_log_of_a_server_on_a_full_disk_has_neither_texts_nor_names(models_folder, tmp_path):
    log = tmp_path / "log"
    with small_disk(tmp_path / "disk", 24) as disk:
        subprocess.run(["cp", "-r", str(models_folder.parent), str(disk / "data")], check=True)
        with logging_server(disk / "data", log, "debug") as client:
            fill(disk / "filler")
            body = {"coder": f"{SECRET} coder", "text": SECRET, "source": SECRET, "frames": {}, "note": SECRET}
            statuses = set()
            for number in range(40):
                article = {"text": f"{SECRET} {THREE_PARAGRAPHS * 100} {number}", "outlet": SECRET}
                statuses.add(client.post("/v1/articles", json=article).status_code)
                annotation = body | {"text": f"{SECRET} {number} " * 400}
                statuses.add(client.post("/v1/annotations", json=annotation).status_code)
            assert 503 in statuses
            assert statuses <= {201, 503}
    content = log.read_text(encoding="utf-8", errors="replace")
    assert "Database error" in content
    assert SECRET[:12] not in content


@pytest.mark.databases("sqlite")
def test_the_log_of_requests_has_addresses_without_their_queries(models_folder, tmp_path):
    log = tmp_path / "log"
    with logging_server(models_folder.parent, log, "info") as client:
        assert client.get("/v1/articles", params={"q": SECRET}).status_code == 200
    content = log.read_text(encoding="utf-8", errors="replace")
    assert "GET /v1/articles HTTP/1.1" in content
    assert SECRET.split(maxsplit=1)[0] not in content


def answers(client):
    try:
        return client.get("/readyz").status_code == 200
    except httpx2.TransportError:
        time.sleep(0.1)
        return False
