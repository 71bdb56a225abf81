"""whether a coder asks for another look at a decision"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Nobody could say so before, so nobody has.
    op.add_column("annotations", sa.Column("unsure", sa.Boolean(), nullable=False, server_default=sa.false()))


def downgrade() -> None:
    op.drop_column("annotations", "unsure")
