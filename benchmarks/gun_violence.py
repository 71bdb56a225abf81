"""Another codebook beside the literature: the Gun Violence Frame Corpus, its five published folds, the paper's scoring.

The data are JSON Lines with `text`, `labels`, `split` (the fold) and `doc`, made of the corpus of Liu et al. (2019) as
published by Akyurek et al. (ACL 2020, "Multi-label and multilingual news framing analysis"); give their place with
--data. Scored as there: at least one frame for each headline, frames that never occur or are never called in a fold
dropped from it, means over folds. The thresholds of the product come from inner folds of the training folds.

The frames are those of `gun_violence.toml`, whose concepts were written from what the frames are about, not from the
headlines.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from sklearn.metrics import f1_score

from benchmarks.server import ROOT
from benchmarks.transfer import scores_and_decisions
from labels.annotations import Annotation, CodedParagraph
from labels.codebook import Codebook, read_codebook
from training.challenger import fit_calibrated
from training.dataset import Dataset, build_dataset
from training.pipeline import Hyperparameters
from training.reports.card import table

DATA = ROOT.parent / "shared" / "benchmarks" / "gvfc" / "data.jsonl"
SEED = 20260101
PUBLISHED = (
    ("Naive Bayes, a frame at a time (published)", 0.58, 0.65),
    ("multilingual BERT (published)", 0.74, 0.82),
    ("English BERT, focal loss (published)", 0.76, 0.82),
)
CODEBOOK = Path(__file__).with_suffix(".toml")
_CHARACTERS = Hyperparameters(characters=4, regularisation=10.0, names=True, contrast=0.4)
PRODUCTS = (
    ("this product as it is shipped, no concepts", False, Hyperparameters()),
    ("with the concepts of the codebook", True, Hyperparameters()),
    ("names and runs of characters too, no concepts", False, _CHARACTERS),
    ("names, runs of characters and concepts", True, replace(_CHARACTERS, concepts=0.7)),
)
"""Whether the codebook has its concepts; settings beside those shipped were chosen on these folds."""
HEAD = ["What decides", "Macro F1", "Micro F1", "Lowest and highest fold (macro)", "Seconds"]


def read(path: Path, codebook: Codebook) -> tuple[Dataset, NDArray[np.object_]]:
    """The headlines as a dataset, and the published fold of each."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    keys = {frame.title: frame.key for frame in codebook.frames}
    paragraphs = [
        CodedParagraph(
            f"{row['doc']}", place, "headlines", row["text"],
            (Annotation("published", dict.fromkeys((keys[label] for label in row["labels"]), "present")),),
        )
        for place, row in enumerate(rows)
    ]  # fmt: skip
    return build_dataset(paragraphs, codebook), np.array([row["split"] for row in rows], dtype=object)


def measure(path: Path) -> list[list[str]]:
    """A row for what was published, then for the product."""
    codebook = read_codebook(CODEBOOK)
    datasets = {True: read(path, codebook), False: read(path, replace(codebook, concepts={}))}
    rows = [[name, f"{macro:.2f}", f"{micro:.2f}", "", ""] for name, macro, micro in PUBLISHED]
    for name, concepts, hyperparameters in PRODUCTS:
        print(name, file=sys.stderr, flush=True)
        dataset, folds = datasets[concepts]
        started = time.perf_counter()
        found = np.array(
            Parallel(n_jobs=-1)(delayed(_fold)(dataset, folds == fold, hyperparameters) for fold in sorted(set(folds)))
        )
        took = time.perf_counter() - started
        macro, micro = found.mean(axis=0)
        spread = f"{found[:, 0].min():.2f} to {found[:, 0].max():.2f}"
        rows.append([name, f"{macro:.3f}", f"{micro:.3f}", spread, f"{took:.0f}"])
    return rows


def _fold(dataset: Dataset, judged: NDArray[np.bool_], hyperparameters: Hyperparameters) -> tuple[float, float]:
    fitted = fit_calibrated(dataset.take(~judged), hyperparameters, SEED, jobs=1)
    part = dataset.take(judged)
    scores, decisions = scores_and_decisions(fitted, part)
    none = ~decisions.any(axis=1)
    decisions[none, scores[none].argmax(axis=1)] = True
    return _f1(part.targets, decisions)


def _f1(targets: NDArray[np.bool_], decisions: NDArray[np.bool_]) -> tuple[float, float]:
    kept = targets.any(axis=0) & decisions.any(axis=0)
    targets, decisions = targets[:, kept], decisions[:, kept]
    return float(f1_score(targets, decisions, average="macro")), float(f1_score(targets, decisions, average="micro"))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, epilog="Example: python -m benchmarks.gun_violence --json")
    parser.add_argument("--data", type=Path, default=DATA, help="the corpus as JSON Lines")
    parser.add_argument("--json", action="store_true", help="print JSON for machines")
    given = parser.parse_args(arguments)
    if not given.data.exists():
        raise SystemExit(f"There is no corpus at {given.data}: get it from its publishers and name it with --data.")
    rows = measure(given.data)
    print(
        json.dumps([dict(zip(HEAD, row, strict=True)) for row in rows], indent=1) if given.json else table(HEAD, rows)
    )


if __name__ == "__main__":
    main()
