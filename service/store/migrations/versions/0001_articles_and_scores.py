"""articles and scores"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "articles",
        sa.Column("number", _NUMBER, nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("external_id", sa.String(length=512), nullable=True),
        sa.Column("url", sa.String(length=2048), nullable=True),
        sa.Column("content_sha256", sa.String(length=64), nullable=False),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("outlet", sa.String(length=256), nullable=True),
        sa.Column("author", sa.String(length=256), nullable=True),
        sa.Column("published_at", sa.DateTime(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("dated_at", sa.DateTime(), nullable=False),
        sa.Column("language", sa.String(length=8), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_articles"),
        sa.UniqueConstraint("content_sha256", name="uq_articles_content_sha256"),
        sa.UniqueConstraint("external_id", name="uq_articles_external_id"),
        sa.UniqueConstraint("id", name="uq_articles_id"),
        sa.UniqueConstraint("url", name="uq_articles_url"),
    )
    op.create_index("ix_articles_dated_at_number", "articles", ["dated_at", "number"])
    op.create_index("ix_articles_outlet_dated_at", "articles", ["outlet", "dated_at"])

    op.create_table(
        "idempotency_keys",
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("request_sha256", sa.String(length=64), nullable=False),
        sa.Column("article_id", sa.String(length=32), nullable=False),
        sa.Column("response", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["article_id"], ["articles.id"], name="fk_idempotency_keys_article_id_articles", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("key", name="pk_idempotency_keys"),
    )
    op.create_index("ix_idempotency_keys_article_id", "idempotency_keys", ["article_id"])
    op.create_index("ix_idempotency_keys_created_at", "idempotency_keys", ["created_at"])

    op.create_table(
        "paragraphs",
        sa.Column("article_number", _NUMBER, nullable=False),
        sa.Column("paragraph", sa.Integer(), nullable=False),
        sa.Column("start_offset", sa.Integer(), nullable=False),
        sa.Column("end_offset", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["article_number"], ["articles.number"], name="fk_paragraphs_article_number_articles", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("article_number", "paragraph", name="pk_paragraphs"),
    )
    op.create_table(
        "scorings",
        sa.Column("number", _NUMBER, nullable=False),
        sa.Column("article_number", _NUMBER, nullable=False),
        sa.Column("model_version", sa.String(length=16), nullable=False),
        sa.Column("codebook_version", sa.Integer(), nullable=False),
        sa.Column("operating_point", sa.String(length=16), nullable=False),
        sa.Column("scored_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["article_number"], ["articles.number"], name="fk_scorings_article_number_articles", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("number", name="pk_scorings"),
        sa.UniqueConstraint("article_number", "model_version", name="uq_scorings_article_number_model_version"),
    )
    op.create_table(
        "skipped",
        sa.Column("article_number", _NUMBER, nullable=False),
        sa.Column("start_offset", sa.Integer(), nullable=False),
        sa.Column("end_offset", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["article_number"], ["articles.number"], name="fk_skipped_article_number_articles", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("article_number", "start_offset", name="pk_skipped"),
    )
    op.create_table(
        "article_scores",
        sa.Column("scoring_number", _NUMBER, nullable=False),
        sa.Column("frame", sa.String(length=64), nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("decision", sa.String(length=16), nullable=False),
        sa.Column("share", sa.Float(), nullable=False),
        sa.Column("paragraphs", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["scoring_number"],
            ["scorings.number"],
            name="fk_article_scores_scoring_number_scorings",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("scoring_number", "frame", name="pk_article_scores"),
    )
    op.create_index("ix_article_scores_frame_decision", "article_scores", ["frame", "decision"])

    op.create_table(
        "paragraph_scores",
        sa.Column("scoring_number", _NUMBER, nullable=False),
        sa.Column("paragraph", sa.Integer(), nullable=False),
        sa.Column("frame", sa.String(length=64), nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("decision", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(
            ["scoring_number"],
            ["scorings.number"],
            name="fk_paragraph_scores_scoring_number_scorings",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("scoring_number", "paragraph", "frame", name="pk_paragraph_scores"),
    )


def downgrade() -> None:
    op.drop_table("paragraph_scores")
    op.drop_table("article_scores")
    op.drop_table("skipped")
    op.drop_table("scorings")
    op.drop_table("paragraphs")
    op.drop_table("idempotency_keys")
    op.drop_table("articles")
