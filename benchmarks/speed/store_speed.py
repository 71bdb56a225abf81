"""The cost of storing and of charting as a store grows, over HTTP; commits wait for the disk.

Measures `POST /v1/articles`, a single client and eight at once, against `POST /v1/classify`, and the prevalence of all
outlets by week, which the dashboard requests.
"""

import statistics
import tempfile
from dataclasses import dataclass
from pathlib import Path

import httpx2

from benchmarks.documents import show
from benchmarks.speed.http_speed import put_load
from benchmarks.speed.timing import milliseconds
from service.settings import Settings
from tests.support.articles import as_paragraphs, write_bodies
from tests.support.filled_database import fill
from tests.support.postgresql import postgresql
from tests.support.servers import SERVER_CORE, product, running, train
from training.reports.tables import table

SIZES = (1_000, 10_000, 100_000, 1_000_000)
_PARAGRAPHS_STORED = 4
_ARTICLES, _MOST_STORED = 2000, 600
_CONNECTIONS, _ROUNDS, _SERIES_ROUNDS = 8, 3, 9
_SERIES = "/v1/prevalence?by=week&correct=false"


@dataclass(frozen=True, slots=True)
class Costs:
    """Costs on a store of `articles` articles: milliseconds of a POST and of the series, and articles per second."""

    database: str
    articles: int
    post: float
    series: float
    stored: float
    classified: float


def measure(sizes: tuple[int, ...], seconds: float) -> list[Costs]:
    """The costs at each size on SQLite, then those on PostgreSQL at the smallest."""
    costs = []
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            costs.append(_measure("SQLite", Path(folder), "", size, seconds))
    with tempfile.TemporaryDirectory() as folder, postgresql(durable=True) as cluster:
        costs.append(_measure("PostgreSQL", Path(folder), cluster.url.format(name="postgres"), sizes[0], seconds))
    return costs


def _measure(database: str, folder: Path, url: str, size: int, seconds: float) -> Costs:
    train(folder)
    settings = Settings(data_dir=folder, database_url=url)
    fill(settings, size, _PARAGRAPHS_STORED, lambda _done: None)
    with_outlet = as_paragraphs(outlet="The Ilara Post")
    bodies = write_bodies(folder / "bodies.jsonl", 200, with_outlet)
    others = write_bodies(folder / "others.jsonl", _ARTICLES, as_paragraphs(), seed=1)
    stored, classified = [], []
    with running(product(folder, database_url=url), SERVER_CORE) as server:
        classify, store = f"{server.address}/v1/classify", f"{server.address}/v1/articles"
        put_load(classify, others, 1, _CONNECTIONS)
        for number in range(_ROUNDS):
            # Each body once: an article that is stored already is only looked up.
            new = write_bodies(folder / "new.jsonl", round(_MOST_STORED * seconds), with_outlet, seed=2 + number)
            stored.append(put_load(store, new, seconds, _CONNECTIONS).per_second)
            classified.append(put_load(classify, others, seconds, _CONNECTIONS).per_second)
        with httpx2.Client(base_url=server.address, timeout=60) as client:
            post = statistics.median(_post(client, body) for body in bodies.read_bytes().splitlines())
            series = statistics.median(milliseconds(lambda: client.get(_SERIES)) for _ in range(_SERIES_ROUNDS))
    show(f"{database}, {size:,} articles stored")
    return Costs(database, size, post, series, statistics.median(stored), statistics.median(classified))


def _post(client: httpx2.Client, body: bytes) -> float:
    headers = {"Content-Type": "application/json"}
    return milliseconds(lambda: client.post("/v1/articles", content=body, headers=headers))


def report(costs: list[Costs]) -> str:
    """The ratios, then the costs at each size."""
    *on_sqlite, on_postgresql = costs
    posts = [each.post for each in on_sqlite]
    ratios = [
        ["articles stored per second, against classified: SQLite", _share(on_sqlite[0]), "50%"],
        ["articles stored per second, against classified: PostgreSQL", _share(on_postgresql), "50%"],
        ["a POST, from the smallest store to the slowest", f"{max(posts) / posts[0] - 1:+.0%}", "±20%"],
        ["the slowest series", f"{max(each.series for each in costs):.0f} ms", "under 500 ms"],
    ]
    rows = [
        [
            *(each.database, f"{each.articles:,}", f"{each.post:.1f}", f"{each.series:.0f}"),
            *(f"{each.stored:.0f}", f"{each.classified:.0f}"),
        ]
        for each in costs
    ]
    head = [
        *("database", "articles stored before", "POST ms", "series by week ms"),
        *("stored per second", "classified per second"),
    ]
    return f"{table(['measure', 'result', 'aim'], ratios)}\n\n{table(head, rows)}"


def _share(costs: Costs) -> str:
    return f"{costs.stored / costs.classified:.0%}"
