"""What storing and charting cost as the store grows: SQLite with so many seeded articles, over HTTP.

POST /v1/articles of one article after the other and eight at a time, against POST /v1/classify of the same articles;
and the series of all outlets by week, as the dashboard asks for it.
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
from benchmarks.server import SERVER_CORE, product, running, train
from service.settings import Settings
from training.card_markdown import table

SIZES = (1_000, 10_000, 100_000, 1_000_000)
_PARAGRAPHS_STORED = 4
_ARTICLES = 2000
_SERIES = "/v1/prevalence?by=week&correct=false"


@dataclass(frozen=True, slots=True)
class Found:
    """A store of so many articles: milliseconds of a POST and of the series, and articles a second."""

    articles: int
    post: float
    series: float
    stored: float
    classified: float


def measure(sizes: tuple[int, ...], seconds: float) -> list[Found]:
    """A row a size."""
    found = []
    for size in sizes:
        with tempfile.TemporaryDirectory() as place:
            found.append(_measure(Path(place), size, seconds))
            print(f"{size:,} articles stored", file=sys.stderr)
    return found


def _measure(folder: Path, size: int, seconds: float) -> Found:
    train(folder)
    fill(Settings(data_dir=folder), size, _PARAGRAPHS_STORED, lambda _done: None)
    bodies = write_bodies(folder / "bodies.jsonl", _ARTICLES, as_paragraphs(outlet="The Ilara Post"))
    more = write_bodies(folder / "more.jsonl", _ARTICLES * 3, as_paragraphs(outlet="The Ilara Post"), seed=2)
    cut = write_bodies(folder / "cut.jsonl", _ARTICLES, as_paragraphs(), seed=3)
    with running(product(folder), SERVER_CORE) as server:
        classify, store = f"{server.address}/v1/classify", f"{server.address}/v1/articles"
        load(classify, cut, 1, 8)
        # Each body once: the same article again would only be found.
        stored = load(store, more, seconds, 8)["per_second"]
        classified = load(classify, cut, seconds, 8)["per_second"]
        post = _median(store, bodies.read_bytes().splitlines()[:200])
        series = _median(f"{server.address}{_SERIES}", [None] * 9)
        return Found(size, post, series, stored, classified)


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
    posts = [one.post for one in found]
    ratios = [
        ["articles stored a second, of those classified", f"{found[0].stored / found[0].classified:.0%}", "50%"],
        ["a POST, from the smallest store to the slowest", f"{max(posts) / posts[0] - 1:+.0%}", "±20%"],
        ["the slowest series", f"{max(one.series for one in found):.0f} ms", "under 500 ms"],
    ]
    rows = [
        [f"{one.articles:,}", f"{one.post:.1f}", f"{one.series:.0f}", f"{one.stored:.0f}", f"{one.classified:.0f}"]
        for one in found
    ]
    head = ["articles stored before", "POST ms", "series by week ms", "articles stored a second", "classified a second"]
    return f"{table(['measure', 'found', 'aim'], ratios)}\n\n{table(head, rows)}\n"


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--seconds", type=float, default=4)
    asked = parser.parse_args()
    print(report(measure(tuple(asked.sizes), asked.seconds)))


if __name__ == "__main__":
    main()
