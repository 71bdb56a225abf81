"""draws of paragraphs that nobody annotated and that were returned to the coding queue"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "returned_draws",
        sa.Column("number", _NUMBER, nullable=False),
        sa.Column("coder", sa.String(length=128), nullable=False),
        sa.Column("unit", sa.String(length=64), nullable=False),
        sa.Column("article_number", _NUMBER, nullable=False),
        sa.Column("paragraph", sa.Integer(), nullable=False),
        sa.Column("selection", sa.String(length=16), nullable=False),
        sa.Column("inclusion_probability", sa.Float(), nullable=False),
        sa.Column("overlap", sa.Boolean(), nullable=False),
        sa.Column("whole", sa.Boolean(), nullable=False),
        sa.Column("pool", sa.Integer(), nullable=False),
        sa.Column("drawn_at", sa.DateTime(), nullable=False),
        sa.Column("returned_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["article_number"],
            ["articles.number"],
            name="fk_returned_draws_article_number_articles",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("number", name="pk_returned_draws"),
    )
    op.create_index("ix_returned_draws_unit", "returned_draws", ["unit"])
    op.create_index("ix_returned_draws_article_number", "returned_draws", ["article_number"])


def downgrade() -> None:
    # The previous version knows nothing of these: to it, the paragraphs were never drawn.
    op.drop_table("returned_draws")
