import multiprocessing
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext, suppress
from datetime import UTC, datetime

import psycopg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from pysqlite3 import dbapi2
from sqlalchemy import event, func, insert, inspect, select, text, update
from sqlalchemy.exc import IntegrityError, OperationalError, TimeoutError

from labels.duplicates import sketch_article
from service.errors import DatabaseError
from service.store.sql import connections as module
from service.store.sql.database import NEWEST_REVISION, Database, alembic_config
from service.store.sql.group_commit import GroupCommit
from service.store.sql.insertion import insert_all
from service.store.tables import (
    articles,
    daily_frames,
    daily_pairs,
    idempotency_keys,
    metadata,
    paragraph_scores,
    paragraphs,
    sketch_bands,
    sketches,
)
from tests.support import filled_database

pytestmark = pytest.mark.databases


@pytest.fixture
def database(tmp_path, database_url):
    database = Database(database_url or f"sqlite:///{tmp_path / 'folder' / 'x.sqlite3'}")
    database.migrate()
    yield database
    database.close()


@pytest.mark.databases
def test_a_database_is_closed_once_what_is_being_read_has_been_read(database):
    reading, done = threading.Event(), []

    def read():
        with database.read() as connection:
            reading.set()
            time.sleep(0.3)
            done.append(connection.exec_driver_sql("SELECT 1").scalar_one())

    thread = threading.Thread(target=read)
    thread.start()
    assert reading.wait(10)
    database.close()
    assert done == [1]
    thread.join()
    with database.read() as connection:
        late = connection.connection.driver_connection
    with pytest.raises(Exception, match="closed"):
        late.execute("SELECT 1")


def test_migrations_create_exactly_the_tables_of_the_program(database):
    with database.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        script = ScriptDirectory.from_config(alembic_config(connection))
        assert script.get_current_head() == NEWEST_REVISION


def test_migrations_go_down_and_up_again(database):
    with database.write() as connection:
        command.downgrade(alembic_config(connection), "base")
        assert inspect(connection).get_table_names() == ["alembic_version"]
    database.migrate()
    database.ping()


@pytest.mark.parametrize("revision", ["0002", "0001"])
def test_articles_scores_and_sums_survive_a_downgrade_and_an_upgrade(settings, revision):
    filled_database.fill(settings, 300, 4, lambda _stored: None)
    database = Database(settings.store_url)
    tables = (articles, paragraphs, paragraph_scores, daily_frames, daily_pairs)
    before = [_rows(database, table) for table in tables]
    assert all(before)
    with database.write() as connection:
        command.downgrade(alembic_config(connection), revision)
        assert not inspect(connection).has_table("daily_frames")
    database.migrate()
    assert [_rows(database, table) for table in tables] == before
    database.close()


def test_sketches_of_an_older_version_are_computed_again(settings):
    filled_database.fill(settings, 30, 4, lambda _stored: None)
    database = Database(settings.store_url)
    with database.write() as connection:
        connection.execute(update(articles).where(articles.c.number == 2).values(story=1))
        command.downgrade(alembic_config(connection), "0005")
        assert connection.scalar(select(func.count()).select_from(sketches)) == 0
    database.migrate()
    with database.read() as connection:
        stored = connection.execute(select(articles.c.number, articles.c.text)).all()
        migrated = {row.article_number: row.sketch for row in connection.execute(select(sketches))}
        bands = {tuple(row) for row in connection.execute(select(sketch_bands))}
    expected = {row.number: sketch_article(row.text) for row in stored}
    assert migrated == {number: sketch.content for number, sketch in expected.items()}
    assert bands == {(key, number) for number, sketch in expected.items() if number != 2 for key in sketch.bands()}
    database.close()


def test_an_insertion_that_fails_raises_the_same_error_as_any_other_statement(database):
    with pytest.raises(IntegrityError), database.write() as connection:
        insert_all(connection, {paragraphs: [(1, 0, 0, 5)]})
    database.ping()


@pytest.mark.databases("postgresql")
def test_a_connection_that_is_lost_during_an_insertion_is_replaced(database):
    def insert_rows():
        with database.write() as connection:
            with suppress(psycopg.OperationalError):
                connection.connection.cursor().execute("SELECT pg_terminate_backend(pg_backend_pid())")
            insert_all(connection, {paragraphs: [(1, 0, 0, 5)]})

    with pytest.raises(OperationalError) as caught:
        insert_rows()
    assert caught.value.connection_invalidated
    database.ping()


def _rows(database, table):
    """All rows, with rounded sums because these depend on the order of addition; without sketches, which change."""
    columns = [column for column in table.c if column.name != "sketch"]
    with database.read() as connection:
        rows = connection.execute(select(*columns)).all()
    return sorted(tuple(round(v, 6) if isinstance(v, float) else str(v) for v in row) for row in rows)


def test_migrating_twice_changes_nothing(database):
    database.migrate()
    database.ping()


def test_a_database_of_a_newer_version_is_rejected_and_not_changed(database):
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(DatabaseError, match="another version of this program"):
        database.migrate()
    with pytest.raises(DatabaseError, match="not migrated"):
        database.ping()


def test_a_file_that_is_not_a_database_is_rejected(tmp_path):
    path = tmp_path / "x.sqlite3"
    path.write_bytes(b"not a database at all" * 100)
    database = Database(f"sqlite:///{path}")
    with pytest.raises(DatabaseError):
        database.migrate()
    database.close()


def test_sqlite_is_safe_for_several_writers_and_syncs_fully(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'x.sqlite3'}")
    assert dbapi2.sqlite_version_info >= (3, 51, 3)
    with database.read() as connection:
        pragmas = {
            name: connection.scalar(text(f"PRAGMA {name}"))
            for name in ("journal_mode", "synchronous", "foreign_keys", "mmap_size", "secure_delete")
        }
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "mmap_size": 0, "secure_delete": 1}


def test_a_sqlite_with_the_wal_reset_bug_is_rejected(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "_OLDEST_SAFE_SQLITE", (99, 0, 0))
    with pytest.raises(DatabaseError, match="WAL-reset bug"):
        Database(f"sqlite:///{tmp_path / 'x.sqlite3'}")


def test_a_transaction_with_an_error_is_rolled_back(database):
    def fail_halfway():
        with database.write() as connection:
            connection.execute(text("INSERT INTO alembic_version VALUES ('x')"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_halfway()
    database.ping()


def _write(url, count):
    database = Database(url)
    for _ in range(count):
        with database.write() as connection:
            number = connection.scalar(text("SELECT count(*) FROM counter"))
            connection.execute(text("INSERT INTO counter VALUES (:n)"), {"n": number})
    database.close()


def test_processes_and_threads_wait_for_each_other_to_write(database):
    with database.write() as connection:
        connection.execute(text("CREATE TABLE counter (n INTEGER UNIQUE)"))
    url = database.url.render_as_string(hide_password=False)
    processes = [multiprocessing.get_context("spawn").Process(target=_write, args=(url, 30)) for _ in range(2)]
    threads = [threading.Thread(target=_write, args=(url, 30)) for _ in range(3)]
    for worker in (*processes, *threads):
        worker.start()
    for worker in (*processes, *threads):
        worker.join(60)
    assert [process.exitcode for process in processes] == [0, 0]
    with database.read() as connection:
        assert connection.scalar(text("SELECT count(*) FROM counter")) == 150
        if database.is_sqlite:
            assert connection.scalar(text("PRAGMA integrity_check")) == "ok"


def test_a_read_transaction_sees_a_single_state(database):
    with database.read() as reader:
        before = reader.scalar(text("SELECT count(*) FROM articles"))
        with database.write() as writer:
            writer.execute(text("CREATE TABLE other (n INTEGER)"))
        assert not inspect(reader).has_table("other")
        assert reader.scalar(text("SELECT count(*) FROM articles")) == before


def test_rows_of_an_article_cannot_exist_without_it(database):
    orphan = {"key": "k", "request_sha256": "0", "article_id": "0", "response": "", "created_at": datetime.now(UTC)}
    with pytest.raises(IntegrityError), database.write() as connection:
        connection.execute(insert(idempotency_keys), orphan)


@pytest.fixture
def notes(database):
    """Writes numbers to a table; a group that contains a number of the form 4n + 3 fails."""
    with database.write() as connection:
        connection.execute(text("CREATE TABLE notes (number integer)"))

    def note_all(connection, numbers):
        for number in numbers:
            connection.execute(text("INSERT INTO notes VALUES (:number)"), {"number": number})
            if number % 4 == 3:
                raise ValueError(f"number {number}")
        return [number * 10 for number in numbers]

    return GroupCommit(database.write, note_all)


def noted(database):
    with database.read() as connection:
        return set(connection.scalars(text("SELECT number FROM notes")))


def write_through(commit, item):
    """The result of an item, once it is written."""
    return commit.result(commit.put(item))


def write_at_once(database, commit, items):
    """The results or errors of items that arrive while another transaction is open."""
    with ThreadPoolExecutor(len(items)) as pool:
        with database.write():
            futures = [pool.submit(write_through, commit, item) for item in items]
            time.sleep(0.3)
        return [future.exception() or future.result() for future in futures]


def test_items_that_threads_write_at_once_share_transactions(database, notes):
    commits = []
    event.listen(database.engine, "commit", commits.append)
    numbers = [0, 1, 2, 4, 5, 6, 8, 9]
    assert write_at_once(database, notes, numbers) == [number * 10 for number in numbers]
    assert len(commits) <= 3
    assert noted(database) == set(numbers)


def test_of_the_items_that_share_a_transaction_only_the_faulty_item_is_not_written(database, notes):
    answers = write_at_once(database, notes, list(range(8)))
    assert [str(answer) for answer in answers] == ["0", "10", "20", "number 3", "40", "50", "60", "number 7"]
    assert noted(database) == {0, 1, 2, 4, 5, 6}


@pytest.mark.databases("postgresql")
def test_a_connection_that_is_lost_in_a_transaction_is_an_error_of_all_its_items(database, notes):
    def note_all(connection, numbers):
        for number in numbers:
            connection.execute(text("INSERT INTO notes VALUES (:number)"), {"number": number})
            if number == 4:
                connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
        return numbers

    answers = write_at_once(database, GroupCommit(database.write, note_all), list(range(8)))
    errors = {number: answer for number, answer in enumerate(answers) if answer != number}
    assert {type(error) for error in errors.values()} == {OperationalError}
    assert 7 in errors
    assert noted(database) == set(range(8)) - set(errors)


@pytest.mark.databases("sqlite")
def test_items_are_answered_while_the_next_group_is_being_written():
    begun, may_end = ({item: threading.Event() for item in "abd"} for _ in range(2))

    def do(_connection, items):
        for item in begun.keys() & set(items):
            begun[item].set()
            assert may_end[item].wait(timeout=10)
        return items

    commit = GroupCommit(nullcontext, do)
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(write_through, commit, "a")
        assert begun["a"].wait(timeout=10)
        together = [pool.submit(write_through, commit, item) for item in "bc"]
        time.sleep(0.1)
        may_end["a"].set()
        assert begun["b"].wait(timeout=10)
        last = pool.submit(write_through, commit, "d")
        time.sleep(0.1)
        may_end["b"].set()
        assert begun["d"].wait(timeout=10)
        assert [future.result(timeout=10) for future in (first, *together)] == ["a", "b", "c"]
        assert not last.done()
        may_end["d"].set()
    assert last.result() == "d"


@pytest.mark.databases("sqlite")
def test_an_item_is_written_by_the_first_thread_that_waits_else_by_the_thread_that_put_it():
    written = []

    def do(_connection, items):
        written.append(list(items))
        return items

    commit = GroupCommit(nullcontext, do)
    busy = commit.put("a")
    assert write_through(commit, "b") == "b"
    assert commit.result(busy) == "a"
    alone = commit.put("c")
    assert commit.result(alone) == "c"
    assert written == [["a", "b"], ["c"]]


@pytest.mark.databases("sqlite")
def test_an_item_is_written_even_if_its_thread_waits_late():
    begun, may_end, items_written = threading.Event(), threading.Event(), []

    def do(_connection, items):
        items_written.extend(items)
        begun.set()
        assert may_end.wait(timeout=10)
        return items

    commit = GroupCommit(nullcontext, do)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(write_through, commit, "a")
        assert begun.wait(timeout=10)
        late = commit.put("b")
        may_end.set()
        assert first.result(timeout=10) == "a"
        assert items_written == ["a"]
        assert commit.result(late) == "b"


def test_a_transaction_that_cannot_begin_is_an_error_of_all_its_items():
    class LostError(Exception):
        pass

    @contextmanager
    def write():
        raise LostError
        yield

    commit = GroupCommit(write, lambda _connection, items: items)
    with ThreadPoolExecutor(4) as pool:
        futures = [pool.submit(write_through, commit, 1) for _ in range(4)]
    assert all(isinstance(future.exception(), LostError) for future in futures)


def test_a_failure_of_the_database_is_an_error_of_all_items_and_is_not_retried_for_each():
    attempts, all_wait = [], threading.Event()

    @contextmanager
    def write():
        attempts.append(1)
        all_wait.wait(timeout=10)
        raise TimeoutError("no connection is free")
        yield

    commit = GroupCommit(write, lambda _connection, items: items)
    with ThreadPoolExecutor(8) as pool:
        futures = [pool.submit(write_through, commit, 1) for _ in range(8)]
        time.sleep(0.3)
        all_wait.set()
    assert all(isinstance(future.exception(), TimeoutError) for future in futures)
    assert len(attempts) <= 2
