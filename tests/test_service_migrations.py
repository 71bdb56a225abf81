"""A database of every earlier version, with data in every table, is brought forward without a loss."""

from datetime import date, datetime

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import MetaData, select, text

from labels.duplicates import sketch_article
from service.store import annotations, article_list, article_lookup, audit, daily, keys, training_runs
from service.store.callers import COMMAND_LINE
from service.store.sql.database import Database, alembic_config
from service.store.tables import metadata
from tests.support.articles import THREE_PARAGRAPHS
from tests.support.paths import ROOT

pytestmark = pytest.mark.databases

REVISIONS = sorted(path.name[:4] for path in (ROOT / "service/store/migrations/versions").glob("0*.py"))
MOMENT = datetime(2026, 3, 1, 12, 0, 0)
IDENTIFIER, FRAME = "a" * 32, "foreign_hand"
SCORES = ("advanced", "reported", "contested", "left_out_score", "cross_mean_score", "cross_score", "score", "share")

# A value for every column that any version had, by its name, or by table and name where they differ.
VALUES = {
    **dict.fromkeys(("number", "article_number", "scoring_number", "version_number", "promotion", "lines"), 1),
    **dict.fromkeys(("paragraph", "start_offset"), 0),
    **dict.fromkeys(("created_at", "dated_at", "published_at", "scored_at", "started_at", "finished_at"), MOMENT),
    **dict.fromkeys(("drawn_at", "returned_at", "replaced_at", "removed_at", "expires_at", "last_used_at"), MOMENT),
    **dict.fromkeys(("answered_at", "ended_at", "withdrawn_at"), MOMENT),
    **dict.fromkeys(SCORES, 0.25),
    **dict.fromkeys(("secret_sha256", "token_sha256", "content_sha256", "request_sha256", "sha256"), "0" * 64),
    "annotations": 1,
    "annotations_digest": "0" * 64,
    "about": "news",
    "about_score": 0.5,
    "article_id": IDENTIFIER,
    "author": "Ilara Venn",
    "assignment": 1,
    "cancel_requested": False,
    "closed": False,
    "codebook_version": 2,
    "coder": "mira",
    "coders": ["mira", "tom"],
    "coders_each": 2,
    "corpus_paragraphs": 3,
    "count": 5,
    "covered": [FRAME],
    "day": date(2026, 3, 1),
    "decision": "present",
    "created_by": "ilse",
    "due": date(2026, 4, 1),
    "end_offset": len(THREE_PARAGRAPHS.partition("\n\n")[0]),
    "erased_at": None,
    "error": "an error",
    "explanation": "an explanation",
    "external_id": "x-1",
    "external_key": None,
    "first_copy": True,
    "frame": FRAME,
    "frames": {FRAME: "reported"},
    "id": IDENTIFIER,
    "item_number": 1,
    "idempotency_key": "k-1",
    "inclusion_probability": 0.5,
    "key": "k-1",
    "key_id": "k" * 12,
    "label_diff": {"frames": {}},
    "language": "en",
    "log": ["a line"],
    "mean_score": 0.25,
    "minute": 5,
    "model_version": "v1",
    "name": "mira",
    "note": "a note",
    "obstacle": "a reader",
    "off_topic": False,
    "operating_point": "balanced",
    "other": "grievance_driven",
    "outlet": "Ilara Post",
    "outlets": ["Ilara Post"],
    "overlap": False,
    "paragraphs": 1,
    "pool": 5,
    "progress": 1.0,
    "promoted": True,
    "reason": "byline",
    "request": {"note": "a request", "seed": 3},
    "response": "{}",
    "revoked_at": None,
    "role": "coder",
    "selection": "random",
    "since": date(2026, 1, 1),
    "sketch": sketch_article(THREE_PARAGRAPHS).content,
    "source": "diary",
    "state": "succeeded",
    "step": "promote",
    "story": 1,
    "submitted_sha256": None,
    "text": THREE_PARAGRAPHS,
    "thorough": True,
    "title": "A title",
    "training": 3,
    "uncertain": 0,
    "unit": f"{IDENTIFIER}:0",
    "units": 1,
    "unsure": True,
    "until": date(2026, 2, 1),
    "url": "https://example.org/a",
    "verdict": {"promote": True},
    "version": "v1",
    "whole": False,
    ("annotations", "replaced_at"): None,
    ("api_keys", "expires_at"): None,
    ("api_keys", "id"): "k" * 12,
    ("former_versions", "paragraphs"): [[0, 0, 5]],
    ("former_versions", "version"): 1,
    ("sketch_bands", "key"): 77,
}
# What a migration computes from other rows, and so may change.
COMPUTED = {("articles", "external_key"), ("articles", "story"), ("scorings", "paragraphs"), ("sketches", "sketch")}
COMPUTED |= {("article_scores", "mean_score"), ("article_scores", "uncertain"), ("annotations", "covered")}
COMPUTED_TABLES = ("sketch_bands", "daily_frames", "daily_pairs", "alembic_version", "access")
# Their rows are made by the program itself, so that they belong together.
CHAINED = ("audit", "audit_head")


@pytest.fixture
def database(tmp_path, database_url):
    database = Database(database_url or f"sqlite:///{tmp_path / 'x.sqlite3'}")
    if database_url:  # the tests' databases of PostgreSQL begin with all tables
        with database.write() as connection:
            command.downgrade(alembic_config(connection), "base")
    yield database
    database.close()


def tables_of(connection):
    reflected = MetaData()
    reflected.reflect(connection)
    return {table.name: table for table in reflected.sorted_tables}


def value_of(table, column):
    """A value for a column; a migration that adds a column needs it here too."""
    default = 1 if column.name.startswith(("articles", "top_", "paragraphs_", "score_", "mean_")) else None
    default = 0.5 if column.name.endswith(("_squared", "_present", "_score")) else default
    value = VALUES.get((table.name, column.name), VALUES.get(column.name, default))
    known = (table.name, column.name) in VALUES or column.name in VALUES or value is not None
    assert known or column.name == "present", f"{table.name}.{column.name} has no value in this test."
    return 1 if column.name == "present" else value


def fill(connection, revision):
    """Puts a row into every table that a version had, and returns the rows by table."""
    stored = {}
    for name, table in tables_of(connection).items():
        if name in (*CHAINED, "alembic_version"):
            continue
        if name == "access":
            connection.execute(text("UPDATE access SET closed = true"))
            continue
        row = {column.name: value_of(table, column) for column in table.columns}
        connection.execute(table.insert(), row)
        stored[name] = row
    if revision >= "0004":
        audit.note(connection, COMMAND_LINE, "submit", IDENTIFIER, outlet="Ilara Post")
    return stored


@pytest.mark.parametrize("revision", REVISIONS)
def test_the_data_of_an_earlier_version_is_all_there_after_the_migrations(database, revision):
    with database.write() as connection:
        command.upgrade(alembic_config(connection), revision)
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) == revision
        before = fill(connection, revision)
    database.migrate()
    database.ping()
    with database.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        after = tables_of(connection)
        for name, row in before.items():
            if name in COMPUTED_TABLES:
                continue
            columns = [column for column in row if column in after[name].c and (name, column) not in COMPUTED]
            [actual] = connection.execute(select(*(after[name].c[column] for column in columns))).all()
            assert tuple(actual) == tuple(row[column] for column in columns), name
        assert_the_program_reads_it(connection, revision)
        if database.is_sqlite:
            assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []


def assert_the_program_reads_it(connection, revision):
    article = article_lookup.get_article(connection, IDENTIFIER)
    assert (article.split.text, article.metadata.title) == (THREE_PARAGRAPHS, "A title")
    assert article.scoring.classification.article[FRAME].decision == "present"
    page, _ = article_list.newest(connection, article_list.ArticleFilters(), None, 10, "v1")
    assert len(page) == 1
    for view in ("frame_scores", "article_frames", "prevalence_daily"):
        rows = connection.exec_driver_sql(f"SELECT * FROM {view}").all()
        assert len(rows) == (1 if revision >= "0003" else 0), view
    if revision >= "0002":
        [annotation], _ = annotations.listing(connection, annotations.AnnotationFilters(), None, 10)
        assert annotation.annotation.frames == {FRAME: "reported"}
        run = training_runs.require(connection, IDENTIFIER)
        assert (run.request.seed, run.log) == (3, ["a line"])
    if revision >= "0004":
        assert [key.name for key in keys.listing(connection)] == ["mira"]
        assert audit.verify(connection) == 1


def test_the_sums_of_a_day_that_were_brought_forward_are_those_of_the_scores(database):
    with database.write() as connection:
        command.upgrade(alembic_config(connection), "0002")
        fill(connection, "0002")
    database.migrate()
    query = text("SELECT articles, paragraphs, present, score FROM daily_frames")
    with database.write() as connection:
        migrated = connection.execute(query).all()
        daily.rebuild(connection)
        assert connection.execute(query).all() == migrated != []
