"""whether keys are needed, which outlasts the last key"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "access",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("closed", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_access"),
    )
    # The admin key of the settings is no row of a table: sessions that it opened and what it did tell of it.
    op.execute(
        "INSERT INTO access (number, closed) SELECT 1, EXISTS (SELECT 1 FROM api_keys) "
        "OR EXISTS (SELECT 1 FROM sessions) OR EXISTS (SELECT 1 FROM audit WHERE action = 'create key') "
        "OR EXISTS (SELECT 1 FROM audit WHERE who = 'admin key of the settings')"
    )
    # Sessions of that key were not bound to it, so they would outlive it.
    op.execute("DELETE FROM sessions WHERE key_id IS NULL")


def downgrade() -> None:
    op.drop_table("access")
