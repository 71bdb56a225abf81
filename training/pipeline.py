"""The scikit-learn pipeline: TF-IDF of plain words and one logistic regression a frame.

Chosen by leaving whole sources out: bigrams and character n-grams look better inside a corpus and transfer worse to
articles written elsewhere (`framing evaluate` prints the figures).
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits


@dataclass(frozen=True, slots=True)
class Hyperparameters:
    """What may be tuned.

    `regularisation` is scikit-learn's C (larger fits closer), `min_df` the fewest training paragraphs that a word must
    occur in, `ngrams` the longest run of words that counts as one term.
    """

    regularisation: float = 5.0
    min_df: int = 1
    ngrams: int = 1

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def make_pipeline(hyperparameters: Hyperparameters, seed: int) -> Pipeline:
    """The unfitted pipeline; it takes normalised texts and decides (n, k) frames."""
    return Pipeline(
        [
            (
                "features",
                TfidfVectorizer(
                    sublinear_tf=True, min_df=hyperparameters.min_df, ngram_range=(1, hyperparameters.ngrams)
                ),
            ),
            (
                "frames",
                OneVsRestClassifier(
                    LogisticRegression(
                        C=hyperparameters.regularisation, solver="liblinear", random_state=seed, max_iter=1000
                    )
                ),
            ),
        ]
    )


def fit(
    texts: NDArray[np.object_], targets: NDArray[np.bool_], hyperparameters: Hyperparameters, seed: int
) -> Pipeline:
    """Fits on normalised texts (n,) and targets (n, k), each frame with both kinds of paragraphs."""
    pipeline = make_pipeline(hyperparameters, seed)
    # One thread: sums in another order would differ in their last digits with the number of cores.
    with threadpool_limits(limits=1):
        pipeline.fit(texts, targets.astype(int))
    features = pipeline.named_steps["features"]
    # Plain integers load 2.5 times faster than the numpy scalars that the vectoriser leaves there.
    features.vocabulary_ = {term: int(place) for term, place in features.vocabulary_.items()}
    return pipeline


def logits(pipeline: Pipeline, texts: NDArray[np.object_] | Sequence[str]) -> NDArray[np.float64]:
    """Log-odds (n, k) of the frames for normalised texts."""
    # With two frames scikit-learn still answers two columns: the targets are a label matrix.
    return np.asarray(pipeline.decision_function(texts), dtype=np.float64)


def fold_in(pipeline: Pipeline, slopes: NDArray[np.float64], offsets: NDArray[np.float64]) -> None:
    """Makes the pipeline's own log-odds calibrated: slope · logit + offset, folded into its coefficients."""
    for estimator, slope, offset in zip(pipeline.named_steps["frames"].estimators_, slopes, offsets, strict=True):
        estimator.coef_ = estimator.coef_ * slope
        estimator.intercept_ = estimator.intercept_ * slope + offset
