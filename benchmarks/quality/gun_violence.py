"""Another codebook beside the literature: the Gun Violence Frame Corpus, on its published folds and by its metrics.

The data (--data) are JSON Lines with `text`, `labels`, `split` (the fold) and `doc`, made from the corpus of Liu et al.
(2019) as published by Akyurek et al. (ACL 2020, "Multi-label and multilingual news framing analysis"). Metrics are
theirs: every headline gets at least the frame with the highest score, a fold ignores frames that never occur in it or
are never decided, and figures are means over folds. Thresholds come from inner folds of the training folds.

The heads of an encoder are learned from nothing on its vectors, as for any other codebook (`training.kinds.learning`).
The frames are defined in `gun_violence.toml`, whose concepts were written from the definitions of the frames, not from
the headlines.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from sklearn.metrics import f1_score
from threadpoolctl import threadpool_limits

from benchmarks.documents import arguments, objects, show
from benchmarks.quality.annotated_news import WORK, EncodedNews, Mask
from labels.annotations import Annotation, CodedParagraph
from labels.codebook import Codebook, read_codebook
from tests.support.paths import SHARED
from training.challenger import Fitted, fit_calibrated
from training.cross_validation import no_progress
from training.dataset import Dataset, build_dataset
from training.encoder.heads import Array
from training.encoder.shipped import encoder_folders
from training.hyperparameters import Hyperparameters
from training.kinds.learning import fit_heads
from training.pipeline import logits
from training.reports.tables import table
from training.scoring.compiled import sigmoid
from training.scoring.operating_points import best_f1_threshold

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
# Log-odds (m, k) of the paragraphs learned from, without their fold, and (n, k) of those that are judged.
_LogOdds = tuple[Array, Array]
_Learn = Callable[[Mask], _LogOdds]
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


def measure(path: Path, work: Path) -> list[list[str]]:
    """Cells under `HEAD`: the published figures, those of words and of each encoder, and of both together."""
    codebook = read_codebook(CODEBOOK)
    datasets = {True: read(path, codebook), False: read(path, replace(codebook, concepts={}))}
    rows = [[name, f"{macro:.2f}", f"{micro:.2f}", "", ""] for name, macro, micro in PUBLISHED]
    dataset, folds = datasets[True]
    tasks: dict[str, list[_Learn]] = {
        name: [partial(_words, datasets[concepts][0], hyperparameters)] for name, concepts, hyperparameters in PRODUCTS
    }
    words = tasks[PRODUCTS[-1][0]]
    for folder in encoder_folders():
        encoded = EncodedNews(folder, work)
        heads: list[_Learn] = [partial(_heads, dataset, encoded.vectors(list(dataset.texts)))]
        tasks |= {
            f"the kind `{encoded.name}`": heads,
            f"`{encoded.name}` and the last kind of words, averaged": heads + words,
        }
    for name, learners in tasks.items():
        show(name)
        started = time.perf_counter()
        jobs = (delayed(_fold)(dataset, folds == fold, learners) for fold in sorted(set(folds)))
        figures = np.array(Parallel(n_jobs=-1)(jobs))
        macro, micro = figures.mean(axis=0)
        spread = f"{figures[:, 0].min():.2f} to {figures[:, 0].max():.2f}"
        rows.append([name, f"{macro:.3f}", f"{micro:.3f}", spread, f"{time.perf_counter() - started:.0f}"])
    return rows


def _words(dataset: Dataset, hyperparameters: Hyperparameters, fold: Mask) -> _LogOdds:
    fitted = fit_calibrated(dataset.take(~fold), hyperparameters, SEED, jobs=1)
    return _left_out(fitted), logits(fitted.pipeline, dataset.take(fold).normalised)[:, : len(dataset.frames)]


def _heads(dataset: Dataset, vectors: Array, fold: Mask) -> _LogOdds:
    with threadpool_limits(limits=1):
        heads, fitted, _ = fit_heads(vectors[~fold], dataset.take(~fold), SEED, no_progress)
    return _left_out(fitted), heads.logits(vectors[fold])[:, : len(dataset.frames)]


def _left_out(fitted: Fitted) -> Array:
    slopes, offsets = (np.array(column) for column in zip(*fitted.calibration.values(), strict=True))
    return np.asarray(fitted.left_out.logits * slopes + offsets)


def _fold(dataset: Dataset, fold: Mask, learners: Sequence[_Learn]) -> tuple[float, float]:
    left_out, log_odds = (np.mean(each, axis=0) for each in zip(*(learn(fold) for learn in learners), strict=True))
    targets = dataset.targets[~fold]
    thresholds = [best_f1_threshold(sigmoid(left_out[:, k]), targets[:, k]) for k in range(targets.shape[1])]
    decisions = sigmoid(log_odds) >= np.array(thresholds)
    empty = ~decisions.any(axis=1)
    decisions[empty, log_odds[empty].argmax(axis=1)] = True
    return _f1(dataset.targets[fold], decisions)


def _f1(targets: NDArray[np.bool_], decisions: NDArray[np.bool_]) -> tuple[float, float]:
    counted = targets.any(axis=0) & decisions.any(axis=0)
    targets, decisions = targets[:, counted], decisions[:, counted]
    return float(f1_score(targets, decisions, average="macro")), float(f1_score(targets, decisions, average="micro"))


def main() -> None:
    parser = arguments(__doc__, "benchmarks.quality.gun_violence --json")
    parser.add_argument("--data", type=Path, default=DATA, help="the corpus, as JSON Lines")
    parser.add_argument("--work", type=Path, default=WORK, help="folder that keeps vectors; default: %(default)s")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    if not options.data.exists():
        raise SystemExit(f"There is no corpus at {options.data}. Get it from its publishers and name it with --data.")
    rows = measure(options.data, options.work)
    print(json.dumps(objects(HEAD, rows), indent=1) if options.json else table(HEAD, rows))


if __name__ == "__main__":
    main()
