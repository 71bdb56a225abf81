"""How a model gets better with annotations that are sent over HTTP.

Starts a server on an empty data folder, sends annotations of the shipped corpus step by step, trains a model on these
alone after each step, and evaluates every model on the same held-out articles of the corpus.
"""

import hashlib
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2

from benchmarks.documents import arguments, publish, render, show
from labels.annotations import DEFAULT_CORPUS, CodedParagraph, read_corpus
from labels.codebook import read_codebook
from service.store import training_runs
from tests.support.servers import Command, product, running
from training.challenger import evaluate_held_out
from training.dataset import build_dataset
from training.registry.versions import Registry
from training.reports.tables import figure_text, table

SIZES = (200, 400, 600, 800, 1200, 1600)
HEAD = ["Annotations", "Macro F1 on held-out articles of the corpus", "Verdict of the run, on its annotations"]


def measure(sizes: Sequence[int]) -> list[list[str]]:
    """Cells under `HEAD` for each number of annotations."""
    codebook = read_codebook()
    corpus = read_corpus(DEFAULT_CORPUS, codebook)
    dataset = build_dataset(corpus, codebook)
    held_out = dataset.take(dataset.held_out)
    articles = set(held_out.articles)
    training = [paragraph for paragraph in corpus if paragraph.article not in articles]
    training.sort(key=lambda paragraph: hashlib.sha256(paragraph.text.encode()).digest())
    rows, sent = [], 0
    with (
        tempfile.TemporaryDirectory() as folder,
        running(_words_from_nothing(Path(folder))) as server,
        httpx2.Client(base_url=server.address, timeout=60) as client,
    ):
        for size in sizes:
            client.post("/v1/annotations", json=[_annotation(p) for p in training[sent:size]]).raise_for_status()
            sent = size
            run = _train(client)
            if run["state"] != "succeeded":
                raise SystemExit(f"With {size} annotations the run {run['state']}: {run['error']}")
            model = Registry(Path(folder) / "models").load(run["version"])
            f1 = evaluate_held_out(model, held_out).macro.f1
            rows.append([f"{size:,}", figure_text(f1), run["verdict"]["reason"]])
            show(" | ".join(rows[-1]))
            if run["verdict"]["promote"]:
                promotion = {"reason": run["verdict"]["reason"], "by": "curve"}
                client.post(f"/v1/models/{run['version']}/promote", json=promotion).raise_for_status()
    return rows


def _words_from_nothing(folder: Path) -> Command:
    """A server that learns from its annotations alone; it counts as ready without a model."""
    return replace(product(folder, worker="true", kind="words", start="nothing"), ready="/livez")


def _annotation(paragraph: CodedParagraph) -> dict[str, object]:
    last = paragraph.annotations[-1]
    return {"coder": "reader", "text": paragraph.text, "source": paragraph.source, "frames": dict(last.frames)}


def _train(client: httpx2.Client) -> Any:
    location = client.post("/v1/training-runs", json={"include_corpus": False}).headers["location"]
    while True:
        run = client.get(location).json()
        if run["state"] in training_runs.ENDED:
            return run
        time.sleep(0.2)


def main() -> None:
    parser = arguments(__doc__, "benchmarks.quality.retraining_curve --sizes 200 400")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="numbers of annotations")
    parser.add_argument("--write", action="store_true", help="write docs/retraining-curve.md")
    options = parser.parse_args()
    template = Path(__file__).with_name("retraining-curve.md.jinja")
    publish(render(template, curve=table(HEAD, measure(options.sizes))), "retraining-curve.md", write=options.write)


if __name__ == "__main__":
    main()
