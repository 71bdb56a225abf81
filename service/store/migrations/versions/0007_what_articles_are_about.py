"""what articles are about: the subject of the codebook or something else"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_VIEWS = ("frame_scores", "article_frames", "prevalence_daily")
_FRAME_SCORES = """
    SELECT a.id AS article_id, a.external_id, a.url, a.title, a.outlet, a.author, a.published_at, a.dated_at,
           date(a.dated_at) AS day, p.paragraph,
           substr(a.text, p.start_offset + 1, p.end_offset - p.start_offset) AS text,
           f.frame, f.score, f.decision, s.model_version, s.codebook_version, s.operating_point, s.scored_at,
           CASE WHEN f.advanced IS NULL THEN NULL
                WHEN f.advanced >= f.reported AND f.advanced >= f.contested THEN 'advanced'
                WHEN f.reported >= f.contested THEN 'reported' ELSE 'contested' END AS stance,
           f.advanced, f.reported, f.contested{more}
    FROM champion c
    JOIN scorings s ON s.model_version = c.version
    JOIN articles a ON a.number = s.article_number
    JOIN paragraphs p ON p.article_number = a.number
    JOIN paragraph_scores f ON f.scoring_number = s.number AND f.paragraph = p.paragraph"""
_ARTICLE_FRAMES = """
    SELECT a.id AS article_id, a.external_id, a.url, a.title, a.outlet, a.author, a.published_at, a.dated_at,
           date(a.dated_at) AS day, a.number = a.story AS first_copy,
           f.frame, f.score, f.decision, f.share, f.paragraphs AS present, f.uncertain, s.paragraphs,
           f.mean_score, s.model_version, s.codebook_version, s.operating_point, s.scored_at{more}
    FROM champion c
    JOIN scorings s ON s.model_version = c.version
    JOIN articles a ON a.number = s.article_number
    JOIN article_scores f ON f.scoring_number = s.number"""
_PREVALENCE_DAILY = """
    SELECT d.day, nullif(d.outlet, '') AS outlet, d.frame,
           sum(d.articles) AS articles, sum(d.articles_present) AS articles_present,
           1.0 * sum(d.articles_present) / sum(d.articles) AS article_share,
           sum(d.paragraphs) AS paragraphs, sum(d.present) AS present, sum(d.uncertain) AS uncertain,
           1.0 * sum(d.present) / sum(d.paragraphs) AS share,
           sum(d.score) / sum(d.paragraphs) AS mean_score, d.model_version,
           sum(d.advanced) AS advanced, sum(d.reported) AS reported, sum(d.contested) AS contested{more}
    FROM champion c
    JOIN daily_frames d ON d.model_version = c.version
    GROUP BY d.day, d.outlet, d.frame, d.model_version"""
_ABOUT = ", s.about, s.about_score"
_ON_SUBJECT = """,
           sum(CASE WHEN d.off_topic THEN 0 ELSE d.articles END) AS articles_on_subject,
           sum(CASE WHEN d.off_topic THEN 0 ELSE d.paragraphs END) AS paragraphs_on_subject,
           sum(CASE WHEN d.off_topic THEN 0 ELSE d.present END) AS present_on_subject,
           1.0 * sum(CASE WHEN d.off_topic THEN 0 ELSE d.present END)
               / nullif(sum(CASE WHEN d.off_topic THEN 0 ELSE d.paragraphs END), 0) AS share_on_subject"""

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
_STANCES = ("advanced", "reported", "contested")
_KEY = ("model_version", "day", "outlet", "first_copy")


def upgrade() -> None:
    _drop_views()
    op.add_column("scorings", sa.Column("about", sa.String(length=64), nullable=True))
    op.add_column("scorings", sa.Column("about_score", sa.Float(), nullable=True))
    # No earlier model could tell, so no article is off topic yet.
    _make_daily_again(off_topic=True)
    _create_views(_ABOUT, _ON_SUBJECT)


def downgrade() -> None:
    _drop_views()
    _make_daily_again(off_topic=False)
    op.drop_column("scorings", "about_score")
    op.drop_column("scorings", "about")
    _create_views("", "")


def _drop_views() -> None:
    for name in _VIEWS:
        op.execute(f"DROP VIEW {name}")


def _create_views(about: str, on_subject: str) -> None:
    queries = (_FRAME_SCORES.format(more=about), _ARTICLE_FRAMES.format(more=about))
    for name, query in zip(_VIEWS, (*queries, _PREVALENCE_DAILY.format(more=on_subject)), strict=True):
        op.execute(f"CREATE VIEW {name} AS {query}")


def _make_daily_again(*, off_topic: bool) -> None:
    """Gives the tables of daily sums a column in their key, or takes it away: SQLite cannot change a key."""
    counts = [sa.Column(name, sa.Integer(), nullable=False) for name in _COUNTS]
    totals = [sa.Column(name, sa.Float(), nullable=False) for name in _TOTALS]
    stances = [sa.Column(name, sa.Float(), nullable=False, server_default="0") for name in _STANCES]
    paragraphs = sa.Column("paragraphs", sa.Integer(), nullable=False)
    _make_again("daily_frames", ("frame",), [*counts, *totals, *stances], off_topic=off_topic)
    _make_again("daily_pairs", ("frame", "other"), [paragraphs], off_topic=off_topic)


def _make_again(name: str, frames: tuple[str, ...], sums: list[sa.Column[Any]], *, off_topic: bool) -> None:
    op.execute(f"CREATE TEMPORARY TABLE copied AS SELECT * FROM {name}")  # noqa: S608
    op.drop_table(name)
    flag: list[sa.Column[Any]] = [sa.Column("off_topic", sa.Boolean(), nullable=False)] if off_topic else []
    own = [column.name for column in flag]
    op.create_table(
        name,
        sa.Column("model_version", sa.String(length=16), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("outlet", sa.String(length=256), nullable=False),
        sa.Column("first_copy", sa.Boolean(), nullable=False),
        *flag,
        *(sa.Column(frame, sa.String(length=64), nullable=False) for frame in frames),
        *sums,
        sa.PrimaryKeyConstraint(*_KEY, *own, *frames, name=f"pk_{name}"),
    )
    names, key = [column.name for column in sums], ", ".join((*_KEY, *frames))
    into = ", ".join((key, *names, *own))
    values = ", ".join((key, *(f"sum({column})" for column in names), *("false" for _ in own)))
    op.execute(f"INSERT INTO {name} ({into}) SELECT {values} FROM copied GROUP BY {key}")  # noqa: S608
    op.execute("DROP TABLE copied")
