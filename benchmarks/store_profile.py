"""Where the time of POST /v1/articles goes: microseconds an article in process, eight in a transaction on SQLite.

Medians over many articles, with evidence, none seen twice; a database that is not empty.
"""

import argparse
import tempfile
from itertools import islice
from pathlib import Path

from benchmarks.articles import articles
from benchmarks.clock import Clock
from benchmarks.filled_database import fill
from benchmarks.server import train
from labels.duplicates import sketch_article
from service.articles import ingest
from service.articles.answers import as_json, stored_article
from service.articles.reading import read_article
from service.schemas.articles import ArticleRequest
from service.settings import Settings
from service.store.callers import LOCAL
from service.store.new_articles import NewArticle
from service.store.sql.database import Database
from training.registry.versions import Registry
from training.reports.card import table
from training.scoring.frame_model import FrameModel

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
        database, clock = Database(settings.store_url), Clock()
        made = (ArticleRequest(paragraphs=cut, outlet="The Ilara Post") for cut in articles(_GROUPS * _GROUP))
        for number in range(_GROUPS):
            if number == _WARM:
                clock.forget()
            _steps(list(islice(made, _GROUP)), model, settings, database, clock)
        database.close()
    return {step: group / _GROUP for step, group in clock.medians().items()}


def _steps(
    asked: list[ArticleRequest], model: FrameModel, settings: Settings, database: Database, clock: Clock
) -> None:
    clock.time(_STEPS[0], lambda: [read_article(one, model, settings) for one in asked])
    clock.time(_STEPS[1], lambda: [sketch_article("\n\n".join(one.paragraphs or [])) for one in asked])
    ready = [ingest.prepare(one, model, settings) for one in asked]
    clock.time(_STEPS[2], _store, ready, database)
    terms = settings.evidence_terms
    clock.time(_STEPS[3], lambda: [as_json(stored_article(one.article, evidence_terms=terms)) for one in ready])


def _store(ready: list[NewArticle], database: Database) -> None:
    with database.write() as connection:
        ingest.add_all(connection, ready, [LOCAL] * len(ready))


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
