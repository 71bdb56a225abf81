"""annotations and training runs"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "training_runs",
        sa.Column("number", _NUMBER, nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("step", sa.String(length=32), nullable=False),
        sa.Column("progress", sa.Float(), nullable=False),
        sa.Column("request", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("started_at", sa.DateTime(), nullable=True),
        sa.Column("finished_at", sa.DateTime(), nullable=True),
        sa.Column("cancel_requested", sa.Boolean(), nullable=False),
        sa.Column("annotations", sa.Integer(), nullable=True),
        sa.Column("annotations_digest", sa.String(length=64), nullable=True),
        sa.Column("version", sa.String(length=16), nullable=True),
        sa.Column("verdict", sa.JSON(), nullable=True),
        sa.Column("label_diff", sa.JSON(), nullable=True),
        sa.Column("promoted", sa.Boolean(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("idempotency_key", sa.String(length=255), nullable=True),
        sa.Column("log", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_training_runs"),
        sa.UniqueConstraint("id", name="uq_training_runs_id"),
        sa.UniqueConstraint("idempotency_key", name="uq_training_runs_idempotency_key"),
    )
    op.create_index("ix_training_runs_state", "training_runs", ["state"])

    op.create_table(
        "annotations",
        sa.Column("number", _NUMBER, nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("coder", sa.String(length=128), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("unit", sa.String(length=64), nullable=False),
        sa.Column("article_number", _NUMBER, nullable=True),
        sa.Column("paragraph", sa.Integer(), nullable=True),
        sa.Column("source", sa.String(length=256), nullable=False),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("frames", sa.JSON(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("codebook_version", sa.Integer(), nullable=False),
        sa.Column("selection", sa.String(length=16), nullable=False),
        sa.Column("inclusion_probability", sa.Float(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("replaced_at", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["article_number"], ["articles.number"], name="fk_annotations_article_number_articles", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("number", name="pk_annotations"),
        sa.UniqueConstraint("id", name="uq_annotations_id"),
    )
    op.create_index("ix_annotations_article_number", "annotations", ["article_number"])
    op.create_index("ix_annotations_unit", "annotations", ["unit"])
    op.create_index(
        "uq_annotations_in_force",
        "annotations",
        ["coder", "role", "unit"],
        unique=True,
        sqlite_where=sa.text("replaced_at IS NULL"),
        postgresql_where=sa.text("replaced_at IS NULL"),
    )

    op.create_table(
        "draws",
        sa.Column("number", _NUMBER, nullable=False),
        sa.Column("coder", sa.String(length=128), nullable=False),
        sa.Column("unit", sa.String(length=64), nullable=False),
        sa.Column("article_number", _NUMBER, nullable=False),
        sa.Column("paragraph", sa.Integer(), nullable=False),
        sa.Column("selection", sa.String(length=16), nullable=False),
        sa.Column("inclusion_probability", sa.Float(), nullable=False),
        sa.Column("overlap", sa.Boolean(), nullable=False),
        sa.Column("pool", sa.Integer(), nullable=False),
        sa.Column("drawn_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["article_number"], ["articles.number"], name="fk_draws_article_number_articles", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("number", name="pk_draws"),
        sa.UniqueConstraint("coder", "unit", name="uq_draws_coder_unit"),
    )
    op.create_index("ix_draws_unit", "draws", ["unit"])
    op.create_index("ix_draws_article_number", "draws", ["article_number"])


def downgrade() -> None:
    op.drop_table("draws")
    op.drop_table("annotations")
    op.drop_table("training_runs")
