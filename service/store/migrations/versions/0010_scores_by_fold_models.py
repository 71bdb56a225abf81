"""scores by models that have not seen an article, so that annotations correct the model that was trained on them"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_COLUMNS = (
    ("paragraph_scores", "left_out_score"),
    ("article_scores", "cross_mean_score"),
    ("article_scores", "cross_score"),
    ("article_scores", "left_out_mean_score"),
    ("article_scores", "left_out_score"),
)


def upgrade() -> None:
    for table, column in _COLUMNS:
        op.add_column(table, sa.Column(column, sa.Float(), nullable=True))


def downgrade() -> None:
    for table, column in _COLUMNS:
        op.drop_column(table, column)
