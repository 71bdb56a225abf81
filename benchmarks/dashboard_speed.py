"""How fast the pages and their data are on a large store.

Fills a database with seeded articles (`benchmarks.filled_database`) and drawn codes, starts a server on it and asks for
each page and each chart's data in turn, several rounds. Prints the median and the slowest of each. ETags are not sent,
so nothing is answered from a cache of the browser's.
"""

import argparse
import statistics
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import numpy as np
from rich.progress import Progress
from sqlalchemy import insert, select

from benchmarks.filled_database import fill
from benchmarks.server import ROOT, product, running, train
from service.settings import Settings
from service.store.sql.database import Database
from service.store.tables import annotations, articles, draws
from training.reports.card import table

CODES = 1000
PAGES = {
    "page: dashboard": "/",
    "page: articles": "/articles",
    "chart: by week, corrected": "/v1/prevalence?by=week&borrow=true",
    "chart: by outlet, corrected": "/v1/prevalence?by=outlet&borrow=true",
    "chart: frames together": "/v1/profile",
    "series: by day, raw": "/v1/prevalence?by=day&correct=false",
    "series: by outlet and day, raw": "/v1/prevalence?by=outlet,day&correct=false",
    "series: by week, a story once": "/v1/prevalence?by=week&dedup=true",
    "two outlets compared": "/v1/compare?a_outlet=Outlet%201&b_outlet=Outlet%202",
    "coding queue, 20 paragraphs": "/v1/coding-queue?coder=mira&n=20",
}


def measure(count: int, length: int, rounds: int) -> list[list[str]]:
    """A row an address: median and slowest answer in milliseconds, and the size in KiB."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        settings = Settings(data_dir=folder)
        train(folder)
        with Progress(transient=True) as bar:
            task = bar.add_task("filling", total=count)
            fill(settings, count, length, lambda done: bar.update(task, completed=done))
        _code(settings, length)
        with running(product(folder)) as server, httpx2.Client(base_url=server.address, timeout=120) as client:
            client.get("/")
            return [_row(client, name, path, rounds) for name, path in PAGES.items()]


def _code(settings: Settings, length: int) -> None:
    """Codes of paragraphs drawn at random, as the coding queue would have kept them."""
    database = Database(settings.store_url)
    generator = np.random.default_rng(1)
    now = datetime.now(UTC)
    with database.write() as connection:
        known = connection.execute(select(articles.c.number, articles.c.id)).all()
        chosen = generator.choice(len(known) * length, CODES, replace=False)
        drawn, coded = [], []
        for place in chosen:
            article, paragraph = known[place // length], int(place % length)
            shared = {
                "coder": "ana",
                "unit": f"{article.id}:{paragraph}",
                "article_number": article.number,
                "paragraph": paragraph,
                "selection": "random",
                "inclusion_probability": CODES / (len(known) * length),
            }
            drawn.append({**shared, "overlap": False, "whole": False, "pool": len(known) * length, "drawn_at": now})
            frames = {"foreign_hand": "reported"} if generator.random() < 0.2 else {}
            coded.append(
                {
                    **shared,
                    "id": f"{place:032x}",
                    "role": "coder",
                    "source": "stored",
                    "frames": frames,
                    "note": "",
                    "codebook_version": 1,
                    "created_at": now,
                }
            )
        connection.execute(insert(draws), drawn)
        connection.execute(insert(annotations), coded)
    database.close()


def _row(client: httpx2.Client, name: str, path: str, rounds: int) -> list[str]:
    times, size = [], 0
    for _ in range(rounds):
        started = time.perf_counter()
        answer = client.get(path)
        times.append((time.perf_counter() - started) * 1000)
        answer.raise_for_status()
        size = len(answer.content)
    return [name, f"{statistics.median(times):.0f}", f"{max(times):.0f}", f"{size / 1024:.0f}"]


def as_markdown(rows: list[list[str]], count: int, length: int) -> str:
    head = ["what", "median ms", "slowest ms", "KiB"]
    return (
        "# The dashboard on a large store\n\n"
        f"Made by `make dashboard-speed`: {count:,} articles of {length} paragraphs in SQLite "
        f"({count * length:,} paragraphs, four scores each), {CODES:,} of them coded.\n\n"
        f"{table(head, rows)}\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Example: python -m benchmarks.dashboard_speed --articles 10000",
    )
    parser.add_argument("--articles", type=int, default=100_000)
    parser.add_argument("--paragraphs", type=int, default=15)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--write", action="store_true", help="write docs/dashboard-speed.md")
    chosen = parser.parse_args()
    rows = measure(chosen.articles, chosen.paragraphs, chosen.rounds)
    text = as_markdown(rows, chosen.articles, chosen.paragraphs)
    print(text)
    if chosen.write:
        (ROOT / "docs" / "dashboard-speed.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
