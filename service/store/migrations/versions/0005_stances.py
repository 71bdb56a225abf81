"""stances of frames: scores by paragraph, added up by article and day"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_STANCES = ("advanced", "reported", "contested")

_FRAME_SCORES = """
    SELECT a.id AS article_id, a.external_id, a.url, a.title, a.outlet, a.author, a.published_at, a.dated_at,
           date(a.dated_at) AS day, p.paragraph,
           substr(a.text, p.start_offset + 1, p.end_offset - p.start_offset) AS text,
           f.frame, f.score, f.decision, s.model_version, s.codebook_version, s.operating_point, s.scored_at{more}
    FROM champion c
    JOIN scorings s ON s.model_version = c.version
    JOIN articles a ON a.number = s.article_number
    JOIN paragraphs p ON p.article_number = a.number
    JOIN paragraph_scores f ON f.scoring_number = s.number AND f.paragraph = p.paragraph"""
_PREVALENCE_DAILY = """
    SELECT d.day, nullif(d.outlet, '') AS outlet, d.frame,
           sum(d.articles) AS articles, sum(d.articles_present) AS articles_present,
           1.0 * sum(d.articles_present) / sum(d.articles) AS article_share,
           sum(d.paragraphs) AS paragraphs, sum(d.present) AS present, sum(d.uncertain) AS uncertain,
           1.0 * sum(d.present) / sum(d.paragraphs) AS share,
           sum(d.score) / sum(d.paragraphs) AS mean_score, d.model_version{more}
    FROM champion c
    JOIN daily_frames d ON d.model_version = c.version
    GROUP BY d.day, d.outlet, d.frame, d.model_version"""

_STANCE = """, CASE WHEN f.advanced IS NULL THEN NULL
                WHEN f.advanced >= f.reported AND f.advanced >= f.contested THEN 'advanced'
                WHEN f.reported >= f.contested THEN 'reported' ELSE 'contested' END AS stance"""


def upgrade() -> None:
    for stance in _STANCES:
        op.add_column("paragraph_scores", sa.Column(stance, sa.Float(), nullable=True))
        op.add_column("article_scores", sa.Column(stance, sa.Float(), nullable=True))
        op.add_column("daily_frames", sa.Column(stance, sa.Float(), nullable=False, server_default="0"))
    _create_views(
        _STANCE + "".join(f", f.{stance}" for stance in _STANCES),
        "".join(f", sum(d.{stance}) AS {stance}" for stance in _STANCES),
    )


def downgrade() -> None:
    _create_views("", "")
    for stance in _STANCES:
        for table in ("paragraph_scores", "article_scores", "daily_frames"):
            op.drop_column(table, stance)


def _create_views(of_paragraphs: str, of_days: str) -> None:
    for name, query, more in (
        ("frame_scores", _FRAME_SCORES, of_paragraphs),
        ("prevalence_daily", _PREVALENCE_DAILY, of_days),
    ):
        op.execute(f"DROP VIEW {name}")
        op.execute(f"CREATE VIEW {name} AS {query.format(more=more)}")
