"""Where the time of bulk scoring goes: microseconds a paragraph of each step in process, on one core.

The articles are those of the benchmark of bulk scoring, sixty-four at a time. The rows are made of others than the
steps before them, for a paragraph that was scored just now would be remembered.
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.articles import PARAGRAPHS, articles
from benchmarks.clock import Clock
from benchmarks.server import train
from labels.paragraphs import SplitArticle
from service.articles.reading import language_of, split_article
from service.bulk.records import Record
from service.bulk.scoring import Count, Options, columns_of, request_of, rows_of
from service.schemas.articles import ClassifyRequest
from service.settings import Settings
from service.tabular import whole
from training.registry.versions import Registry
from training.reports.card import table
from training.scoring.frame_model import FrameModel
from training.scoring.operating_points import decide

_ARTICLES, _AT_ONCE, _WARM = 3200, 64, 10
_READ, _REQUEST, _SPLIT, _LANGUAGE = "read the JSON", "check the article", "look for boilerplate", "tell the language"
_SCORE, _DECIDE = "score frames and stances", "decide"
_ROWS, _WRITE = "the rows of the table: all but the first of these, together", "write them as Parquet"


def measure() -> dict[str, float]:
    """Microseconds a paragraph by step."""
    with tempfile.TemporaryDirectory() as place:
        train(Path(place))
        settings = Settings(data_dir=Path(place))
        model, _ = Registry(settings.models_location).load_champion()
        clock, cut = Clock(), list(articles(_ARTICLES))
        for start in range(0, _ARTICLES, _AT_ONCE):
            if start == _WARM * _AT_ONCE:
                clock.forget()
            part = [json.dumps({"paragraphs": one}) for one in cut[start : start + _AT_ONCE]]
            (_steps if start // _AT_ONCE % 2 else _rows)(part, model, settings, clock)
        return {step: spent / (_AT_ONCE * PARAGRAPHS) for step, spent in clock.medians().items()}


def _steps(lines: list[str], model: FrameModel, settings: Settings, clock: Clock) -> None:
    options = Options()

    def languages(pairs: list[tuple[SplitArticle, ClassifyRequest]]) -> None:
        for article, request in pairs:
            language_of(article, request, model)

    read = clock.time(_READ, lambda: [json.loads(line) for line in lines])
    records = _records(read)
    requests = clock.time(_REQUEST, lambda: [request_of(record, options) for record in records])
    split = clock.time(_SPLIT, lambda: [split_article(request, settings) for request in requests])
    clock.time(_LANGUAGE, languages, list(zip(split, requests, strict=True)))
    texts = [paragraph.text for article in split for paragraph in article.paragraphs]
    scored = clock.time(_SCORE, model.score_with_stances, texts)
    cuts = model.card.cuts["balanced"]
    clock.time(_DECIDE, lambda: [decide(scored.frames[:, k], cuts[f]) for k, f in enumerate(model.card.frame_keys)])


def _rows(lines: list[str], model: FrameModel, settings: Settings, clock: Clock) -> None:
    options, records = Options(), _records([json.loads(line) for line in lines])
    rows = clock.time(_ROWS, lambda: list(rows_of(records, model, settings, options, Count())))
    columns = columns_of(model.card.frame_keys, model.card.stances, options)
    clock.time(_WRITE, whole, columns, rows, "parquet")


def _records(read: list[Any]) -> list[Record]:
    return [Record("input", number, "input", fields) for number, fields in enumerate(read)]


def report(found: dict[str, float]) -> str:
    """A row a step."""
    order = (_READ, _REQUEST, _SPLIT, _LANGUAGE, _SCORE, _DECIDE, _ROWS, _WRITE)
    rows = [[step, f"{found[step]:.1f}"] for step in order]
    rows.append(["together", f"{found[_READ] + found[_ROWS] + found[_WRITE]:.1f}"])
    return f"{table(['step', 'µs a paragraph'], rows)}\n"


def main() -> None:
    """Prints the table."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    print(report(measure()))


if __name__ == "__main__":
    main()
