"""daily sums, stories and views"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

_FILL = (
    "UPDATE articles SET story = number",
    """UPDATE scorings SET paragraphs =
       (SELECT count(*) FROM paragraphs p WHERE p.article_number = scorings.article_number)""",
    """UPDATE article_scores SET
       mean_score = (SELECT coalesce(avg(p.score), 0) FROM paragraph_scores p
                     WHERE p.scoring_number = article_scores.scoring_number AND p.frame = article_scores.frame),
       uncertain = (SELECT count(*) FROM paragraph_scores p
                    WHERE p.scoring_number = article_scores.scoring_number AND p.frame = article_scores.frame
                      AND p.decision = 'uncertain')""",
    """INSERT INTO daily_frames
       SELECT s.model_version, date(a.dated_at), coalesce(a.outlet, ''), a.number = a.story, f.frame,
              count(*), sum(s.paragraphs), sum(f.paragraphs), sum(f.uncertain),
              sum(CASE f.decision WHEN 'present' THEN 1 ELSE 0 END),
              sum(CASE f.decision WHEN 'uncertain' THEN 1 ELSE 0 END),
              sum(f.share), sum(f.mean_score * s.paragraphs),
              sum(f.mean_score * s.paragraphs * f.mean_score * s.paragraphs),
              sum(1.0 * s.paragraphs * s.paragraphs), sum(f.mean_score * s.paragraphs * s.paragraphs),
              sum(f.mean_score), sum(f.mean_score * f.mean_score), sum(f.score), sum(f.score * f.score)
       FROM article_scores f
       JOIN scorings s ON s.number = f.scoring_number
       JOIN articles a ON a.number = s.article_number
       GROUP BY 1, 2, 3, 4, 5""",
    """INSERT INTO daily_pairs
       SELECT s.model_version, date(a.dated_at), coalesce(a.outlet, ''), a.number = a.story, p.frame, q.frame, count(*)
       FROM paragraph_scores p
       JOIN paragraph_scores q
         ON q.scoring_number = p.scoring_number AND q.paragraph = p.paragraph AND p.frame < q.frame
       JOIN scorings s ON s.number = p.scoring_number
       JOIN articles a ON a.number = s.article_number
       WHERE p.decision = 'present' AND q.decision = 'present'
       GROUP BY 1, 2, 3, 4, 5, 6""",
)

_VIEWS = {
    "frame_scores": """
        SELECT a.id AS article_id, a.external_id, a.url, a.title, a.outlet, a.author, a.published_at, a.dated_at,
               date(a.dated_at) AS day, p.paragraph,
               substr(a.text, p.start_offset + 1, p.end_offset - p.start_offset) AS text,
               f.frame, f.score, f.decision, s.model_version, s.codebook_version, s.operating_point, s.scored_at
        FROM champion c
        JOIN scorings s ON s.model_version = c.version
        JOIN articles a ON a.number = s.article_number
        JOIN paragraphs p ON p.article_number = a.number
        JOIN paragraph_scores f ON f.scoring_number = s.number AND f.paragraph = p.paragraph""",
    "article_frames": """
        SELECT a.id AS article_id, a.external_id, a.url, a.title, a.outlet, a.author, a.published_at, a.dated_at,
               date(a.dated_at) AS day, a.number = a.story AS first_copy,
               f.frame, f.score, f.decision, f.share, f.paragraphs AS present, f.uncertain, s.paragraphs,
               f.mean_score, s.model_version, s.codebook_version, s.operating_point, s.scored_at
        FROM champion c
        JOIN scorings s ON s.model_version = c.version
        JOIN articles a ON a.number = s.article_number
        JOIN article_scores f ON f.scoring_number = s.number""",
    "prevalence_daily": """
        SELECT d.day, nullif(d.outlet, '') AS outlet, d.frame,
               sum(d.articles) AS articles, sum(d.articles_present) AS articles_present,
               1.0 * sum(d.articles_present) / sum(d.articles) AS article_share,
               sum(d.paragraphs) AS paragraphs, sum(d.present) AS present, sum(d.uncertain) AS uncertain,
               1.0 * sum(d.present) / sum(d.paragraphs) AS share,
               sum(d.score) / sum(d.paragraphs) AS mean_score, d.model_version
        FROM champion c
        JOIN daily_frames d ON d.model_version = c.version
        GROUP BY d.day, d.outlet, d.frame, d.model_version""",
}


_COUNTS = ("articles", "paragraphs", "present", "uncertain", "articles_present", "articles_uncertain")
_TOTALS = (
    "share",
    "score",
    "score_squared",
    "paragraphs_squared",
    "paragraphs_score",
    "mean_score",
    "mean_score_squared",
    "top_score",
    "top_score_squared",
)


def _create_daily(name: str, columns: list[sa.Column[Any]], also: tuple[str, ...] = ()) -> None:
    op.create_table(
        name,
        sa.Column("model_version", sa.String(length=16), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("outlet", sa.String(length=256), nullable=False),
        sa.Column("first_copy", sa.Boolean(), nullable=False),
        sa.Column("frame", sa.String(length=64), nullable=False),
        *columns,
        sa.PrimaryKeyConstraint("model_version", "day", "outlet", "first_copy", "frame", *also, name=f"pk_{name}"),
    )


def upgrade() -> None:
    op.add_column("articles", sa.Column("story", _NUMBER, nullable=False, server_default="0"))
    op.create_index("ix_articles_story", "articles", ["story"])
    op.add_column("scorings", sa.Column("paragraphs", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("article_scores", sa.Column("uncertain", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("article_scores", sa.Column("mean_score", sa.Float(), nullable=False, server_default="0"))
    op.add_column("draws", sa.Column("whole", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_table(
        "champion",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("promotion", sa.Integer(), nullable=False),
        sa.Column("version", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_champion"),
    )
    op.create_table(
        "sketches",
        sa.Column("article_number", _NUMBER, nullable=False),
        sa.Column("sketch", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["article_number"], ["articles.number"], name="fk_sketches_article_number_articles", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("article_number", name="pk_sketches"),
    )
    op.create_table(
        "sketch_bands",
        sa.Column("key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("article_number", _NUMBER, nullable=False),
        sa.ForeignKeyConstraint(
            ["article_number"], ["articles.number"], name="fk_sketch_bands_article_number_articles", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("key", "article_number", name="pk_sketch_bands"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_sketch_bands_article_number", "sketch_bands", ["article_number"])
    counts = [sa.Column(name, sa.Integer(), nullable=False) for name in _COUNTS]
    totals = [sa.Column(name, sa.Float(), nullable=False) for name in _TOTALS]
    _create_daily("daily_frames", [*counts, *totals])
    other = sa.Column("other", sa.String(length=64), nullable=False)
    paragraphs = sa.Column("paragraphs", sa.Integer(), nullable=False)
    _create_daily("daily_pairs", [other, paragraphs], also=("other",))
    for statement in _FILL:
        op.execute(statement)
    for name, query in _VIEWS.items():
        op.execute(f"CREATE VIEW {name} AS {query}")


def downgrade() -> None:
    for name in _VIEWS:
        op.execute(f"DROP VIEW {name}")
    for table in ("daily_pairs", "daily_frames", "sketch_bands", "sketches", "champion"):
        op.drop_table(table)
    op.drop_column("draws", "whole")
    op.drop_column("article_scores", "mean_score")
    op.drop_column("article_scores", "uncertain")
    op.drop_column("scorings", "paragraphs")
    op.drop_index("ix_articles_story", "articles")
    op.drop_column("articles", "story")
