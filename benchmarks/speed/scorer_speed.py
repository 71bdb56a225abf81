"""Prints as JSON the paragraphs per second that the champion's scorer does in process, article by article.

FRAMING_DATA_DIR=data python -m benchmarks.speed.scorer_speed
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from service.settings import Settings
from tests.support.articles import PARAGRAPHS, articles
from tests.support.paths import ROOT
from tests.support.servers import SERVER_CORE, pinned
from training.registry.versions import Registry

_ARTICLES, _WARM_UP = 1500, 200


def paragraphs_per_second(data: Path, core: int = SERVER_CORE) -> float:
    """Speed of the scorer alone, in a separate process on a separate core."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.speed.scorer_speed"],
        cwd=ROOT,
        env={**os.environ, "FRAMING_DATA_DIR": str(data)},
        check=True,
        capture_output=True,
        preexec_fn=pinned(core),
    )
    return float(json.loads(done.stdout))


def main() -> None:
    """Measures in this process."""
    model, _ = Registry(Settings().models_location).load_champion()
    texts = list(articles(_ARTICLES))
    for article in texts[:_WARM_UP]:
        model.score(article)
    began = time.perf_counter()
    for article in texts[_WARM_UP:]:
        model.score(article)
    print((len(texts) - _WARM_UP) * PARAGRAPHS / (time.perf_counter() - began))


if __name__ == "__main__":
    main()
