"""The scikit-learn pipeline: TF-IDF of words and a linear logistic regression per frame and per stance of a frame.

The regressions are fitted on features that let words learn from each other (see `training.features`). Their weights are
then folded into weights of words, so that the stored pipeline is a plain linear model of words. Before the fit each
column is scaled by how unevenly it occurs with and without the frame (Wang and Manning 2012, "Baselines and bigrams";
here a power of the log-ratio).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import LabelBinarizer
from threadpoolctl import threadpool_limits

from labels.annotations import SPECIFIED_STANCES
from training.dataset import Dataset
from training.features import SHORTEST_SPAN, Matrix, fit_characters, fit_words, sharing
from training.fold_models import fit_folds
from training.hyperparameters import Hyperparameters

_LEAST_SCALE = 0.1
# Stances are learned from at most this many pairs of paragraph and frame; more add little.
_MOST_STANCE_ROWS = 10_000


def fit(
    part: Dataset, hyperparameters: Hyperparameters, seed: int, *, stances: bool, fold_models: bool = False
) -> Pipeline:
    """Fits a pipeline on n paragraphs with k frames. It maps normalised texts to k log-odds, with `stances` to k + 3k.

    With `fold_models` further k columns follow for each fold of the articles, fitted without it to the same words.

    The first k columns are those of the frames. The others, three for each frame in turn, are those of its stances (in
    the order of `SPECIFIED_STANCES`), given that it is present. A column without examples gets the log-odds
    of its (smoothed) share.
    """
    texts = part.normalised
    # A single thread: with more, the order of sums, and so their last digits, would depend on the number of cores.
    with threadpool_limits(limits=1):
        features, matrix = fit_words(texts, part.lexicon, hyperparameters)
        vocabulary = features.vocabulary_
        if hyperparameters.characters >= SHORTEST_SPAN:
            spans, of_spans = fit_characters(texts, hyperparameters)
            features = FeatureUnion([("words", features), ("characters", spans)])
            matrix = sparse.hstack([matrix, of_spans])
        shared = sharing(vocabulary, matrix.shape[1], part.lexicon, hyperparameters)
        mixed = sparse.csr_matrix(matrix @ shared)

        def fit_frames(rows: NDArray[np.bool_]) -> list[tuple[NDArray[np.float64], float]]:
            return [
                _fit_column(mixed if chosen.all() else mixed[chosen], target[chosen], hyperparameters, seed)
                for target, coded in zip(part.targets.T, part.coded.T, strict=True)
                for chosen in [rows & coded]
            ]

        of_frames = weights = fit_frames(np.ones(len(part), dtype=bool))
        if stances:
            weights = weights + _fit_stances(mixed, part, hyperparameters, seed)
        if fold_models:
            weights = weights + [column for fold in fit_folds(part.folds, of_frames, fit_frames) for column in fold]
    columns = [_estimator(shared @ weight, offset, hyperparameters, seed) for weight, offset in weights]
    return Pipeline([("features", features), ("frames", _classifier_of(columns))])


def logits(pipeline: Pipeline, texts: NDArray[np.object_] | Sequence[str]) -> NDArray[np.float64]:
    """Returns log-odds (n, columns) for n normalised texts."""
    return np.asarray(pipeline.decision_function(texts), dtype=np.float64)


def fold_in(pipeline: Pipeline, slopes: NDArray[np.float64], offsets: NDArray[np.float64]) -> None:
    """Folds a calibration, slope · logit + offset, (columns,) each, into the coefficients of the pipeline."""
    for estimator, slope, offset in zip(pipeline.named_steps["frames"].estimators_, slopes, offsets, strict=True):
        estimator.coef_ = estimator.coef_ * slope
        estimator.intercept_ = estimator.intercept_ * slope + offset


def linear_pipeline(coefficients: NDArray[np.float64], intercepts: NDArray[np.float64], seed: int) -> Pipeline:
    """Returns a pipeline from vectors (n, d) to scores of c columns with known coefficients (d, c), intercepts (c,)."""
    # Nothing is fitted, but scikit-learn wants a number.
    hyperparameters = Hyperparameters(regularisation=1.0)
    columns = [
        _estimator(weights, float(intercept), hyperparameters, seed)
        for weights, intercept in zip(coefficients.T, intercepts, strict=True)
    ]
    return Pipeline([("frames", _classifier_of(columns))])


def words_vectoriser(words: Sequence[str], idf: NDArray[np.float64]) -> TfidfVectorizer:
    """Returns a vectoriser of d known words with known inverse document frequencies, (d,)."""
    vectoriser = TfidfVectorizer(sublinear_tf=True)
    vectoriser.vocabulary_ = {word: place for place, word in enumerate(words)}
    vectoriser.idf_ = np.asarray(idf, np.float64)
    return vectoriser


def _fit_column(
    mixed: Matrix, target: NDArray[np.bool_], hyperparameters: Hyperparameters, seed: int
) -> tuple[NDArray[np.float64], float]:
    """Returns weights (columns of `mixed`,) and intercept of a frame."""
    scale = _contrast(mixed, target, hyperparameters.contrast)
    weights, intercept = _regression(mixed @ sparse.diags(scale), target, _unfitted(hyperparameters, seed))
    return scale * weights, intercept


def _regression(
    design: Matrix, target: NDArray[np.bool_], estimator: LogisticRegression
) -> tuple[NDArray[np.float64], float]:
    """Returns weights (columns of `design`,) and intercept; for a constant target, no weights and its rarity."""
    if target.all() or not target.any():
        share = (target.sum() + 1) / (len(target) + 2)
        return np.zeros(design.shape[1]), float(np.log(share / (1 - share)))
    estimator.fit(design, target)
    return estimator.coef_[0], float(estimator.intercept_[0])


def _contrast(mixed: Matrix, target: NDArray[np.bool_], power: float) -> NDArray[np.float64]:
    """Returns the scale of each column, 1 on average: the log-ratio of its share with and without the target."""
    if not power:
        return np.ones(mixed.shape[1])
    inside, outside = (np.asarray(mixed[rows].sum(axis=0)).ravel() + 0.5 for rows in (target, ~target))
    ratio = np.abs(np.log((inside / inside.sum()) / (outside / outside.sum())))
    scale = ratio**power + _LEAST_SCALE
    return np.asarray(scale / scale.mean(), dtype=np.float64)


def _fit_stances(
    mixed: Matrix, part: Dataset, hyperparameters: Hyperparameters, seed: int
) -> list[tuple[NDArray[np.float64], float]]:
    """Returns weights and intercepts of all stances of all frames, frame by frame.

    A stance has weights that all frames share and, in addition, weights for each frame (Daume 2007, "Frustratingly easy
    domain adaptation"): a stance that is rare with a frame is learned from the other frames.
    """
    rows, frames, stances = part.coded_stances
    if len(rows) > _MOST_STANCE_ROWS:
        chosen = np.sort(np.random.default_rng(seed).choice(len(rows), _MOST_STANCE_ROWS, replace=False))
        rows, frames, stances = rows[chosen], frames[chosen], stances[chosen]
    carrying = mixed[rows]
    count, width = len(part.frames), mixed.shape[1]
    by_frame = [sparse.diags((frames == frame).astype(float)) @ carrying for frame in range(count)]
    indicators = sparse.csr_matrix(np.eye(count)[frames])
    design = sparse.csr_matrix(sparse.hstack([carrying, *by_frame, indicators]))
    fitted = [
        _regression(design, stances == stance, _unfitted(hyperparameters, seed, class_weight="balanced"))
        for stance in range(len(SPECIFIED_STANCES))
    ]
    return [
        (
            weight[:width] + weight[(1 + frame) * width : (2 + frame) * width],
            offset + float(weight[(1 + count) * width + frame]),
        )
        for frame in range(count)
        for weight, offset in fitted
    ]


def _unfitted(hyperparameters: Hyperparameters, seed: int, **settings: Any) -> LogisticRegression:
    return LogisticRegression(
        C=hyperparameters.regularisation, solver="liblinear", random_state=seed, max_iter=1000, **settings
    )


def _estimator(
    coefficients: NDArray[np.float64], intercept: float, hyperparameters: Hyperparameters, seed: int
) -> LogisticRegression:
    """Returns a regression with known weights of plain terms."""
    estimator = _unfitted(hyperparameters, seed)
    estimator.classes_ = np.array([0, 1])
    estimator.coef_ = np.asarray(coefficients, dtype=np.float64).reshape(1, -1)
    estimator.intercept_ = np.array([intercept])
    estimator.n_features_in_ = estimator.coef_.shape[1]
    return estimator


def _classifier_of(estimators: list[LogisticRegression]) -> OneVsRestClassifier:
    """Returns a classifier of columns that are fitted already."""
    classifier = OneVsRestClassifier(LogisticRegression(solver="liblinear"))
    classifier.estimators_ = estimators
    # Fitting the binarizer on a matrix with both values makes the classifier treat its columns as independent labels.
    classifier.label_binarizer_ = LabelBinarizer(sparse_output=True).fit(np.eye(2, len(estimators), dtype=int))
    return classifier
