"""What each part of the pipeline does to sources that it never saw, and what was tried and left out.

Every row leaves sources out, a group at a time; calibration and thresholds of a group come from the others.
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

from benchmarks.corpus_rounds import JUDGED_ROUNDS, LATER_ROUNDS
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
from training.pipeline import Hyperparameters, fit, logits
from training.reports.card import figure_text
from training.scoring.compiled import sigmoid
from training.scoring.operating_points import above_threshold

SEED = 20260101

CHOSEN = Hyperparameters()
_PLAIN = replace(CHOSEN, forms=0.0, concepts=0.0, contrast=0.0, names=True)
PARTS: tuple[tuple[str, Hyperparameters, bool], ...] = (
    ("plain words", _PLAIN, False),
    ("+ forms of a word share weights", replace(_PLAIN, forms=CHOSEN.forms), False),
    ("+ concepts of the codebook share weights", replace(CHOSEN, contrast=0.0, names=True), False),
    ("+ columns scaled by contrast", replace(CHOSEN, names=True), False),
    ("+ names left out", CHOSEN, False),
    ("+ names of states count as one another: **what is shipped**", CHOSEN, True),
)
"""What the shipped pipeline is made of; whether the classes of the codebook are among it stands last."""
TRIED: tuple[tuple[str, Hyperparameters], ...] = (
    ("pairs of words too", replace(CHOSEN, ngrams=2)),
    ("runs of up to 5 characters too", replace(CHOSEN, characters=5)),
    ("words of at least 3 paragraphs", replace(CHOSEN, min_df=3)),
    ("regularisation 1", replace(CHOSEN, regularisation=1.0)),
    ("regularisation 20", replace(CHOSEN, regularisation=20.0)),
)
HEAD = ["Pipeline", "Macro F1", "F1 on the second round", "Average precision", "ECE"]

_WORD = re.compile(r"\w\w+")

Say = Callable[[str], None]


def rows(dataset: Dataset, shipped: LeftOut, say: Say) -> list[list[str]]:
    """A row a pipeline: those of which the shipped one is made, then what was tried; `shipped` is that of `CHOSEN`."""
    found = []
    for name, hyperparameters, classes in (*PARTS, *((*tried, True) for tried in TRIED)):
        say(name)
        is_shipped = classes and hyperparameters is CHOSEN
        left_out = shipped if is_shipped else leave_out(_known(dataset, classes=classes), hyperparameters, SEED)
        found.append(_row(name, dataset, left_out))
    say("several models")
    found.append(_row("the mean of five models, each of 70% of the sources", dataset, _bagged(dataset)))
    say("sentences")
    found.append(_row("sentences weighed with the paragraph, as learned", dataset, _with_sentences(dataset, shipped)))
    say("concepts that meet in a sentence")
    meeting = _stacked(dataset, shipped, [shipped.logits, _scored(_score_meetings, dataset, shipped.folds)])
    found.append(_row("concepts that meet in a sentence weighed with it, as learned", dataset, meeting))
    say("the article around")
    around = _stacked(dataset, shipped, [shipped.logits, _around(dataset, shipped)])
    found.append(_row("the article's other paragraphs weighed with it, as learned", dataset, around))
    say("prior shift")
    found.append(_shifted_row("scores moved to the source's own share (prior shift)", dataset, shipped))
    return found


def _known(dataset: Dataset, *, classes: bool) -> Dataset:
    """The dataset for models that know the classes of the codebook, or take their words for names like others."""
    if classes:
        return dataset
    lexicon = dataset.lexicon
    names = lexicon.names.union(*lexicon.classes.values())
    return replace(dataset, lexicon=replace(lexicon, classes={}, names=names))


def _row(name: str, dataset: Dataset, left_out: LeftOut) -> list[str]:
    scores = calibrated_left_out(dataset, left_out)
    return _cells(name, dataset, evaluate_left_out(dataset, left_out), left_out_decisions(dataset, left_out, scores))


def _cells(name: str, dataset: Dataset, whole: Evaluation, decisions: NDArray[np.bool_]) -> list[str]:
    second = np.isin(dataset.sources, LATER_ROUNDS[2])
    part = dataset.take(second)
    decided = decisions[second]
    on_second = evaluate("", part.frames, decided.astype(float), decided, part.targets, part.articles)
    precision = figure_text(whole.macro_average_precision)
    return [name, figure_text(whole.macro.f1), figure_text(on_second.macro.f1), precision, f"{whole.ece:.3f}"]


def _bagged(dataset: Dataset, models: int = 5, share: float = 0.7) -> LeftOut:
    """An ensemble: models of different sources, their log-odds averaged."""
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
    """(..., n, k): what `score` says of the paragraphs of each fold, by models that never saw it."""
    numbers = np.unique(folds)
    parts = Parallel(n_jobs=-1)(delayed(score)(dataset, folds == number, *rest) for number in numbers)
    found = np.zeros((*parts[0].shape[:-2], *dataset.targets.shape))
    for number, part in zip(numbers, parts, strict=True):
        found[..., folds == number, :] = part
    return found


def _with_sentences(dataset: Dataset, shipped: LeftOut) -> LeftOut:
    """The paragraph, its strongest sentence and the mean of its sentences, weighed as other sources taught."""
    strongest, mean = _scored(_score_sentences, dataset, shipped.folds)
    return _stacked(dataset, shipped, [shipped.logits, strongest, mean])


def _score_sentences(dataset: Dataset, left_out: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(2, n, k): the log-odds of the strongest sentence and the mean of all."""
    pipeline = fit(dataset.take(~left_out), CHOSEN, SEED, stances=False)
    said = [logits(pipeline, sentences_of(text)) for text in dataset.take(left_out).texts]
    return np.array([[of_one.max(axis=0) for of_one in said], [of_one.mean(axis=0) for of_one in said]])


def _score_meetings(dataset: Dataset, left_out: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(n, k): log-odds by which two concepts occur in one sentence, whatever the words."""
    training, judged = dataset.take(~left_out), dataset.take(left_out)
    of_word: dict[str, list[str]] = {}
    for concept, words in sorted(dataset.lexicon.concepts.items()):
        for word in words:
            of_word.setdefault(word, []).append(concept)

    def meetings(text: str) -> list[str]:
        said = [{c for word in _WORD.findall(one) for c in of_word.get(word, ())} for one in sentences_of(text)]
        return [f"{one} & {other}" for concepts in said for one, other in combinations(sorted(concepts), 2)]

    features = TfidfVectorizer(analyzer=meetings, min_df=5, sublinear_tf=True)
    known, unknown = features.fit_transform(training.texts), features.transform(judged.texts)
    model = LogisticRegression(C=CHOSEN.regularisation, solver="liblinear", random_state=SEED)
    columns = [model.fit(known, target).decision_function(unknown) for target in training.targets.T]
    return np.stack(columns, axis=1)


def _around(dataset: Dataset, shipped: LeftOut) -> NDArray[np.float64]:
    """The mean log-odds of the other paragraphs of the article; 0 where there is none."""
    found = np.zeros(dataset.targets.shape)
    for article in set(dataset.articles):
        rows = np.flatnonzero(dataset.articles == article)
        of_article = shipped.logits[rows]
        found[rows] = (of_article.sum(axis=0) - of_article) / max(1, len(rows) - 1)
    return found


def _stacked(dataset: Dataset, shipped: LeftOut, parts: Sequence[NDArray[np.float64]]) -> LeftOut:
    """Log-odds of several kinds weighed by a logistic regression of the other folds (Wolpert 1992)."""
    found = np.zeros(dataset.targets.shape)
    for number in np.unique(shipped.folds):
        inside = shipped.folds == number
        for k in range(len(dataset.frames)):
            design = np.stack([part[:, k] for part in parts], axis=1)
            weighing = LogisticRegression().fit(design[~inside], dataset.targets[~inside, k])
            found[inside, k] = weighing.decision_function(design[inside])
    return LeftOut(shipped.how, found, shipped.folds, None)


def sentences_of(text: str) -> list[str]:
    """The sentences of a paragraph, roughly, in the spelling that the features see."""
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
    whole = evaluate(left_out.how, dataset.frames, moved, decisions, dataset.targets, dataset.articles)
    return _cells(name, dataset, whole, decisions)


def shifted(scores: NDArray[np.float64], prior: NDArray[np.float64], steps: int = 100) -> NDArray[np.float64]:
    """Scores (n, k) of a batch, given the shares (k,) for which they are calibrated, for the shares of the batch."""
    share = scores.mean(axis=0)
    moved = scores
    for _ in range(steps):
        there, away = scores * share / prior, (1 - scores) * (1 - share) / (1 - prior)
        moved = there / (there + away)
        share = np.clip(moved.mean(axis=0), 1e-3, 1 - 1e-3)
    return moved


ROUNDS_HEAD = ["Trained on", "Judged on", "Macro F1", "Average precision"]


def narrow(dataset: Dataset, say: Say) -> list[list[str]]:
    """What models say of all other sources that know one group of them: mostly words that they never saw."""
    found = []
    _, folds = assign_folds(dataset)
    for name, hyperparameters, classes in PARTS:
        say(f"{name}, of one group")
        part = _known(dataset, classes=classes)
        means = [_from_group(part, folds == number, hyperparameters) for number in np.unique(folds)]
        found.append([name, f"{np.mean(means):.3f}", f"{min(means):.3f} to {max(means):.3f}"])
    return found


NARROW_HEAD = ["Pipeline", "Average precision, mean of ten", "Lowest and highest"]


def _from_group(dataset: Dataset, group: NDArray[np.bool_], hyperparameters: Hyperparameters) -> float:
    """Average precision, mean over frames, outside the group that a model knows."""
    others = dataset.take(~group)
    found = logits(fit(dataset.take(group), hyperparameters, SEED, stances=False), others.normalised)
    return float(np.mean([average_precision_score(others.targets[:, k], found[:, k]) for k in range(found.shape[1])]))


def rounds(dataset: Dataset, shipped: LeftOut, say: Say) -> list[list[str]]:
    """What the later rounds of writing are worth: to each other's sources and to those of the first."""
    number = np.ones(len(dataset), dtype=int)
    for later, sources in LATER_ROUNDS.items():
        number[np.isin(dataset.sources, sources)] = later
    say("rounds")
    scores = calibrated_left_out(dataset, shipped)
    decisions = left_out_decisions(dataset, shipped, scores)
    before = {
        later: fit_calibrated(dataset.take(number < later), CHOSEN, SEED, stances=False) for later in JUDGED_ROUNDS
    }
    # Fitted on all of the first round, it has what folds of it say as well.
    one, left_out = dataset.take(number == 1), before[2].left_out
    of_first = calibrated_left_out(one, left_out)
    in_first = left_out_decisions(one, left_out, of_first)
    group = "but the group of the source"

    def of_all(judged: str, round_: int) -> list[str]:
        part = number == round_
        return _round(f"all {group}", judged, dataset.take(part), scores[part], decisions[part])

    def of_earlier(trained: str, judged: str, round_: int) -> list[str]:
        part = dataset.take(number == round_)
        return _round(trained, judged, part, *scores_and_decisions(before[round_], part))

    later_rounds = [
        row
        for round_, (trained, judged) in JUDGED_ROUNDS.items()
        for row in (of_earlier(trained, judged, round_), of_all(judged, round_))
    ]
    return [
        *later_rounds,
        _round(f"the first round {group}", "the first round", one, of_first, in_first),
        of_all("the first round", 1),
    ]


def _round(
    trained: str, judged: str, part: Dataset, scores: NDArray[np.float64], decisions: NDArray[np.bool_]
) -> list[str]:
    found = evaluate("", part.frames, scores, decisions, part.targets, part.articles)
    return [trained, judged, figure_text(found.macro.f1), figure_text(found.macro_average_precision)]


def scores_and_decisions(fitted: Fitted, part: Dataset) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Scores and decisions (n, k) of the frames of a part, by a model fitted elsewhere, at its balanced thresholds."""
    scores = sigmoid(logits(fitted.pipeline, part.normalised)[:, : len(part.frames)])
    return scores, above_threshold(scores, [fitted.cuts["balanced"][frame] for frame in part.frames])
