"""assignments of paragraphs to coders, and settled paragraphs by which coders train"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_DRAWS = ("draws", "returned_draws")


def upgrade() -> None:
    op.create_table(
        "assignments",
        sa.Column("number", _NUMBER, nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("coders", sa.JSON(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("outlets", sa.JSON(), nullable=True),
        sa.Column("since", sa.Date(), nullable=True),
        sa.Column("until", sa.Date(), nullable=True),
        sa.Column("whole", sa.Boolean(), nullable=False),
        sa.Column("coders_each", sa.Integer(), nullable=False),
        sa.Column("units", sa.Integer(), nullable=False),
        sa.Column("pool", sa.Integer(), nullable=False),
        sa.Column("training", sa.Integer(), nullable=False),
        sa.Column("due", sa.Date(), nullable=True),
        sa.Column("created_by", sa.String(length=128), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("ended_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("number", name="pk_assignments"),
        sa.UniqueConstraint("id", name="uq_assignments_id"),
    )
    for table in _DRAWS:
        # What was drawn before was assigned by nobody.
        op.add_column(table, sa.Column("assignment", _NUMBER, nullable=True))
    op.create_index("ix_draws_assignment", "draws", ["assignment"])
    _create_gold_items()


def _create_gold_items() -> None:
    op.create_table(
        "gold_items",
        sa.Column("number", _NUMBER, nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("unit", sa.String(length=64), nullable=False),
        sa.Column("article_number", _NUMBER, nullable=False),
        sa.Column("paragraph", sa.Integer(), nullable=False),
        sa.Column("explanation", sa.Text(), nullable=False),
        sa.Column("created_by", sa.String(length=128), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("withdrawn_at", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["article_number"], ["articles.number"], name="fk_gold_items_article_number_articles", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("number", name="pk_gold_items"),
        sa.UniqueConstraint("id", name="uq_gold_items_id"),
        sa.UniqueConstraint("unit", name="uq_gold_items_unit"),
    )
    op.create_index("ix_gold_items_article_number", "gold_items", ["article_number"])
    op.create_table(
        "gold_answers",
        sa.Column("number", _NUMBER, nullable=False),
        sa.Column("item_number", _NUMBER, nullable=False),
        sa.Column("coder", sa.String(length=128), nullable=False),
        sa.Column("frames", sa.JSON(), nullable=False),
        sa.Column("covered", sa.JSON(), nullable=False),
        sa.Column("codebook_version", sa.Integer(), nullable=False),
        sa.Column("answered_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["item_number"], ["gold_items.number"], name="fk_gold_answers_item_number_gold_items", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("number", name="pk_gold_answers"),
        sa.UniqueConstraint("item_number", "coder", name="uq_gold_answers_item_number_coder"),
    )
    op.create_index("ix_gold_answers_coder", "gold_answers", ["coder"])


def downgrade() -> None:
    op.drop_table("gold_answers")
    op.drop_table("gold_items")
    op.drop_index("ix_draws_assignment", "draws")
    # The previous version would take a draw from some articles for a draw from all: these paragraphs then correct
    # nothing, like those that somebody chose.
    for table in _DRAWS:
        op.execute(
            f"DELETE FROM {table} WHERE assignment IN (SELECT number FROM assignments "  # noqa: S608 - of this module
            "WHERE outlets IS NOT NULL OR since IS NOT NULL OR until IS NOT NULL)"
        )
        op.drop_column(table, "assignment")
    op.drop_table("assignments")
