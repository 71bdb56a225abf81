"""sums of products of stances, for intervals by article; paragraphs of the corpus in a run; undated articles"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_STANCES = ("advanced", "reported", "contested")
_KEY = ("model_version", "day", "outlet", "first_copy", "off_topic", "frame")
_COLUMNS = tuple(f"{stance}_{ending}" for ending in ("squared", "present") for stance in _STANCES)


def upgrade() -> None:
    op.add_column("training_runs", sa.Column("corpus_paragraphs", sa.Integer(), nullable=True))
    for column in _COLUMNS:
        op.add_column("daily_frames", sa.Column(column, sa.Float(), nullable=False, server_default="0"))
    total = " + ".join(f"f.{stance}" for stance in _STANCES)
    squared = (f"sum(f.{stance} * f.{stance}) AS {stance}_squared" for stance in _STANCES)
    present = (f"sum(f.{stance} * ({total})) AS {stance}_present" for stance in _STANCES)
    op.execute(
        f"""
        CREATE TEMPORARY TABLE stance_sums AS
        SELECT s.model_version, date(a.dated_at) AS day, coalesce(a.outlet, '') AS outlet,
               a.number = a.story AS first_copy, coalesce(s.about, '') = 'other' AS off_topic, f.frame,
               {", ".join((*squared, *present))}
        FROM article_scores f
        JOIN scorings s ON s.number = f.scoring_number
        JOIN articles a ON a.number = s.article_number
        WHERE f.advanced IS NOT NULL
        GROUP BY s.model_version, date(a.dated_at), coalesce(a.outlet, ''), a.number = a.story,
                 coalesce(s.about, '') = 'other', f.frame"""  # noqa: S608
    )
    values = ", ".join(f"{column} = c.{column}" for column in _COLUMNS)
    same = " AND ".join(f"daily_frames.{column} = c.{column}" for column in _KEY)
    op.execute(f"UPDATE daily_frames SET {values} FROM stance_sums c WHERE {same}")  # noqa: S608
    op.execute("DROP TABLE stance_sums")
    undated = sa.text("published_at IS NULL")
    op.create_index("ix_articles_undated", "articles", ["dated_at"], sqlite_where=undated, postgresql_where=undated)


def downgrade() -> None:
    op.drop_index("ix_articles_undated", "articles")
    for column in _COLUMNS:
        op.drop_column("daily_frames", column)
    op.drop_column("training_runs", "corpus_paragraphs")
