"""Deleting and purging: the text is gone from every file once the service says so; until then it says what has it."""

import fcntl
import json
import random
import sqlite3
import threading
import time
from contextlib import closing, contextmanager
from datetime import datetime

import pytest
from pysqlite3 import dbapi2
from sqlalchemy import JSON, LargeBinary, String, select, text

from labels.annotations import Annotation, CodedParagraph
from service.cli import installation
from service.jobs.removal import Remover
from service.jobs.run_record import RunRecord, SnapshotFacts
from service.store import removals, training_runs
from service.store.callers import COMMAND_LINE
from service.store.sql.database import Database
from service.store.sql.erasing import erase_deleted
from service.store.tables import annotations, articles, metadata
from service.store.tables import training_runs as runs_table
from tests.support.articles import THREE_PARAGRAPHS
from tests.support.servers import running_worker
from tests.support.waiting import wait_until
from training.encoder.vectors import VectorStore
from training.registry.versions import Registry

SECRET = (
    "Zarquon ministers of the Obelisk coast ignored the warnings of the Yttrium committee. "
    "The army moved into Quillfeather valley, and Brontide herders say they were never paid."
)
OWN = "Vellichor guards closed the Samphire bridge before the column arrived."


def pieces_in(folder, secret=SECRET):
    """Pieces of 24 bytes of a text that are in any file of a folder."""
    pieces = {secret[start : start + 24].encode() for start in range(len(secret) - 24)}
    contents = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    return {piece for piece in pieces for content in contents if piece in content}


def store(client, secret=SECRET, **facts):
    answer = client.post("/v1/articles", json={"text": f"{secret}\n\n{THREE_PARAGRAPHS}", **facts})
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


@pytest.fixture
def remover(settings):
    with closing(Database(settings.store_url)) as database:
        yield Remover(settings, database, Registry(settings.models_location))


@contextmanager
def reading(settings):
    """Another process's connection in the middle of a read transaction."""
    other = dbapi2.connect(str(settings.data_dir / "framing.sqlite3"), isolation_level=None)
    other.execute("BEGIN")
    other.execute("SELECT count(*) FROM articles").fetchone()
    yield other
    other.close()


def test_a_delete_while_another_process_reads_says_that_text_is_left_until_it_is_gone(client, settings, remover):
    identifier = store(client)
    with reading(settings):
        answer = client.delete(f"/v1/articles/{identifier}")
        assert answer.status_code == 202
        assert answer.headers["location"] == f"/v1/articles/{identifier}/removal"
        assert pieces_in(settings.data_dir)
        for state in (answer.json(), client.get(answer.headers["location"]).json()):
            assert (state["article_id"], state["state"], state["erased_at"]) == (identifier, "erasing", None)
            assert "SQLite's log still has copies" in state["left"]
        assert client.get(f"/v1/articles/{identifier}").status_code == 404
        assert client.delete(f"/v1/articles/{identifier}").status_code == 202
    assert remover.erase(5, rewrite=True) is None
    state = client.get(answer.headers["location"]).json()
    assert (state["state"], state["left"]) == ("erased", None)
    assert datetime.fromisoformat(state["erased_at"]) > datetime.fromisoformat(state["removed_at"])
    assert pieces_in(settings.data_dir) == set()
    assert client.delete(f"/v1/articles/{identifier}").status_code == 404
    assert client.get("/v1/articles/" + "0" * 32 + "/removal").status_code == 404


def test_a_delete_that_is_repeated_once_nobody_reads_says_that_the_text_is_gone(client, settings):
    identifier = store(client)
    with reading(settings):
        assert client.delete(f"/v1/articles/{identifier}").status_code == 202
    assert client.delete(f"/v1/articles/{identifier}").status_code == 204
    assert pieces_in(settings.data_dir) == set()


def test_while_a_delete_waits_for_a_reader_others_can_write(client, settings):
    identifier = store(client)
    with reading(settings):
        deleting = threading.Thread(target=client.delete, args=(f"/v1/articles/{identifier}",))
        deleting.start()
        time.sleep(0.3)
        other = sqlite3.connect(settings.data_dir / "framing.sqlite3", isolation_level=None, timeout=1)
        other.execute("BEGIN IMMEDIATE")
        other.execute("ROLLBACK")
        other.close()
        deleting.join()


def test_a_purge_while_another_process_reads_fails_and_says_what_is_left(client, settings, framing):
    identifier = store(client)
    with reading(settings):
        done = framing("purge", identifier, data_dir=settings.data_dir)
        assert (done.returncode, done.stdout) == (1, "Purged 1 article.\n")
        assert "Bytes of the texts are left." in done.stderr
        assert "SQLite's log still has copies" in done.stderr
        assert pieces_in(settings.data_dir)
        as_json = framing("purge", identifier, "--json", data_dir=settings.data_dir)
        assert as_json.returncode == 1
        assert "SQLite's log" in json.loads(as_json.stdout)["left"]
        doctor = framing("doctor", "--json", data_dir=settings.data_dir)
        [finding] = [f for f in json.loads(doctor.stdout) if f["subject"] == "removed texts"]
        assert not finding["ok"]
        assert identifier in finding["detail"]
    again = framing("purge", identifier, data_dir=settings.data_dir)
    assert (again.returncode, again.stderr) == (0, "")
    assert pieces_in(settings.data_dir) == set()
    missing = framing("purge", identifier, data_dir=settings.data_dir)
    assert (missing.returncode, "No article is stored" in missing.stderr) == (1, True)


def test_a_purge_that_waits_ends_when_the_text_is_gone(client, settings, framing, monkeypatch):
    monkeypatch.setattr(installation, "_ERASING_SECONDS", 0.3)
    identifier = store(client)
    with reading(settings) as other:
        results = []
        purge = threading.Thread(
            target=lambda: results.append(framing("purge", identifier, "--wait", data_dir=settings.data_dir))
        )
        purge.start()
        address = f"/v1/articles/{identifier}/removal"
        wait_until(lambda: client.get(address).json().get("left") is not None, "the first attempt")
        assert purge.is_alive()
        other.execute("ROLLBACK")
        purge.join(60)
    assert results[0].returncode == 0, results[0].stderr
    assert "Waiting: Another process" in results[0].stderr
    assert pieces_in(settings.data_dir) == set()


def test_the_worker_erases_what_a_delete_had_to_leave(client, settings):
    identifier = store(client)
    with reading(settings):
        assert client.delete(f"/v1/articles/{identifier}").status_code == 202
    with running_worker(settings.data_dir) as worker:
        address = f"/v1/articles/{identifier}/removal"
        wait_until(lambda: client.get(address).json()["state"] == "erased", "the worker", process=worker)
    assert pieces_in(settings.data_dir) == set()


def test_a_purge_that_was_killed_after_its_transaction_is_finished_by_the_next(client, settings, remover, monkeypatch):
    identifier = store(client)

    def die(*_arguments, **_settings):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(remover, "erase", die)
        with pytest.raises(KeyboardInterrupt):
            remover.purge([identifier], COMMAND_LINE, 1)
    assert pieces_in(settings.data_dir)
    purged = remover.purge([identifier], COMMAND_LINE, 1)
    assert (purged.removed, purged.missing, purged.left) == ((identifier,), (), None)
    assert pieces_in(settings.data_dir) == set()


# -- every store ------------------------------------------------------------------------------------------------------


def test_a_purge_reaches_annotations_that_came_with_the_text_and_examples_of_training_runs(client, settings, framing):
    identifier, other = store(client), store(client, OWN)
    for text_of_own in (SECRET, OWN):
        body = {"coder": "mira", "text": text_of_own, "source": "diary", "frames": {}, "note": text_of_own[:30]}
        assert client.post("/v1/annotations", json=body).status_code == 201
        assert client.post("/v1/annotations", json=body | {"note": "again"}).status_code in (200, 201)
    database = Database(settings.store_url)
    examples = [{"article_id": i, "paragraph": 0, "text": t[:400]} for i, t in ((identifier, SECRET), (other, OWN))]
    diff = {"frames": {"foreign_hand": {"counts": {"absent -> present": 2}, "examples": examples}}}
    with database.write() as connection:
        run = training_runs.create(connection, training_runs.RunRequest())
        training_runs.change(connection, run.id, label_diff=diff, state="succeeded")
    done = framing("purge", identifier, data_dir=settings.data_dir)
    assert done.returncode == 0, done.stderr
    assert pieces_in(settings.data_dir) == set()
    with database.read() as connection:
        assert set(connection.scalars(select(annotations.c.text))) == {OWN}
        left = connection.scalar(select(runs_table.c.label_diff))
    assert left["frames"]["foreign_hand"] == {"counts": {"absent -> present": 2}, "examples": examples[1:]}
    database.close()


def test_a_purge_reaches_former_versions(client, settings, framing):
    identifier = store(client, external_id="x")
    body = {"text": THREE_PARAGRAPHS, "external_id": "x"}
    assert client.post("/v1/articles?replace=true", json=body).status_code == 200
    assert pieces_in(settings.data_dir)
    assert framing("purge", identifier, data_dir=settings.data_dir).returncode == 0
    assert pieces_in(settings.data_dir) == set()


def snapshot(client, settings, database, state="running"):
    """A training run with a snapshot that has the secret, whose vectors are stored; its article, and its record."""
    identifier = store(client)
    with database.write() as connection:
        run = training_runs.create(connection, training_runs.RunRequest()).id
        training_runs.change(connection, run, state=state)
    record = RunRecord(run, database, Registry(settings.models_location).storage)
    paragraph = CodedParagraph(identifier, 0, "diary", SECRET, (Annotation("mira", {}),))
    record.write_snapshot((paragraph,), SnapshotFacts("words", (identifier,)))
    (settings.vectors_dir / "e").mkdir(parents=True)
    place = VectorStore._path(settings.vectors_dir, "e", SECRET)
    place.parent.mkdir(parents=True)
    place.write_bytes(b"the vector of the secret")
    return identifier, record


def files_below(folder):
    return [path for path in folder.rglob("*") if path.is_file()] if folder.is_dir() else []


def test_a_purge_without_a_worker_ends_the_run_that_learns_from_the_article(client, settings, framing, database):
    identifier, record = snapshot(client, settings, database)
    done = framing("purge", identifier, data_dir=settings.data_dir)
    assert done.returncode == 0, done.stderr
    assert (record.read().state, "was purged" in record.read().log[-1]) == ("cancelled", True)
    assert files_below(settings.data_dir / "models" / "runs") == files_below(settings.vectors_dir) == []
    assert pieces_in(settings.data_dir) == set()


def test_while_a_worker_performs_the_run_a_purge_says_that_its_snapshot_is_left(client, settings, database, remover):
    identifier, record = snapshot(client, settings, database)
    with (settings.data_dir / "worker.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        purged = remover.purge([identifier], COMMAND_LINE, 0.3)
        assert f"The snapshot of the training run {record.run} has the text" in purged.left
        assert record.read().cancel_requested
        assert pieces_in(settings.data_dir)
        record.end("cancelled", "cancelled")
        assert remover.erase(1, rewrite=True) is None
    assert pieces_in(settings.data_dir) == set()


def test_a_delete_lets_a_run_go_on_and_says_that_its_snapshot_is_left(client, settings, database, remover):
    identifier, record = snapshot(client, settings, database)
    answer = client.delete(f"/v1/articles/{identifier}")
    assert (answer.status_code, record.run in answer.json()["left"]) == (202, True)
    assert (record.read().state, record.read().cancel_requested) == ("running", False)
    record.end("succeeded", "done")
    assert remover.erase(1, rewrite=True) is None
    assert client.get(answer.headers["location"]).json()["state"] == "erased"
    assert pieces_in(settings.data_dir) == set()


def test_a_delete_of_another_article_does_not_wait_for_the_run(client, settings, database):
    identifier, record = snapshot(client, settings, database)
    other = store(client, OWN)
    assert client.delete(f"/v1/articles/{identifier}").status_code == 202
    assert client.delete(f"/v1/articles/{other}").status_code == 204
    assert client.get(f"/v1/articles/{other}/removal").json()["state"] == "erased"
    state = client.get(f"/v1/articles/{identifier}/removal").json()
    assert (state["state"], record.run in state["left"]) == ("erasing", True)


@pytest.mark.parametrize("facts", ["", "{", "[" * 100_000, "[]", '{"stored_articles": 5}'])
def test_a_damaged_snapshot_is_named_and_keeps_no_removal_from_happening(client, settings, remover, facts):
    damaged = settings.data_dir / "models" / "runs" / "0123456789abcdef" / "facts.json"
    damaged.parent.mkdir(parents=True)
    damaged.write_text(facts, encoding="utf-8")
    answer = client.delete(f"/v1/articles/{store(client)}")
    assert (answer.status_code, "runs/0123456789abcdef/facts.json" in answer.json()["left"]) == (202, True)
    damaged.unlink()
    assert remover.erase(1, rewrite=True) is None
    assert pieces_in(settings.data_dir) == set()


def test_the_snapshot_of_a_run_that_the_database_does_not_know_is_deleted(client, settings, database, framing):
    identifier, record = snapshot(client, settings, database)
    with database.write() as connection:
        connection.execute(text("DELETE FROM training_runs"))
    assert framing("purge", identifier, data_dir=settings.data_dir).returncode == 0
    assert record.texts_of_removed() == []
    assert pieces_in(settings.data_dir) == set()


def goes_with_its_article(table):
    """Whether foreign keys delete each row of a table with its article."""
    if table is articles:
        return True
    keys = (key for column in table.c if not column.nullable for key in column.foreign_keys)
    return any(key.ondelete == "CASCADE" and goes_with_its_article(key.column.table) for key in keys)


def test_no_table_can_hold_a_text_unless_a_removal_reaches_it_or_what_remains_is_listed():
    """A new table with a column of text, JSON or bytes fails here until `service.store.removals` accounts for it."""
    for table in metadata.sorted_tables:
        texts = {column.name for column in table.c if isinstance(column.type, String | JSON | LargeBinary)}
        if goes_with_its_article(table) or table in removals.WITH_TEXT:
            continue
        assert texts == set(removals.REMAINS.get(table, ())), table.name
    long = {f"{t.name}.{c.name}" for t in metadata.sorted_tables for c in t.c if _is_long(c)}
    listed = {f"{table.name}.{column.name}" for table in removals.WITH_TEXT for column in table.c}
    remaining = {f"{table.name}.{name}" for table, names in removals.REMAINS.items() for name in names}
    assert long - listed - remaining == set()


def _is_long(column):
    return isinstance(column.type, JSON | LargeBinary) or (
        isinstance(column.type, String) and (column.type.length is None or column.type.length > 512)
    )


def test_every_table_of_the_database_is_one_of_the_program_or_of_its_workflows(client, settings):
    """Tables of DBOS have ids of runs and names of steps; a purge does not walk them."""
    identifier = store(client)
    body = {"coder": "mira", "article_id": identifier, "paragraph": 0, "frames": {}}
    assert client.post("/v1/annotations", json=body).status_code == 201
    run = client.post("/v1/training-runs", json={"include_corpus": False}).json()["id"]
    with running_worker(settings.data_dir) as worker:
        address = f"/v1/training-runs/{run}"
        wait_until(lambda: client.get(address).json()["state"] == "failed", "the end of the run", process=worker)
    database = Database(settings.store_url)
    with database.read() as connection:
        names = set(connection.scalars(text("SELECT name FROM sqlite_master WHERE type = 'table'")))
        others = names - set(metadata.tables) - {"alembic_version", "sqlite_sequence"}
        assert "workflow_status" in others
        for name in others:
            rows = connection.exec_driver_sql(f'SELECT * FROM "{name}"').all()
            assert SECRET[:24] not in repr(rows), name
            assert "committee" not in repr(rows), name
    database.close()


def test_every_folder_of_a_data_folder_is_one_that_a_removal_knows(settings):
    folders = {name for name in dir(type(settings)) if name.endswith("_dir")} - {"data_dir"}
    assert folders == {"cache_dir", "vectors_dir", "finetuning_dir"}


# -- bytes ------------------------------------------------------------------------------------------------------------


def test_rewriting_the_file_removes_copies_that_moved_rows_left(tmp_path):
    chance, database = random.Random(1), Database(f"sqlite:///{tmp_path / 'x.sqlite3'}")
    with database.write() as connection:
        connection.execute(text("CREATE TABLE texts (number INTEGER PRIMARY KEY, body TEXT)"))
    live, gone = {}, set()

    def add(connection, number):
        live[number] = f"mark{chance.randrange(10**15):015d}"
        body = f"{live[number]} " * (chance.choice([50, 200, 900, 1800, 3000, 6000]) // 20)
        statement = text("INSERT OR REPLACE INTO texts VALUES (:number, :body)")
        connection.execute(statement, {"number": number, "body": body})

    for _ in range(400):
        with database.write() as connection:
            for _ in range(3):
                add(connection, chance.randrange(10**9))
            for number in chance.sample(sorted(live), 1):
                gone.add(live.pop(number))
                if chance.random() < 0.5:
                    add(connection, number)
                else:
                    connection.execute(text("DELETE FROM texts WHERE number = :number"), {"number": number})

    def left():
        content = b"".join(path.read_bytes() for path in tmp_path.iterdir())
        return [mark for mark in gone if mark.encode() in content]

    assert erase_deleted(database, (), 1, thoroughly=True) is None
    assert left() == []
    assert all(mark.encode() in (tmp_path / "x.sqlite3").read_bytes() for mark in live.values())
    database.close()


@pytest.mark.databases("postgresql")
def test_postgresql_keeps_the_bytes_until_its_tables_are_rewritten_and_a_delete_says_so(client, settings, remover):
    identifier = store(client)
    answer = client.delete(f"/v1/articles/{identifier}")
    assert (answer.status_code, "until their tables are rewritten" in answer.json()["left"]) == (202, True)
    assert remover.erase(5, rewrite=True) is None
    assert client.get(answer.headers["location"]).json()["state"] == "erased"


def holds_dead_rows(database, table):
    """Whether rewriting a table would keep rows that were deleted."""
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        notices = []
        connection.connection.driver_connection.add_notice_handler(lambda notice: notices.append(notice.message_detail))
        connection.exec_driver_sql(f"VACUUM (FULL, VERBOSE) {table}")
    return any(detail and not detail.startswith("0 dead row versions") for detail in notices)


@pytest.mark.databases("postgresql")
def test_an_open_snapshot_of_postgresql_keeps_the_bytes_and_the_purge_names_it(
    client, settings, remover, database, framing, database_url
):
    identifier = store(client)
    with database.read() as connection:
        holder = connection.scalar(text("SELECT pg_backend_pid()"))
        purged = remover.purge([identifier], COMMAND_LINE, 0.3)
        assert f"an open transaction still sees: the connection {holder}" in purged.left
        assert holds_dead_rows(database, "articles")
        done = framing("purge", identifier, data_dir=settings.data_dir, database_url=database_url)
        assert (done.returncode, f"the connection {holder}" in done.stderr) == (1, True)
    assert remover.purge([identifier], COMMAND_LINE, 10).left is None
    assert not holds_dead_rows(database, "articles")


@pytest.mark.databases("postgresql")
def test_a_table_of_postgresql_that_another_connection_has_locked_is_named(client, remover, database):
    identifier = store(client)
    engine = database.separate_engine()
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as holder:
        # Without a snapshot, which would be named instead.
        holder.exec_driver_sql("BEGIN")
        holder.exec_driver_sql("LOCK TABLE former_versions IN ACCESS SHARE MODE")
        purged = remover.purge([identifier], COMMAND_LINE, 0.1)
        assert "The table former_versions could not be rewritten" in purged.left
        holder.exec_driver_sql("ROLLBACK")
    engine.dispose()
    assert remover.purge([identifier], COMMAND_LINE, 10).left is None
