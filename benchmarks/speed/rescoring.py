"""How long it takes to rescore a store after a promotion, by the kind of the new champion, on a single core.

python -m benchmarks.speed.rescoring --kinds encoder --paragraphs 500     about a minute

The worker's own code rescores articles of 15 paragraphs of the shipped corpus, which a model of words has scored.
"""

import json
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import get_args

import httpx2
from sqlalchemy import update

from benchmarks.documents import arguments, objects, show
from benchmarks.speed.kinds import ARTICLE, SIZES, champion, on_a_core, texts, write_articles
from service.articles.rescoring import Rescoring
from service.settings import Settings
from service.store import unscored
from service.store.sql.database import Database
from service.store.tables import scorings
from tests.support.servers import product, running
from training.model_card import Kind
from training.registry.base import shipped_base
from training.registry.versions import Registry
from training.reports.tables import table

HEAD = ["Kind", "Paragraphs", "Seconds", "Paragraphs per second", "100,000 paragraphs", "1,000,000 paragraphs"]
_DATABASE = "framing.sqlite3"
_SHOWN_EVERY = 10.0


def measure(paragraphs: Mapping[Kind, int]) -> list[list[str]]:
    """Cells under `HEAD` for each kind of this installation, with so many paragraphs."""
    rows = []
    for kind, count in paragraphs.items():
        if kind != "words" and shipped_base(kind) is None:
            show(f"This installation has no {kind}.")
            continue
        with tempfile.TemporaryDirectory() as place:
            folder, words = champion(Path(place) / kind, kind), champion(Path(place) / "words", "words")
            _fill(folder, words, count)
            show(f"{kind}: {count:,} paragraphs are stored")
            command = [sys.executable, "-m", "benchmarks.speed.rescoring", "--rescore", str(folder)]
            seconds = json.loads(on_a_core(command))["seconds"]
        longer = (_longer(size, count, seconds) for size in (100_000, 1_000_000))
        rows.append([kind, f"{count:,}", f"{seconds:.1f}", f"{count / seconds:,.0f}", *longer])
    return rows


def _longer(size: int, count: int, seconds: float) -> str:
    text = f"{size / count * seconds / 60:,.1f} min"
    return text if count == size else f"{text}, extrapolated"


def _fill(folder: Path, words: Path, paragraphs: int) -> None:
    """Puts articles into a data folder, scored by the model of words in another, as if before its champion."""
    path = write_articles(words / "articles.jsonl", texts(paragraphs))
    with running(product(words)) as server, path.open("rb") as lines:
        httpx2.post(f"{server.address}/v1/articles:batch", content=lines.read(), timeout=3600).raise_for_status()
    if folder != words:
        shutil.copyfile(words / _DATABASE, folder / _DATABASE)
    with Database.opened(Settings(data_dir=folder).store_url) as database, database.write() as connection:
        connection.execute(update(scorings).values(model_version="v0"))


def _rescore(folder: Path) -> float:
    """Seconds in which this process rescores all articles, with the time to load the champion."""
    settings, registry = Settings(data_dir=folder), Registry(folder / "models")
    began = shown = time.perf_counter()
    with Database.opened(settings.store_url) as database:
        rescoring = Rescoring(settings, database, registry)
        while rescoring.do_some():
            if time.perf_counter() - shown > _SHOWN_EVERY:
                shown = time.perf_counter()
                show(f"{shown - began:.0f} s")
        seconds = time.perf_counter() - began
        with database.read() as connection:
            done, stored = unscored.count_scored(connection, registry.champion().version)
    if done != stored:
        raise RuntimeError(f"Only {done} of {stored} articles were rescored.")
    return seconds


def report(most: int) -> str:
    """The table as Markdown, with as many paragraphs as bulk scoring is measured with, but at most so many."""
    return table(HEAD, measure({kind: min(most, sizes[2]) for kind, sizes in SIZES.items()}))


def main() -> None:
    """Prints the table."""
    parser = arguments(__doc__, "benchmarks.speed.rescoring --json")
    parser.add_argument("--kinds", nargs="+", choices=get_args(Kind), default=get_args(Kind))
    parser.add_argument("--paragraphs", type=int, default=2_000, help=f"stored, {ARTICLE} an article")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--rescore", type=Path, help="only rescore the store of this data folder")
    options = parser.parse_args()
    if options.rescore:
        print(json.dumps({"seconds": _rescore(options.rescore)}))
        return
    rows = measure(dict.fromkeys(options.kinds, options.paragraphs))
    print(json.dumps(objects(HEAD, rows), indent=1) if options.json else table(HEAD, rows))


if __name__ == "__main__":
    main()
