"""the frames that a coder decided about: a frame that came later is not absent from what was coded before"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_annotations = sa.table(
    "annotations", sa.column("codebook_version"), sa.column("frames", sa.JSON), sa.column("covered", sa.JSON)
)
_scorings = sa.table("scorings", sa.column("number"), sa.column("codebook_version"))
_article_scores = sa.table("article_scores", sa.column("scoring_number"), sa.column("frame"))


def upgrade() -> None:
    op.add_column("annotations", sa.Column("covered", sa.JSON(none_as_null=True), nullable=True))
    connection = op.get_bind()
    for version in connection.scalars(sa.select(_annotations.c.codebook_version).distinct()).all():
        frames = _frames_of(connection, version)
        if frames and _coded_in(connection, version) <= frames:
            connection.execute(
                _annotations.update().where(_annotations.c.codebook_version == version).values(covered=sorted(frames))
            )


def downgrade() -> None:
    op.drop_column("annotations", "covered")


def _frames_of(connection: sa.Connection, version: int) -> set[str]:
    """The frames of a version of the codebook: those of a model that was trained with it and has scored an article."""
    scoring = connection.scalar(
        sa.select(sa.func.max(_scorings.c.number)).where(_scorings.c.codebook_version == version)
    )
    scores = sa.select(_article_scores.c.frame).where(_article_scores.c.scoring_number == scoring)
    return set(connection.scalars(scores))


def _coded_in(connection: sa.Connection, version: int) -> set[str]:
    """The frames that annotations of the version name: others than the model's mean that it is another codebook."""
    rows = connection.scalars(sa.select(_annotations.c.frames).where(_annotations.c.codebook_version == version))
    return {frame for frames in rows for frame in frames}
