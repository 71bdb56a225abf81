"""Stories: near-duplicate articles (wire copy) are copies of one story, whose first stored copy stands for it."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, TypeAlias

from sqlalchemy import Connection, Table, func, select, update

from labels.duplicates import ArticleSketch
from service.store import daily
from service.store.sql.insertion import Rows, insert_all, one_of
from service.store.tables import articles, sketch_bands, sketches


@cache
def _alike(dialect: str) -> Any:
    return (
        select(sketch_bands.c.key, sketches.c.article_number, sketches.c.sketch)
        .join(sketches, sketches.c.article_number == sketch_bands.c.article_number)
        .where(one_of(sketch_bands.c.key, "keys", dialect))
    )


Bands: TypeAlias = Mapping[int, Sequence[int]]
"""The keys of a sketch by the number of its article."""


def tell(connection: Connection, arrived: Mapping[int, ArticleSketch], bands: Bands) -> dict[int, int]:
    """Which story each article tells, by its number and in the order given: that of the first copy, or its own."""
    dialect = connection.dialect.name
    alike: dict[int, set[tuple[int, ArticleSketch]]] = {}
    wanted = {key for keys in bands.values() for key in keys}
    for key, number, content in connection.execute(_alike(dialect), {"keys": list(wanted)}):
        alike.setdefault(key, set()).add((number, ArticleSketch(content)))
    told = {}
    for number, sketch in arrived.items():
        candidates = {one for key in bands[number] for one in alike.get(key, ())}
        told[number] = min((other for other, its in candidates if sketch.is_copy_of(its)), default=number)
        if told[number] == number:
            for key in bands[number]:
                alike.setdefault(key, set()).add((number, sketch))
    return told


def rows(arrived: Mapping[int, ArticleSketch], bands: Bands, told: Mapping[int, int]) -> dict[Table, Rows]:
    """What later copies are known by: all sketches, and of first copies the keys by which they are found."""
    return {
        sketches: [(number, sketch.content) for number, sketch in arrived.items()],
        sketch_bands: [(key, number) for number, keys in bands.items() if told[number] == number for key in keys],
    }


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
        insert_all(connection, {sketch_bands: [(key, heir) for key in ArticleSketch(sketch).bands()]})
