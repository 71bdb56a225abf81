"""Where the time of POST /v1/classify goes: microseconds of each step in process, medians over many articles.

The articles are those of the benchmark over HTTP, paragraphs cut before; none is seen twice.
"""

import argparse
import json
import tempfile
from pathlib import Path

from benchmarks.articles import articles
from benchmarks.clock import Clock
from benchmarks.server import train
from service.articles.answers import classified
from service.articles.reading import Reading, language_of, split_article
from service.http.body import parse_json
from service.metrics import Metrics
from service.schemas.articles import ClassifyRequest
from service.settings import Settings
from training.registry.versions import Registry
from training.reports.card import table
from training.scoring.classification import classify, cuts_at
from training.scoring.frame_model import FrameModel

_ARTICLES, _WARM = 900, 300
_STEPS = (
    "parse the JSON strictly",
    "check the request",
    "look for boilerplate",
    "tell the language",
    "score, decide, roll up",
    "count for the metrics",
    "build the answer",
    "write the JSON",
)


def measure() -> dict[bool, dict[str, float]]:
    """Microseconds a step, without and with evidence."""
    with tempfile.TemporaryDirectory() as place:
        train(Path(place))
        settings = Settings(data_dir=Path(place))
        found = {}
        for explain in (False, True):
            model, _ = Registry(settings.models_location).load_champion()
            found[explain] = _steps(model, settings, explain)
        return found


def _steps(model: FrameModel, settings: Settings, explain: bool) -> dict[str, float]:
    clock, metrics = Clock(), Metrics()
    cuts = cuts_at(model, "balanced", {})
    for number, cut in enumerate(articles(_ARTICLES)):
        if number == _WARM:
            clock.forget()
        body = json.dumps({"paragraphs": cut, "explain": explain}).encode()
        content = clock.time(_STEPS[0], parse_json, body)
        request = clock.time(_STEPS[1], ClassifyRequest.model_validate, content)
        article = clock.time(_STEPS[2], split_article, request, settings)
        language = clock.time(_STEPS[3], language_of, article, request, model)
        texts = [paragraph.text for paragraph in article.paragraphs]
        classification = clock.time(_STEPS[4], classify, model, texts, cuts, explain=explain)
        clock.time(_STEPS[5], metrics.count, len(texts), classification.article)
        reading = Reading(article, language, classification)
        answer = clock.time(_STEPS[6], classified, request, reading, model.card, evidence_terms=settings.evidence_terms)
        clock.time(_STEPS[7], answer.model_dump_json, exclude_none=True)
    return clock.medians()


def report(found: dict[bool, dict[str, float]]) -> str:
    """A row a step."""
    rows = [[step, f"{found[False][step]:.0f}", f"{found[True][step]:.0f}"] for step in _STEPS]
    rows.append(["together", *(f"{sum(found[explain].values()):.0f}" for explain in (False, True))])
    without, explained = (found[explain][_STEPS[4]] for explain in (False, True))
    whole, answered = (sum(found[explain].values()) for explain in (False, True))
    ratios = [
        ["scores with evidence, over scores alone", f"{explained / without:.2f}×", "1.3×"],
        ["a whole answer with evidence, over one without", f"{answered / whole:.2f}×", ""],
    ]
    steps = table(["step", "µs without evidence", "µs with evidence"], rows)
    return f"{table(['measure', 'found', 'aim'], ratios)}\n\n{steps}\n"


def main() -> None:
    """Prints the table."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    print(report(measure()))


if __name__ == "__main__":
    main()
