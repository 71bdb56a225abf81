"""Time of the pages and of their data on a large store.

Fills a database with seeded articles and annotations, starts a server on it and requests each page and the data of each
chart in turn. No ETags are sent, so that nothing is answered from a cache.
"""

import statistics
import tempfile
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import httpx2
import numpy as np
from rich.progress import Progress
from sqlalchemy import insert, select

from benchmarks.documents import arguments, publish, render
from benchmarks.speed.timing import milliseconds
from service.settings import Settings
from service.store.sql.database import Database
from service.store.tables import annotations, articles, draws
from tests.support.filled_database import fill
from tests.support.servers import product, running, train
from training.reports.tables import table

ANNOTATIONS = 1000
PAGES = {
    "page: dashboard": "/",
    "page: articles": "/articles",
    "chart: by week, corrected": "/v1/prevalence?by=week&borrow=true",
    "chart: by outlet, corrected": "/v1/prevalence?by=outlet&borrow=true",
    "chart: frames that occur together": "/v1/profile",
    "series: by day, raw": "/v1/prevalence?by=day&correct=false",
    "series: by outlet and day, raw": "/v1/prevalence?by=outlet,day&correct=false",
    "series: by week, each story once": "/v1/prevalence?by=week&dedup=true",
    "two outlets compared": "/v1/compare?a_outlet=Outlet%201&b_outlet=Outlet%202",
    "coding queue, 20 paragraphs": "/v1/coding-queue",
}


def measure(count: int, length: int, rounds: int) -> list[list[str]]:
    """Per address: median and slowest answer in milliseconds, and the size in KiB."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        settings = Settings(data_dir=folder)
        train(folder)
        with Progress(transient=True) as bar:
            task = bar.add_task("filling", total=count)
            fill(settings, count, length, lambda done: bar.update(task, completed=done))
        _annotate(settings, length)
        with running(product(folder)) as server, httpx2.Client(base_url=server.address, timeout=120) as client:
            client.get("/")
            return [_row(client, name, path, rounds) for name, path in PAGES.items()]


def _annotate(settings: Settings, length: int) -> None:
    """Adds annotations of paragraphs drawn at random, as the coding queue would have stored them."""
    database = Database(settings.store_url)
    generator = np.random.default_rng(1)
    now = datetime.now(UTC)
    with database.write() as connection:
        stored = connection.execute(select(articles.c.number, articles.c.id)).all()
        pool = len(stored) * length
        draw_rows, annotation_rows = [], []
        for place in generator.choice(pool, ANNOTATIONS, replace=False):
            article, paragraph = stored[place // length], int(place % length)
            shared = {
                "coder": "ana",
                "unit": f"{article.id}:{paragraph}",
                "article_number": article.number,
                "paragraph": paragraph,
                "selection": "random",
                "inclusion_probability": ANNOTATIONS / pool,
            }
            draw_rows.append({**shared, "overlap": False, "whole": False, "pool": pool, "drawn_at": now})
            annotation_rows.append(
                {
                    **shared,
                    "id": f"{place:032x}",
                    "role": "coder",
                    "source": "stored",
                    "frames": {"foreign_hand": "reported"} if generator.random() < 0.2 else {},
                    "note": "",
                    "codebook_version": 1,
                    "created_at": now,
                }
            )
        connection.execute(insert(draws), draw_rows)
        connection.execute(insert(annotations), annotation_rows)
    database.close()


def _row(client: httpx2.Client, name: str, path: str, rounds: int) -> list[str]:
    draws = path == "/v1/coding-queue"
    request = partial(client.post, path, json={"coder": "mira", "n": 20}) if draws else partial(client.get, path)
    times = [milliseconds(request) for _ in range(rounds)]
    size = len(request().content)
    return [name, f"{statistics.median(times):.0f}", f"{max(times):.0f}", f"{size / 1024:.0f}"]


def main() -> None:
    parser = arguments(__doc__, "benchmarks.speed.dashboard_speed --articles 10000")
    parser.add_argument("--articles", type=int, default=100_000)
    parser.add_argument("--paragraphs", type=int, default=15)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--write", action="store_true", help="write docs/dashboard-speed.md")
    options = parser.parse_args()
    rows = measure(options.articles, options.paragraphs, options.rounds)
    text = render(
        Path(__file__).with_name("dashboard-speed.md.jinja"),
        articles=f"{options.articles:,}",
        length=options.paragraphs,
        paragraphs=f"{options.articles * options.paragraphs:,}",
        annotations=f"{ANNOTATIONS:,}",
        times=table(["address", "median ms", "slowest ms", "KiB"], rows),
    )
    publish(text, "dashboard-speed.md", write=options.write)


if __name__ == "__main__":
    main()
