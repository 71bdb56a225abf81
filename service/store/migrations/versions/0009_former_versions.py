"""external ids unique within their outlet; former versions of articles whose text was replaced"""

import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_log = logging.getLogger("framing")
_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_BATCH = 10_000

_articles = sa.table(
    "articles", *(sa.column(name) for name in ("number", "outlet", "external_id", "external_key", "submitted_sha256"))
)


def upgrade() -> None:
    # The unique constraint moves with the renamed column: SQLite cannot drop it, and making the table again would
    # delete all rows that refer to it.
    with _views_made_again():
        op.execute("ALTER TABLE articles RENAME COLUMN external_id TO external_key")
        op.add_column("articles", sa.Column("external_id", sa.String(length=512), nullable=True))
        op.execute("UPDATE articles SET external_id = external_key WHERE external_key IS NOT NULL")
    _set_keys(op.get_bind())
    op.add_column("articles", sa.Column("submitted_sha256", sa.String(length=64), nullable=True))
    op.create_table(
        "former_versions",
        sa.Column("article_number", _NUMBER, nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("replaced_at", sa.DateTime(), nullable=False),
        sa.Column("external_id", sa.String(length=512), nullable=True),
        sa.Column("url", sa.String(length=2048), nullable=True),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("outlet", sa.String(length=256), nullable=True),
        sa.Column("author", sa.String(length=256), nullable=True),
        sa.Column("published_at", sa.DateTime(), nullable=True),
        sa.Column("language", sa.String(length=8), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("paragraphs", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["article_number"],
            ["articles.number"],
            name="fk_former_versions_article_number_articles",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("article_number", "version", name="pk_former_versions"),
    )


def downgrade() -> None:
    # The previous version knows neither an id in two outlets nor a paragraph of a former version: the first article
    # keeps the id, and annotations of former versions become annotations of a text of their own.
    op.drop_table("former_versions")
    op.drop_column("articles", "submitted_sha256")
    op.execute("UPDATE annotations SET article_number = NULL, paragraph = NULL WHERE paragraph < 0")
    op.execute(
        """UPDATE articles SET external_key = CASE WHEN number = (
               SELECT min(same.number) FROM articles same WHERE same.external_id = articles.external_id
           ) THEN external_id END WHERE external_id IS NOT NULL"""
    )
    with _views_made_again():
        op.drop_column("articles", "external_id")
        op.execute("ALTER TABLE articles RENAME COLUMN external_key TO external_id")


@contextmanager
def _views_made_again() -> Iterator[None]:
    """Drops the views and makes them again as they were: they read the column `external_id`, whichever that is."""
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        views = "SELECT viewname, definition FROM pg_views WHERE schemaname = current_schema() ORDER BY viewname"
        statements = {name: f"CREATE VIEW {name} AS {query}" for name, query in connection.execute(sa.text(views))}
    else:
        views = "SELECT name, sql FROM sqlite_master WHERE type = 'view' ORDER BY name"
        statements = {row.name: row.sql for row in connection.execute(sa.text(views))}
    for name in statements:
        op.execute(f"DROP VIEW {name}")
    yield
    for statement in statements.values():
        connection.exec_driver_sql(statement)


def _set_keys(connection: sa.Connection) -> None:
    newest, done = 0, 0
    while batch := connection.execute(_after(newest)).all():
        keys = [{"row": row.number, "key": _key(row.outlet, row.external_id)} for row in batch]
        change = _articles.update().where(_articles.c.number == sa.bindparam("row"))
        connection.execute(change.values(external_key=sa.bindparam("key")), keys)
        newest, done = batch[-1].number, done + len(batch)
        _log.info("Making ids unique within their outlet: %s done.", f"{done:,}")


def _key(outlet: str | None, external_id: str) -> str:
    return hashlib.sha256(f"{outlet or ''}\0{external_id}".encode()).hexdigest()


def _after(number: int) -> sa.Select[tuple[int, str | None, str]]:
    query = sa.select(_articles.c.number, _articles.c.outlet, _articles.c.external_id)
    has_id = _articles.c.external_id.is_not(None)
    return query.where(_articles.c.number > number, has_id).order_by(_articles.c.number).limit(_BATCH)
