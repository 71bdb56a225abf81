"""Stories: near-duplicate articles (wire copy) are copies of one story, whose first stored copy stands for it."""

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Connection, bindparam, func, select, update

from labels.duplicates import ArticleSketch
from service.store import daily
from service.store.rows import insert_rows
from service.store.tables import articles, sketch_bands, sketches

_ALIKE = (
    select(sketch_bands.c.key, sketches.c.article_number, sketches.c.sketch)
    .join(sketches, sketches.c.article_number == sketch_bands.c.article_number)
    .where(sketch_bands.c.key.in_(bindparam("keys", expanding=True)))
)
_TELL = update(articles).where(articles.c.number == bindparam("article")).values(story=bindparam("of"))


def tell(connection: Connection, arrived: Sequence[tuple[int, ArticleSketch]]) -> set[int]:
    """Notes which story each article tells, by its number and in the order given; answers with the first copies."""
    bands = {number: sketch.bands() for number, sketch in arrived}
    alike: dict[int, set[tuple[int, ArticleSketch]]] = {}
    wanted = list({key for keys in bands.values() for key in keys})
    for key, number, content in connection.execute(_ALIKE, {"keys": wanted}):
        alike.setdefault(key, set()).add((number, ArticleSketch(content)))
    told, first_copies = [], set()
    for number, sketch in arrived:
        candidates = {one for key in bands[number] for one in alike.get(key, ())}
        story = min((other for other, its in candidates if sketch.is_copy_of(its)), default=number)
        told.append({"article": number, "of": story})
        if story == number:
            first_copies.add(number)
            for key in bands[number]:
                alike.setdefault(key, set()).add((number, sketch))
    connection.execute(_TELL, told)
    insert_rows(connection, sketches, [(number, sketch.content) for number, sketch in arrived])
    _remember_bands(connection, {number: bands[number] for number in first_copies})
    return first_copies


def _remember_bands(connection: Connection, bands: Mapping[int, Iterable[int]]) -> None:
    """Lets first copies be found by their keys."""
    insert_rows(connection, sketch_bands, [(key, number) for number, keys in bands.items() for key in keys])


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
        _remember_bands(connection, {heir: ArticleSketch(sketch).bands()})
