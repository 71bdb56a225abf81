"""Where the time of POST /v1/articles goes: microseconds an article in process, eight in a transaction on SQLite.

Medians over many articles, with evidence, none seen twice; a database that is not empty.
"""

import argparse
import statistics
import tempfile
import time
from itertools import islice
from pathlib import Path

from benchmarks.articles import articles
from benchmarks.filled_database import fill
from benchmarks.server import train
from labels.duplicates import sketch_article
from service import ingest
from service.access.roles import LOCAL
from service.answers import as_json, stored_article
from service.intake import read_article
from service.schemas.articles import ArticleRequest
from service.settings import Settings
from service.store.database import Database
from training.card_markdown import table
from training.registry import Registry

_STORED_BEFORE, _PARAGRAPHS_STORED = 1000, 4
_GROUPS, _WARM, _GROUP = 75, 25, 8
_STEPS = ("cut, score, explain", "sketch, to know its copies by", "insert, add to the sums, commit", "write the answer")


def measure() -> dict[str, float]:
    """Microseconds an article by step."""
    with tempfile.TemporaryDirectory() as place:
        train(Path(place))
        settings = Settings(data_dir=Path(place))
        fill(settings, _STORED_BEFORE, _PARAGRAPHS_STORED, lambda _done: None)
        model, _ = Registry(settings.models_location).load_champion()
        database = Database(settings.store_url)
        made = (ArticleRequest(paragraphs=cut, outlet="The Ilara Post") for cut in articles(_GROUPS * _GROUP))
        times: list[list[float]] = []
        for _ in range(_GROUPS):
            asked = list(islice(made, _GROUP))
            moments = [time.perf_counter()]
            for request in asked:
                read_article(request, model, settings)
            moments.append(time.perf_counter())
            for request in asked:
                sketch_article("\n\n".join(request.paragraphs or []))
            moments.append(time.perf_counter())
            ready = [ingest.prepare(request, model, settings) for request in asked]
            began = time.perf_counter()
            with database.write() as connection:
                added = [ingest.add(connection, one, LOCAL) for one in ready]
            written = time.perf_counter()
            for one in added:
                if not isinstance(one, str):
                    as_json(stored_article(one, evidence_terms=settings.evidence_terms))
            answered = time.perf_counter()
            spent = [moments[1] - moments[0], moments[2] - moments[1], written - began, answered - written]
            times.append([seconds * 1e6 / _GROUP for seconds in spent])
        database.close()
    return {
        step: statistics.median(column) for step, column in zip(_STEPS, zip(*times[_WARM:], strict=True), strict=True)
    }


def report(found: dict[str, float]) -> str:
    """A row a step."""
    rows = [[step, f"{found[step]:.0f}"] for step in _STEPS]
    return f"{table(['step', 'µs an article'], [*rows, ['together', f'{sum(found.values()):.0f}']])}\n"


def main() -> None:
    """Prints the table."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    print(report(measure()))


if __name__ == "__main__":
    main()
