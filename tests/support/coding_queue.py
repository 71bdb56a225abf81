"""A store of articles for tests of the coding queue and of assignments, and what coders do with their paragraphs."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import Any, TypeAlias

import numpy as np
from sqlalchemy import Connection, Table, func, insert, select
from starlette.testclient import TestClient

from labels.paragraphs import split_paragraphs
from service.store import annotations as coded
from service.store.draws.inclusion import Inclusion, inclusions
from service.store.sql.database import Database
from service.store.tables import articles, paragraphs

# A paragraph of the queue, as the API returns it.
Task: TypeAlias = dict[str, Any]

ARTICLES, PARAGRAPHS = 30, 4
FIRST_DAY = datetime(2026, 1, 1, tzinfo=UTC)


def store_article(
    connection: Connection,
    number: int,
    *,
    repeated: Sequence[str] = (),
    outlet: str | None = None,
    dated_at: datetime = FIRST_DAY,
) -> None:
    """Stores an article whose paragraphs have no words in common, apart from the `repeated` at its end."""
    own = range(PARAGRAPHS - len(repeated))
    texts = [" ".join(f"{word}{number}x{place}" for word in "abcdefgh") for place in own]
    split = split_paragraphs([*texts, *repeated])
    article = {
        "number": number,
        "id": f"{number:032x}",
        "content_sha256": f"{number:064x}",
        "outlet": outlet,
        "created_at": FIRST_DAY,
        "dated_at": dated_at,
        "language": "en",
        "text": split.text,
        "story": number,
    }
    connection.execute(insert(articles), article)
    places = [
        {"article_number": number, "paragraph": p.index, "start_offset": p.start, "end_offset": p.end}
        for p in split.paragraphs
    ]
    connection.execute(insert(paragraphs), places)


@contextmanager
def store_of_articles(url: str, of: Callable[[int], Mapping[str, Any]] = lambda _number: {}) -> Iterator[Database]:
    """A database with `ARTICLES` articles, each stored with what `of` says of its number; closed at the end."""
    with closing(Database(url)) as database:
        database.migrate()
        with database.write() as connection:
            for number in range(1, ARTICLES + 1):
                store_article(connection, number, **of(number))
        yield database


def draw(api: TestClient, coder: str, n: int = 20, **options: Any) -> Any:
    answer = api.post("/v1/coding-queue", json={"coder": coder, "n": n, **options})
    assert answer.status_code == 200, answer.text
    return answer.json()


def waiting(api: TestClient, coder: str) -> Any:
    return api.get("/v1/coding-queue", params={"coder": coder, "n": 200}).json()["tasks"]


def annotate(api: TestClient, coder: str, task: Task) -> Any:
    body = {"coder": coder, "article_id": task["article_id"], "paragraph": task["paragraph"], "frames": {}}
    answer = api.post("/v1/annotations", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()["annotations"][0]


def code(connection: Connection, coder: str, unit_key: str, frames: Sequence[str] = ()) -> None:
    """Stores an annotation as the API would; without its answer, which takes most of the time."""
    identifier, _, place = unit_key.partition(":")
    unit = coded.article_unit(connection, identifier, int(place))
    assert unit is not None
    covered = frozenset({"foreign_hand"})
    new = coded.NewAnnotation(coder, "coder", unit, dict.fromkeys(frames, "present"), "", 1, covered=covered)
    coded.add(connection, new)


def key(task: Task) -> str:
    return f"{task['article_id']}:{task['paragraph']}"


def keys(tasks: Iterable[Task]) -> set[str]:
    return {key(task) for task in tasks}


def count(database: Database, table: Table) -> Any:
    """The number of rows of a table."""
    with database.read() as connection:
        return connection.scalar(select(func.count()).select_from(table))


def included(database: Database) -> Mapping[str, Inclusion]:
    with database.read() as connection:
        return inclusions(connection)


def assert_mean(values: Sequence[float], truth: float) -> None:
    """The mean of values that vary by chance is the truth, as far as their number can show."""
    error = np.std(values, ddof=1) / np.sqrt(len(values))
    assert abs(np.mean(values) - truth) <= max(4 * error, 0.02 * truth), (np.mean(values), error, truth)
