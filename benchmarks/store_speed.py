"""What storing and charting cost as the store grows: so many seeded articles in a database, over HTTP.

POST /v1/articles of one article after the other and eight at a time, against POST /v1/classify of as many others; and
the series of all outlets by week, as the dashboard asks for it. Commits wait for the disk.
"""

import argparse
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import httpx2

from benchmarks.articles import as_paragraphs, write_bodies
from benchmarks.filled_database import fill
from benchmarks.http_speed import load
from benchmarks.postgresql import postgresql
from benchmarks.server import SERVER_CORE, product, running, train
from service.settings import Settings
from training.reports.card import table

SIZES = (1_000, 10_000, 100_000, 1_000_000)
_PARAGRAPHS_STORED = 4
_ARTICLES, _MOST_STORED = 2000, 600
_AT_ONCE, _ROUNDS = 8, 3
_SERIES = "/v1/prevalence?by=week&correct=false"


@dataclass(frozen=True, slots=True)
class Found:
    """A store of so many articles: milliseconds of a POST and of the series, and articles a second."""

    database: str
    articles: int
    post: float
    series: float
    stored: float
    classified: float


def measure(sizes: tuple[int, ...], seconds: float) -> list[Found]:
    """A row a size on SQLite, then one on PostgreSQL."""
    found = []
    for size in sizes:
        with tempfile.TemporaryDirectory() as place:
            found.append(_measure("SQLite", Path(place), "", size, seconds))
    with tempfile.TemporaryDirectory() as place, postgresql(durable=True) as cluster:
        found.append(_measure("PostgreSQL", Path(place), cluster.url.format(name="postgres"), sizes[0], seconds))
    return found


def _measure(database: str, folder: Path, url: str, size: int, seconds: float) -> Found:
    train(folder)
    settings = Settings(data_dir=folder, database_url=url)
    fill(settings, size, _PARAGRAPHS_STORED, lambda _done: None)
    named = as_paragraphs(outlet="The Ilara Post")
    bodies = write_bodies(folder / "bodies.jsonl", 200, named)
    cut = write_bodies(folder / "cut.jsonl", _ARTICLES, as_paragraphs(), seed=1)
    stored, classified = [], []
    with running(product(folder, database_url=url), SERVER_CORE) as server:
        classify, store = f"{server.address}/v1/classify", f"{server.address}/v1/articles"
        load(classify, cut, 1, _AT_ONCE)
        for number in range(_ROUNDS):
            # Each body once: the same article again would only be found.
            more = write_bodies(folder / "more.jsonl", round(_MOST_STORED * seconds), named, seed=2 + number)
            stored.append(load(store, more, seconds, _AT_ONCE)["per_second"])
            classified.append(load(classify, cut, seconds, _AT_ONCE)["per_second"])
        post = _median(store, bodies.read_bytes().splitlines())
        series = _median(f"{server.address}{_SERIES}", [None] * 9)
    print(f"{database}, {size:,} articles stored", file=sys.stderr)
    return Found(database, size, post, series, statistics.median(stored), statistics.median(classified))


def _median(url: str, bodies: list[bytes] | list[None]) -> float:
    times = []
    with httpx2.Client(timeout=60) as client:
        for body in bodies:
            began = time.perf_counter()
            answer = client.get(url) if body is None else client.post(url, content=body, headers=_JSON)
            times.append((time.perf_counter() - began) * 1000)
            answer.raise_for_status()
    return statistics.median(times)


_JSON = {"content-type": "application/json"}


def report(found: list[Found]) -> str:
    """Ratios first."""
    *on_sqlite, on_postgresql = found
    posts = [one.post for one in on_sqlite]
    ratios = [
        ["articles stored a second, of those classified: SQLite", _share(on_sqlite[0]), "50%"],
        ["articles stored a second, of those classified: PostgreSQL", _share(on_postgresql), "50%"],
        ["a POST, from the smallest store to the slowest", f"{max(posts) / posts[0] - 1:+.0%}", "±20%"],
        ["the slowest series", f"{max(one.series for one in found):.0f} ms", "under 500 ms"],
    ]
    rows = [
        [
            *(one.database, f"{one.articles:,}", f"{one.post:.1f}", f"{one.series:.0f}"),
            *(f"{one.stored:.0f}", f"{one.classified:.0f}"),
        ]
        for one in found
    ]
    head = [
        "database",
        "articles stored before",
        "POST ms",
        "series by week ms",
        "stored a second",
        "classified a second",
    ]
    return f"{table(['measure', 'found', 'aim'], ratios)}\n\n{table(head, rows)}\n"


def _share(one: Found) -> str:
    return f"{one.stored / one.classified:.0%}"


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--seconds", type=float, default=4)
    asked = parser.parse_args()
    print(report(measure(tuple(asked.sizes), asked.seconds)))


if __name__ == "__main__":
    main()
