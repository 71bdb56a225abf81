"""Stories: near-duplicate articles (wire copy) are copies of one story, whose first stored copy stands for it."""

from collections.abc import Iterable

from sqlalchemy import Connection, func, insert, select, update

from labels.duplicates import ArticleSketch
from service.store import daily
from service.store.tables import articles, sketch_bands, sketches


def first_copy_of(connection: Connection, sketch: ArticleSketch) -> int | None:
    """The number of the article that this one is a copy of; None where it tells a new story."""
    query = (
        select(sketches)
        .where(
            sketches.c.article_number.in_(
                select(sketch_bands.c.article_number).where(sketch_bands.c.key.in_(sketch.bands()))
            )
        )
        .order_by(sketches.c.article_number)
    )
    for row in connection.execute(query):
        if sketch.is_copy_of(ArticleSketch(row.sketch)):
            return int(row.article_number)
    return None


def remember(connection: Connection, article_number: int, sketch: ArticleSketch, *, first: bool) -> None:
    """Keeps the sketch of an article; that of a first copy can be found again."""
    connection.execute(insert(sketches), {"article_number": article_number, "sketch": sketch.content})
    if first:
        _remember_bands(connection, article_number, sketch.bands())


def _remember_bands(connection: Connection, article_number: int, bands: Iterable[int]) -> None:
    connection.execute(insert(sketch_bands), [{"key": key, "article_number": article_number} for key in bands])


def hand_over(connection: Connection, article_number: int) -> None:
    """Before a first copy is deleted: the next copy stored takes its place, in the sums too."""
    others = (articles.c.story == article_number) & (articles.c.number != article_number)
    heir = connection.scalar(select(func.min(articles.c.number)).where(others))
    if heir is None:
        return
    daily.count(connection, heir, sign=-1)
    connection.execute(update(articles).where(others).values(story=heir))
    daily.count(connection, heir)
    sketch = connection.scalar(select(sketches.c.sketch).where(sketches.c.article_number == heir))
    if sketch is not None:
        _remember_bands(connection, heir, ArticleSketch(sketch).bands())
