"""How much each part of the pipeline improves scores on sources left out, and alternatives that were tried.

Every row leaves out a group of sources at a time; calibration and thresholds of a group come from the others.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score

from benchmarks.quality.corpus_rounds import EVALUATED_ROUNDS, LATER_ROUNDS
from labels.normalise import normalise
from training.challenger import Fitted, fit_calibrated
from training.cross_validation import (
    LeftOut,
    assign_folds,
    calibrated_left_out,
    evaluate_left_out,
    leave_out,
    left_out_decisions,
)
from training.dataset import Dataset
from training.evaluation import Evaluation, evaluate
from training.hyperparameters import Hyperparameters
from training.pipeline import fit, logits
from training.reports.tables import figure_text
from training.scoring.compiled import sigmoid
from training.scoring.operating_points import above_threshold

SEED = 20260101

CHOSEN = Hyperparameters()
_PLAIN = replace(CHOSEN, forms=0.0, concepts=0.0, contrast=0.0, names=True)
# Pipelines that lead to that of the kind `words`, part by part, and whether they know the codebook's classes.
PARTS: tuple[tuple[str, Hyperparameters, bool], ...] = (
    ("plain words", _PLAIN, False),
    ("+ forms of a word share weights", replace(_PLAIN, forms=CHOSEN.forms), False),
    ("+ concepts of the codebook share weights", replace(CHOSEN, contrast=0.0, names=True), False),
    ("+ columns scaled by contrast", replace(CHOSEN, names=True), False),
    ("+ names left out", CHOSEN, False),
    ("+ names of states share a weight: **the kind `words`**", CHOSEN, True),
)
TRIED: tuple[tuple[str, Hyperparameters], ...] = (
    ("pairs of words too", replace(CHOSEN, ngrams=2)),
    ("runs of up to 5 characters too", replace(CHOSEN, characters=5)),
    ("words of at least 3 paragraphs", replace(CHOSEN, min_df=3)),
    ("regularisation 1", replace(CHOSEN, regularisation=1.0)),
    ("regularisation 20", replace(CHOSEN, regularisation=20.0)),
)
HEAD = ["Pipeline", "Macro F1", "F1 on the second round", "Average precision", "ECE"]

_WORD = re.compile(r"\w\w+")

Show = Callable[[str], None]


def rows(dataset: Dataset, shipped: LeftOut, show: Show) -> list[list[str]]:
    """Cells under `HEAD` for `PARTS`, then for what was tried; `shipped` has the results of `CHOSEN`."""
    table = []
    for name, hyperparameters, classes in (*PARTS, *((*tried, True) for tried in TRIED)):
        show(name)
        is_shipped = classes and hyperparameters is CHOSEN
        left_out = shipped if is_shipped else leave_out(_with_classes(dataset, classes=classes), hyperparameters, SEED)
        table.append(_row(name, dataset, left_out))
    show("several models")
    table.append(_row("the mean of five models, each of 70% of the sources", dataset, _bagged(dataset)))
    show("sentences")
    table.append(_row("sentences weighed with the paragraph, as learned", dataset, _with_sentences(dataset, shipped)))
    show("concepts that meet in a sentence")
    meeting = _stacked(dataset, shipped, [shipped.logits, _scored(_score_meetings, dataset, shipped.folds)])
    table.append(_row("concepts that meet in a sentence weighed with it, as learned", dataset, meeting))
    show("the article around")
    around = _stacked(dataset, shipped, [shipped.logits, _around(dataset, shipped)])
    table.append(_row("the article's other paragraphs weighed with it, as learned", dataset, around))
    show("prior shift")
    table.append(_shifted_row("scores moved to the source's own share (prior shift)", dataset, shipped))
    return table


def _with_classes(dataset: Dataset, *, classes: bool) -> Dataset:
    """The dataset for models that know the codebook's classes, or treat their words like other names."""
    if classes:
        return dataset
    lexicon = dataset.lexicon
    names = lexicon.names.union(*lexicon.classes.values())
    return replace(dataset, lexicon=replace(lexicon, classes={}, names=names))


def _row(name: str, dataset: Dataset, left_out: LeftOut) -> list[str]:
    scores = calibrated_left_out(dataset, left_out)
    return _cells(name, dataset, evaluate_left_out(dataset, left_out), left_out_decisions(dataset, left_out, scores))


def _cells(name: str, dataset: Dataset, evaluation: Evaluation, decisions: NDArray[np.bool_]) -> list[str]:
    second = np.isin(dataset.sources, LATER_ROUNDS[2])
    part = dataset.take(second)
    decided = decisions[second]
    on_second = evaluate("", part.frames, decided.astype(float), decided, part.targets, part.articles)
    precision = figure_text(evaluation.macro_average_precision)
    return [name, figure_text(evaluation.macro.f1), figure_text(on_second.macro.f1), precision, f"{evaluation.ece:.3f}"]


def _bagged(dataset: Dataset, models: int = 5, share: float = 0.7) -> LeftOut:
    """An ensemble of models trained on different sources; their log-odds are averaged."""
    how, folds = assign_folds(dataset)
    return LeftOut(how, _scored(_score_bagged, dataset, folds, models, share), folds, None)


def _score_bagged(dataset: Dataset, left_out: NDArray[np.bool_], models: int, share: float) -> NDArray[np.float64]:
    generator, training = np.random.default_rng(SEED), dataset.take(~left_out)
    sources = np.array(sorted(set(training.sources)), dtype=object)
    drawn = (generator.choice(sources, round(share * len(sources)), replace=False) for _ in range(models))
    pipelines = [fit(training.take(np.isin(training.sources, some)), CHOSEN, SEED, stances=False) for some in drawn]
    texts = dataset.take(left_out).normalised
    return np.asarray(np.mean([logits(pipeline, texts) for pipeline in pipelines], axis=0))


def _scored(
    score: Callable[..., NDArray[np.float64]], dataset: Dataset, folds: NDArray[np.int64], *rest: float
) -> NDArray[np.float64]:
    """Applies `score` to each fold, by models that never saw it; the result has the shape (..., n, k)."""
    numbers = np.unique(folds)
    parts = Parallel(n_jobs=-1)(delayed(score)(dataset, folds == number, *rest) for number in numbers)
    scores = np.zeros((*parts[0].shape[:-2], *dataset.targets.shape))
    for number, part in zip(numbers, parts, strict=True):
        scores[..., folds == number, :] = part
    return scores


def _with_sentences(dataset: Dataset, shipped: LeftOut) -> LeftOut:
    """Combines the log-odds of the paragraph, of its strongest sentence and the mean of its sentences."""
    strongest, mean = _scored(_score_sentences, dataset, shipped.folds)
    return _stacked(dataset, shipped, [shipped.logits, strongest, mean])


def _score_sentences(dataset: Dataset, left_out: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Log-odds of the strongest sentence and the mean of all sentences, shape (2, n, k)."""
    pipeline = fit(dataset.take(~left_out), CHOSEN, SEED, stances=False)
    sentences = [logits(pipeline, sentences_of(text)) for text in dataset.take(left_out).texts]
    return np.array([[each.max(axis=0) for each in sentences], [each.mean(axis=0) for each in sentences]])


def _score_meetings(dataset: Dataset, left_out: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Log-odds, shape (n, k), of a model whose features are pairs of concepts in the same sentence."""
    training, others = dataset.take(~left_out), dataset.take(left_out)
    of_word: dict[str, list[str]] = {}
    for concept, words in sorted(dataset.lexicon.concepts.items()):
        for word in words:
            of_word.setdefault(word, []).append(concept)

    def meetings(text: str) -> list[str]:
        sentences = ({c for word in _WORD.findall(s) for c in of_word.get(word, ())} for s in sentences_of(text))
        return [f"{first} & {second}" for concepts in sentences for first, second in combinations(sorted(concepts), 2)]

    features = TfidfVectorizer(analyzer=meetings, min_df=5, sublinear_tf=True)
    x_training, x_others = features.fit_transform(training.texts), features.transform(others.texts)
    model = LogisticRegression(C=CHOSEN.regularisation, solver="liblinear", random_state=SEED)
    columns = [model.fit(x_training, target).decision_function(x_others) for target in training.targets.T]
    return np.stack(columns, axis=1)


def _around(dataset: Dataset, shipped: LeftOut) -> NDArray[np.float64]:
    """Mean log-odds of the other paragraphs of the article; 0 if it has no others."""
    around = np.zeros(dataset.targets.shape)
    for article in set(dataset.articles):
        rows = np.flatnonzero(dataset.articles == article)
        of_article = shipped.logits[rows]
        around[rows] = (of_article.sum(axis=0) - of_article) / max(1, len(rows) - 1)
    return around


def _stacked(dataset: Dataset, shipped: LeftOut, parts: Sequence[NDArray[np.float64]]) -> LeftOut:
    """Combines several log-odds by a logistic regression fitted on the other folds (stacking, Wolpert 1992)."""
    combined = np.zeros(dataset.targets.shape)
    for number in np.unique(shipped.folds):
        inside = shipped.folds == number
        for k in range(len(dataset.frames)):
            design = np.stack([part[:, k] for part in parts], axis=1)
            weighing = LogisticRegression().fit(design[~inside], dataset.targets[~inside, k])
            combined[inside, k] = weighing.decision_function(design[inside])
    return LeftOut(shipped.how, combined, shipped.folds, None)


def sentences_of(text: str) -> list[str]:
    """The sentences of a paragraph, roughly, normalised as for the features."""
    return [normalise(piece) for piece in re.split(r"(?<=[.!?])[\"'”’]?\s+", text) if piece.strip()]


def _shifted_row(name: str, dataset: Dataset, left_out: LeftOut) -> list[str]:
    """Saerens, Latinne and Decaestecker 2002, "Adjusting the outputs of a classifier to new a priori probabilities"."""
    scores = calibrated_left_out(dataset, left_out)
    moved = scores.copy()
    for number in np.unique(left_out.folds):
        inside = left_out.folds == number
        prior = dataset.targets[~inside].mean(axis=0)
        moved[inside] = shifted(scores[inside], prior)
    decisions = left_out_decisions(dataset, left_out, moved)
    evaluation = evaluate(left_out.how, dataset.frames, moved, decisions, dataset.targets, dataset.articles)
    return _cells(name, dataset, evaluation, decisions)


def shifted(scores: NDArray[np.float64], prior: NDArray[np.float64], steps: int = 100) -> NDArray[np.float64]:
    """Adjusts scores (n, k), calibrated for the shares `prior` (k,), to the shares of their own batch."""
    share = scores.mean(axis=0)
    moved = scores
    for _ in range(steps):
        present, absent = scores * share / prior, (1 - scores) * (1 - share) / (1 - prior)
        moved = present / (present + absent)
        share = np.clip(moved.mean(axis=0), 1e-3, 1 - 1e-3)
    return moved


ROUNDS_HEAD = ["Trained on", "Evaluated on", "Macro F1", "Average precision"]


def narrow(dataset: Dataset, show: Show) -> list[list[str]]:
    """Figures on all other sources of models that know a single group, so that most words are new to them."""
    table = []
    _, folds = assign_folds(dataset)
    for name, hyperparameters, classes in PARTS:
        show(f"{name}, of a single group")
        part = _with_classes(dataset, classes=classes)
        means = [_from_group(part, folds == number, hyperparameters) for number in np.unique(folds)]
        table.append([name, f"{np.mean(means):.3f}", f"{min(means):.3f} to {max(means):.3f}"])
    return table


NARROW_HEAD = ["Pipeline", "Average precision, mean of ten", "Lowest and highest"]


def _from_group(dataset: Dataset, group: NDArray[np.bool_], hyperparameters: Hyperparameters) -> float:
    """Average precision, mean over frames, on the sources outside the group that the model was trained on."""
    others = dataset.take(~group)
    scores = logits(fit(dataset.take(group), hyperparameters, SEED, stances=False), others.normalised)
    return float(np.mean([average_precision_score(others.targets[:, k], scores[:, k]) for k in range(scores.shape[1])]))


def rounds(dataset: Dataset, shipped: LeftOut, show: Show) -> list[list[str]]:
    """What later rounds of the corpus contribute: to the scores of each other's sources and of the first round's."""
    number = np.ones(len(dataset), dtype=int)
    for later, sources in LATER_ROUNDS.items():
        number[np.isin(dataset.sources, sources)] = later
    show("rounds")
    scores = calibrated_left_out(dataset, shipped)
    decisions = left_out_decisions(dataset, shipped, scores)
    before = {
        later: fit_calibrated(dataset.take(number < later), CHOSEN, SEED, stances=False) for later in EVALUATED_ROUNDS
    }
    # The model of the whole first round has cross-validated log-odds of that round as well.
    first, left_out = dataset.take(number == 1), before[2].left_out
    first_scores = calibrated_left_out(first, left_out)
    first_decisions = left_out_decisions(first, left_out, first_scores)
    group = "but the group of the source"

    def of_all(name: str, round_: int) -> list[str]:
        part = number == round_
        return _round(f"all {group}", name, dataset.take(part), scores[part], decisions[part])

    def of_earlier(trained: str, name: str, round_: int) -> list[str]:
        part = dataset.take(number == round_)
        return _round(trained, name, part, *scores_and_decisions(before[round_], part))

    later_rounds = [
        row
        for round_, (trained, name) in EVALUATED_ROUNDS.items()
        for row in (of_earlier(trained, name, round_), of_all(name, round_))
    ]
    return [
        *later_rounds,
        _round(f"the first round {group}", "the first round", first, first_scores, first_decisions),
        of_all("the first round", 1),
    ]


def _round(
    trained: str, name: str, part: Dataset, scores: NDArray[np.float64], decisions: NDArray[np.bool_]
) -> list[str]:
    evaluation = evaluate("", part.frames, scores, decisions, part.targets, part.articles)
    return [trained, name, figure_text(evaluation.macro.f1), figure_text(evaluation.macro_average_precision)]


def scores_and_decisions(fitted: Fitted, part: Dataset) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Scores and decisions (n, k) of a fitted model on a dataset, at its balanced thresholds."""
    scores = sigmoid(logits(fitted.pipeline, part.normalised)[:, : len(part.frames)])
    return scores, above_threshold(scores, [fitted.cuts["balanced"][frame] for frame in part.frames])
