"""sketches of articles computed again by a method three times as fast; PostgreSQL compresses texts by lz4"""

import logging

import sqlalchemy as sa
from alembic import op

from labels.duplicates import sketch_article

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_log = logging.getLogger("framing")
_BATCH = 1000

_articles = sa.table("articles", sa.column("number"), sa.column("story"), sa.column("text"))
_sketches = sa.table("sketches", sa.column("article_number"), sa.column("sketch"))
_bands = sa.table("sketch_bands", sa.column("key"), sa.column("article_number"))

# A server may have been built without lz4.
_HAS_LZ4 = sa.text("SELECT 'lz4' = ANY(enumvals) FROM pg_settings WHERE name = 'default_toast_compression'")
_SET_COMPRESSION = "ALTER TABLE articles ALTER COLUMN text SET COMPRESSION {}"


def upgrade() -> None:
    _delete_sketches()
    _sketch_all(op.get_bind())
    _set_compression("lz4")


def downgrade() -> None:
    # The previous version cannot compare these sketches with those that it makes, and works without them.
    _delete_sketches()
    _set_compression("default")


def _delete_sketches() -> None:
    op.execute(_bands.delete())
    op.execute(_sketches.delete())


def _sketch_all(connection: sa.Connection) -> None:
    newest, done = 0, 0
    while batch := connection.execute(_after(newest)).all():
        sketches = [(row, sketch_article(row.text)) for row in batch]
        connection.execute(
            _sketches.insert(), [{"article_number": row.number, "sketch": sketch.content} for row, sketch in sketches]
        )
        keys = [
            {"key": key, "article_number": row.number}
            for row, sketch in sketches
            if row.number == row.story
            for key in sketch.bands()
        ]
        if keys:
            connection.execute(_bands.insert(), keys)
        newest, done = batch[-1].number, done + len(batch)
        _log.info("Computing the sketches of stored articles again: %s done.", f"{done:,}")


def _after(number: int) -> sa.Select[tuple[int, int, str]]:
    return sa.select(_articles).where(_articles.c.number > number).order_by(_articles.c.number).limit(_BATCH)


def _set_compression(method: str) -> None:
    connection = op.get_bind()
    if connection.dialect.name == "postgresql" and connection.scalar(_HAS_LZ4):
        op.execute(_SET_COMPRESSION.format(method))
