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

from benchmarks import filled_database
from labels.duplicates import sketch_article
from service.store.sql import connections as module
from service.store.sql.database import NEWEST_REVISION, Database, DatabaseError, alembic_config
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

pytestmark = pytest.mark.databases


@pytest.fixture
def database(tmp_path, database_url):
    database = Database(database_url or f"sqlite:///{tmp_path / 'folder' / 'x.sqlite3'}")
    database.migrate()
    yield database
    database.close()


def test_migrations_make_exactly_the_tables_of_the_program(database):
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
def test_a_filled_database_goes_down_and_up_again_and_keeps_articles_scores_and_sums(settings, revision):
    filled_database.fill(settings, 300, 4, lambda _stored: None)
    database = Database(settings.store_url)
    kept = (articles, paragraphs, paragraph_scores, daily_frames, daily_pairs)
    before = [_rows(database, table) for table in kept]
    assert all(before)
    with database.write() as connection:
        command.downgrade(alembic_config(connection), revision)
        assert not inspect(connection).has_table("daily_frames")
    database.migrate()
    assert [_rows(database, table) for table in kept] == before
    database.close()


def test_articles_stored_before_sketches_were_made_otherwise_are_sketched_anew(settings):
    filled_database.fill(settings, 30, 4, lambda _stored: None)
    database = Database(settings.store_url)
    with database.write() as connection:
        connection.execute(update(articles).where(articles.c.number == 2).values(story=1))
        command.downgrade(alembic_config(connection), "0005")
        assert connection.scalar(select(func.count()).select_from(sketches)) == 0
    database.migrate()
    with database.read() as connection:
        stored = connection.execute(select(articles.c.number, articles.c.text)).all()
        found = {row.article_number: row.sketch for row in connection.execute(select(sketches))}
        bands = {tuple(row) for row in connection.execute(select(sketch_bands))}
    made = {row.number: sketch_article(row.text) for row in stored}
    assert found == {number: sketch.content for number, sketch in made.items()}
    assert bands == {(key, number) for number, sketch in made.items() if number != 2 for key in sketch.bands()}
    database.close()


def test_a_copy_of_rows_that_fails_is_told_as_any_other_statement_that_does(database):
    with pytest.raises(IntegrityError), database.write() as connection:
        insert_all(connection, {paragraphs: [(1, 0, 0, 5)]})
    database.ping()


@pytest.mark.databases("postgresql")
def test_where_the_database_goes_away_in_a_copy_of_rows_the_next_connection_is_a_new_one(database):
    def copy_rows():
        with database.write() as connection:
            with suppress(psycopg.OperationalError):
                connection.connection.cursor().execute("SELECT pg_terminate_backend(pg_backend_pid())")
            insert_all(connection, {paragraphs: [(1, 0, 0, 5)]})

    with pytest.raises(OperationalError) as caught:
        copy_rows()
    assert caught.value.connection_invalidated
    database.ping()


def _rows(database, table):
    """All rows, sums rounded: they may be added up in another order; the sketch is of the newest tables."""
    columns = [column for column in table.c if column.name != "sketch"]
    with database.read() as connection:
        rows = connection.execute(select(*columns)).all()
    return sorted(tuple(round(v, 6) if isinstance(v, float) else str(v) for v in row) for row in rows)


def test_migrating_twice_changes_nothing(database):
    database.migrate()
    database.ping()


def test_a_database_of_a_newer_program_is_refused_untouched(database):
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(DatabaseError, match="another version of this program"):
        database.migrate()
    with pytest.raises(DatabaseError, match="not migrated"):
        database.ping()


def test_a_file_that_is_no_database_is_refused_with_a_sentence(tmp_path):
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


def test_a_sqlite_with_the_wal_reset_bug_is_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "_OLDEST_SAFE_SQLITE", (99, 0, 0))
    with pytest.raises(DatabaseError, match="WAL-reset bug"):
        Database(f"sqlite:///{tmp_path / 'x.sqlite3'}")


def test_an_error_inside_a_write_leaves_nothing_behind(database):
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


def test_processes_and_threads_that_write_at_once_wait_for_each_other(database):
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


def test_a_read_sees_one_state_throughout(database):
    with database.read() as reader:
        before = reader.scalar(text("SELECT count(*) FROM articles"))
        with database.write() as writer:
            writer.execute(text("CREATE TABLE other (n INTEGER)"))
        assert not inspect(reader).has_table("other")
        assert reader.scalar(text("SELECT count(*) FROM articles")) == before


def test_rows_of_an_article_cannot_exist_without_it(database):

    from sqlalchemy.exc import IntegrityError

    orphan = {"key": "k", "request_sha256": "0", "article_id": "0", "response": "", "created_at": datetime.now(UTC)}
    with pytest.raises(IntegrityError), database.write() as connection:
        connection.execute(insert(idempotency_keys), orphan)


@pytest.fixture
def notes(database):
    """Writes numbers into a table; no group of them is written that has one of the form 4n + 3."""
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


def at_once(database, submissions, items):
    """What became of items that came while another wrote."""
    with ThreadPoolExecutor(len(items)) as pool:
        with database.write():
            found = [pool.submit(submissions.run, item) for item in items]
            time.sleep(0.3)
        return [one.exception() or one.result() for one in found]


def test_what_threads_write_at_once_shares_transactions(database, notes):
    commits = []
    event.listen(database.engine, "commit", commits.append)
    numbers = [0, 1, 2, 4, 5, 6, 8, 9]
    assert at_once(database, notes, numbers) == [number * 10 for number in numbers]
    assert len(commits) <= 3
    assert noted(database) == set(numbers)


def test_of_those_that_shared_a_transaction_only_the_one_at_fault_is_not_written(database, notes):
    answers = at_once(database, notes, list(range(8)))
    assert [str(one) for one in answers] == ["0", "10", "20", "number 3", "40", "50", "60", "number 7"]
    assert noted(database) == {0, 1, 2, 4, 5, 6}


@pytest.mark.databases("postgresql")
def test_where_the_database_goes_away_within_a_transaction_all_that_share_it_are_told_so(database, notes):
    def note_all(connection, numbers):
        for number in numbers:
            connection.execute(text("INSERT INTO notes VALUES (:number)"), {"number": number})
            if number == 4:
                connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
        return numbers

    answers = at_once(database, GroupCommit(database.write, note_all), list(range(8)))
    errors = {number: one for number, one in enumerate(answers) if one != number}
    assert {type(error) for error in errors.values()} == {OperationalError}
    assert 7 in errors
    assert noted(database) == set(range(8)) - set(errors)


@pytest.mark.databases("sqlite")
def test_what_is_written_is_answered_while_the_next_group_is_being_written():
    begun, may_end = ({item: threading.Event() for item in "abd"} for _ in range(2))

    def do(_connection, items):
        for item in begun.keys() & set(items):
            begun[item].set()
            assert may_end[item].wait(timeout=10)
        return items

    submissions = GroupCommit(nullcontext, do)
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(submissions.run, "a")
        assert begun["a"].wait(timeout=10)
        together = [pool.submit(submissions.run, item) for item in "bc"]
        time.sleep(0.1)
        may_end["a"].set()
        assert begun["b"].wait(timeout=10)
        last = pool.submit(submissions.run, "d")
        time.sleep(0.1)
        may_end["b"].set()
        assert begun["d"].wait(timeout=10)
        assert [one.result(timeout=10) for one in (first, *together)] == ["a", "b", "c"]
        assert not last.done()
        may_end["d"].set()
    assert last.result() == "d"


@pytest.mark.databases("sqlite")
def test_what_was_put_is_written_by_whoever_waits_first_and_by_its_own_thread_where_nobody_does():
    written = []

    def do(_connection, items):
        written.append(list(items))
        return items

    submissions = GroupCommit(nullcontext, do)
    busy = submissions.put("a")
    assert submissions.run("b") == "b"
    assert submissions.result(busy) == "a"
    alone = submissions.put("c")
    assert submissions.result(alone) == "c"
    assert written == [["a", "b"], ["c"]]


@pytest.mark.databases("sqlite")
def test_what_is_put_while_others_write_is_written_though_its_thread_comes_late():
    begun, may_end, items_written = threading.Event(), threading.Event(), []

    def do(_connection, items):
        items_written.extend(items)
        begun.set()
        assert may_end.wait(timeout=10)
        return items

    submissions = GroupCommit(nullcontext, do)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(submissions.run, "a")
        assert begun.wait(timeout=10)
        late = submissions.put("b")
        may_end.set()
        assert first.result(timeout=10) == "a"
        assert items_written == ["a"]
        assert submissions.result(late) == "b"


def test_where_the_transaction_cannot_begin_all_that_shared_it_are_told():
    class LostError(Exception):
        pass

    @contextmanager
    def write():
        raise LostError
        yield

    submissions = GroupCommit(write, lambda _connection, items: items)
    with ThreadPoolExecutor(4) as pool:
        found = [pool.submit(submissions.run, 1) for _ in range(4)]
    assert all(isinstance(one.exception(), LostError) for one in found)


def test_a_failure_of_the_database_is_told_to_all_and_not_tried_again_for_each():
    attempts, all_wait = [], threading.Event()

    @contextmanager
    def write():
        attempts.append("one")
        all_wait.wait(timeout=10)
        raise TimeoutError("no connection is free")
        yield

    submissions = GroupCommit(write, lambda _connection, items: items)
    with ThreadPoolExecutor(8) as pool:
        found = [pool.submit(submissions.run, 1) for _ in range(8)]
        time.sleep(0.3)
        all_wait.set()
    assert all(isinstance(one.exception(), TimeoutError) for one in found)
    assert len(attempts) <= 2
