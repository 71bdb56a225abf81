"""Another codebook beside the literature: the Gun Violence Frame Corpus, on its published folds and by its metrics.

The data (--data) are JSON Lines with `text`, `labels`, `split` (the fold) and `doc`, made from the corpus of Liu et al.
(2019) as published by Akyurek et al. (ACL 2020, "Multi-label and multilingual news framing analysis"). Metrics are
theirs: every headline gets at least the frame with the highest score, a fold ignores frames that never occur in it or
are never decided, and figures are means over folds. Thresholds come from inner folds of the training folds.

The frames are defined in `gun_violence.toml`, whose concepts were written from the definitions of the frames, not from
the headlines.
"""

import json
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from sklearn.metrics import f1_score

from benchmarks.documents import arguments
from benchmarks.quality.transfer import scores_and_decisions
from labels.annotations import Annotation, CodedParagraph
from labels.codebook import Codebook, read_codebook
from tests.support.paths import SHARED
from training.challenger import fit_calibrated
from training.dataset import Dataset, build_dataset
from training.hyperparameters import Hyperparameters
from training.reports.tables import table

DATA = SHARED / "benchmarks" / "gvfc" / "data.jsonl"
SEED = 20260101
PUBLISHED = (
    ("naive Bayes, frame by frame (published)", 0.58, 0.65),
    ("multilingual BERT (published)", 0.74, 0.82),
    ("English BERT, focal loss (published)", 0.76, 0.82),
)
CODEBOOK = Path(__file__).with_suffix(".toml")
_CHARACTERS = Hyperparameters(characters=4, regularisation=10.0, names=True, contrast=0.4)
# Each with whether the codebook has its concepts. Settings other than the shipped ones were chosen on these folds.
PRODUCTS = (
    ("the kind `words`, no concepts", False, Hyperparameters()),
    ("with the concepts of the codebook", True, Hyperparameters()),
    ("names and runs of characters too, no concepts", False, _CHARACTERS),
    ("names, runs of characters and concepts", True, replace(_CHARACTERS, concepts=0.7)),
)
HEAD = ["Model", "Macro F1", "Micro F1", "Lowest and highest fold (macro)", "Seconds"]


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
    """Cells under `HEAD`: the published figures, then those of the product."""
    codebook = read_codebook(CODEBOOK)
    datasets = {True: read(path, codebook), False: read(path, replace(codebook, concepts={}))}
    rows = [[name, f"{macro:.2f}", f"{micro:.2f}", "", ""] for name, macro, micro in PUBLISHED]
    for name, concepts, hyperparameters in PRODUCTS:
        print(name, file=sys.stderr, flush=True)
        dataset, folds = datasets[concepts]
        started = time.perf_counter()
        figures = np.array(
            Parallel(n_jobs=-1)(delayed(_fold)(dataset, folds == fold, hyperparameters) for fold in sorted(set(folds)))
        )
        seconds = time.perf_counter() - started
        macro, micro = figures.mean(axis=0)
        spread = f"{figures[:, 0].min():.2f} to {figures[:, 0].max():.2f}"
        rows.append([name, f"{macro:.3f}", f"{micro:.3f}", spread, f"{seconds:.0f}"])
    return rows


def _fold(dataset: Dataset, fold: NDArray[np.bool_], hyperparameters: Hyperparameters) -> tuple[float, float]:
    fitted = fit_calibrated(dataset.take(~fold), hyperparameters, SEED, jobs=1)
    part = dataset.take(fold)
    scores, decisions = scores_and_decisions(fitted, part)
    empty = ~decisions.any(axis=1)
    decisions[empty, scores[empty].argmax(axis=1)] = True
    return _f1(part.targets, decisions)


def _f1(targets: NDArray[np.bool_], decisions: NDArray[np.bool_]) -> tuple[float, float]:
    counted = targets.any(axis=0) & decisions.any(axis=0)
    targets, decisions = targets[:, counted], decisions[:, counted]
    return float(f1_score(targets, decisions, average="macro")), float(f1_score(targets, decisions, average="micro"))


def main() -> None:
    parser = arguments(__doc__, "benchmarks.quality.gun_violence --json")
    parser.add_argument("--data", type=Path, default=DATA, help="the corpus, as JSON Lines")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    if not options.data.exists():
        raise SystemExit(f"There is no corpus at {options.data}. Get it from its publishers and name it with --data.")
    rows = measure(options.data)
    as_objects = [dict(zip(HEAD, row, strict=True)) for row in rows]
    print(json.dumps(as_objects, indent=1) if options.json else table(HEAD, rows))


if __name__ == "__main__":
    main()
