"""Paragraphs a second of the champion's scorer in process, an article of fifteen paragraphs at a time.

FRAMING_DATA_DIR=data python -m benchmarks.scorer_speed --json
"""

import argparse
import json
import time

from benchmarks.articles import PARAGRAPHS, articles
from service.settings import Settings
from training.registry.versions import Registry

_ARTICLES = 1500


def main() -> None:
    """Prints the speed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    model, _ = Registry(Settings().models_location).load_champion()
    cut = list(articles(_ARTICLES))
    for article in cut[:200]:
        model.score(article)
    began = time.perf_counter()
    for article in cut[200:]:
        model.score(article)
    speed = (len(cut) - 200) * PARAGRAPHS / (time.perf_counter() - began)
    print(json.dumps({"per_second": speed}) if asked.json else f"{speed:,.0f} paragraphs a second")


if __name__ == "__main__":
    main()
