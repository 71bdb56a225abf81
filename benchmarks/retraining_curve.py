"""How a model gets better with codes that are given over HTTP.

Starts a server on an empty data folder, posts coded paragraphs of the corpus step by step, lets each step train a model
from nothing but these codes, and judges every model on the same held-out articles of the corpus. Prints a Markdown
table; `--write` puts it into docs/retraining-curve.md.
"""

import argparse
import hashlib
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2

from benchmarks.server import ROOT, product, running
from labels.annotations import DEFAULT_CORPUS, CodedParagraph, read_corpus
from labels.codebook import read_codebook
from training.challenger import evaluate_held_out
from training.dataset import build_dataset
from training.registry.versions import Registry
from training.reports.card import figure_text, table

SIZES = (200, 400, 600, 800, 1200, 1600)


def measure(sizes: Sequence[int]) -> list[list[str]]:
    """One row a size: codes given, macro F1 on the held-out articles, the run's own verdict."""
    codebook = read_codebook()
    corpus = read_corpus(DEFAULT_CORPUS, codebook)
    dataset = build_dataset(corpus, codebook)
    judged = dataset.take(dataset.held_out)
    held_out = set(judged.articles)
    coded = [p for p in corpus if p.article not in held_out]
    coded.sort(key=lambda p: hashlib.sha256(p.text.encode()).digest())
    rows, done = [], 0
    with (
        tempfile.TemporaryDirectory() as folder,
        running(replace(product(Path(folder), worker="true"), ready="/livez")) as server,  # no model yet
        httpx2.Client(timeout=60) as client,
    ):
        client.base_url = server.address
        for size in sizes:
            client.post("/v1/annotations", json=[_code(p) for p in coded[done:size]]).raise_for_status()
            done = size
            run = _train(client)
            if run["state"] != "succeeded":
                raise SystemExit(f"With {size} codes the run {run['state']}: {run['error']}")
            model = Registry(Path(folder) / "models").load(run["version"])
            figure = evaluate_held_out(model, judged).macro.f1
            rows.append([f"{size:,}", figure_text(figure), run["verdict"]["reason"]])
            print(" | ".join(rows[-1]), file=sys.stderr)
            if run["verdict"]["promote"]:
                reason = {"reason": run["verdict"]["reason"], "by": "curve"}
                client.post(f"/v1/models/{run['version']}/promote", json=reason).raise_for_status()
    return rows


def _code(paragraph: CodedParagraph) -> dict[str, object]:
    last = paragraph.annotations[-1]
    return {"coder": "reader", "text": paragraph.text, "source": paragraph.source, "frames": dict(last.frames)}


def _train(client: httpx2.Client) -> Any:
    location = client.post("/v1/training-runs", json={"include_corpus": False}).headers["location"]
    while True:
        run = client.get(location).json()
        if run["state"] in ("succeeded", "failed", "cancelled"):
            return run
        time.sleep(0.2)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, epilog="Example: python -m benchmarks.retraining_curve --write"
    )
    parser.add_argument("--write", action="store_true", help="write docs/retraining-curve.md")
    arguments = parser.parse_args()
    head = [
        "Codes given",
        "Macro F1 on held-out articles of the corpus",
        "Verdict of the run (on its own held-out codes)",
    ]
    text = (
        "# Retraining curve\n\nMade by `make retraining-curve`: codes posted to `/v1/annotations`, a training "
        "run after each step from these codes alone, every model judged on the same held-out articles of the shipped "
        "corpus; 95% intervals by bootstrap over articles.\n\n" + table(head, measure(SIZES)) + "\n"
    )
    print(text)
    if arguments.write:
        (ROOT / "docs" / "retraining-curve.md").write_text(text, encoding="utf-8")
