"""The scikit-learn pipeline: TF-IDF of words and linear logistic regressions, of each frame and of its stances.

Words learn from each other: besides its own weight a word has those of its forms and of its concept, which all words
of the same stem and all that the codebook lists together share; the words of a class have the weight of the class and
none of their own. After the fit all are added up, so that what is stored is a plain model of words. Columns of weights
are scaled by how unevenly they occur with and without the frame (Wang and Manning 2012, "Baselines and bigrams", here
as a power of the log-ratio). What each of these does to sources left out is in docs/quality.md.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import LabelBinarizer
from threadpoolctl import threadpool_limits

from labels.annotations import SPECIFIED_STANCES
from training.dataset import Dataset
from training.lexicon import Lexicon

_CHARACTERS_FROM = 2
_LEAST_SCALE = 0.1
_MOST_STANCE_ROWS = 10_000
"""Paragraphs and frames that stances are learned from at most; more tell little more."""

Matrix: TypeAlias = sparse.csr_matrix


@dataclass(frozen=True, slots=True)
class Hyperparameters:
    """What may be tuned.

    `regularisation` is scikit-learn's C (larger fits closer), `min_df` the fewest training paragraphs that a word must
    occur in, `ngrams` the longest run of words that counts as one term, `characters` the longest run of characters
    (0 or 1: none; a model with such is not compiled and has no evidence). `forms` and `concepts` say how much words
    share with the forms of the same word and with their concept (0: nothing), `contrast` is the power of the log-ratio
    that scales columns (0: no scaling), `names` says whether proper names are learned too.
    """

    regularisation: float = 5.0
    min_df: int = 1
    ngrams: int = 1
    characters: int = 0
    forms: float = 0.7
    concepts: float = 0.4
    contrast: float = 0.2
    names: bool = False

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def fit(part: Dataset, hyperparameters: Hyperparameters, seed: int, *, stances: bool) -> Pipeline:
    """Fits on n paragraphs with k frames; takes normalised texts and gives k, or with `stances` k + 3k, log-odds.

    The first k columns are those of the frames. The others, three for each frame in turn, are those of its stances (in
    the order of `SPECIFIED_STANCES`) where it is present. A column that nothing was seen of says how rare it was.
    """
    texts = part.normalised
    # One thread: sums in another order would differ in their last digits with the number of cores.
    with threadpool_limits(limits=1):
        features, found = _fit_words(texts, part.lexicon, hyperparameters)
        vocabulary = features.vocabulary_
        if hyperparameters.characters >= _CHARACTERS_FROM:
            spans, more = _fit_characters(texts, hyperparameters)
            features = FeatureUnion([("words", features), ("characters", spans)])
            found = sparse.hstack([found, more])
        shared = _sharing(vocabulary, found.shape[1], part.lexicon, hyperparameters)
        mixed = sparse.csr_matrix(found @ shared)
        weights = [_fit_column(mixed, target, hyperparameters, seed) for target in part.targets.T]
        if stances:
            weights += _fit_stances(mixed, part, hyperparameters, seed)
    columns = [_estimator(shared @ weight, offset, hyperparameters, seed) for weight, offset in weights]
    return Pipeline([("features", features), ("frames", _one_vs_rest(columns))])


def logits(pipeline: Pipeline, texts: NDArray[np.object_] | Sequence[str]) -> NDArray[np.float64]:
    """Log-odds (n, columns) for normalised texts."""
    return np.asarray(pipeline.decision_function(texts), dtype=np.float64)


def fold_in(pipeline: Pipeline, slopes: NDArray[np.float64], offsets: NDArray[np.float64]) -> None:
    """Makes the pipeline's own log-odds calibrated: slope · logit + offset, folded into its coefficients."""
    for estimator, slope, offset in zip(pipeline.named_steps["frames"].estimators_, slopes, offsets, strict=True):
        estimator.coef_ = estimator.coef_ * slope
        estimator.intercept_ = estimator.intercept_ * slope + offset


def _fit_words(
    texts: NDArray[np.object_], lexicon: Lexicon, hyperparameters: Hyperparameters
) -> tuple[TfidfVectorizer, Matrix]:
    """The vectoriser of words, without names and with the words of concepts that no text has; the texts' matrix."""
    counter = CountVectorizer(ngram_range=(1, hyperparameters.ngrams), min_df=hyperparameters.min_df)
    counts, terms = counter.fit_transform(texts), counter.get_feature_names_out()
    if not hyperparameters.names:
        kept = [place for place, term in enumerate(terms) if lexicon.names.isdisjoint(term.split())]
        if kept:
            counts, terms = counts[:, kept], terms[kept]
    weighing = TfidfTransformer(sublinear_tf=True).fit(counts)
    for members in _places(lexicon.classes, {term: place for place, term in enumerate(terms)}):
        weighing.idf_[members] = _rarity(counts[:, members])
    idf = dict(zip(terms, weighing.idf_, strict=True))
    _add_spellings(idf, lexicon)
    if hyperparameters.concepts:
        _add_unseen(idf, lexicon.concepts.values(), counter)
        _add_spellings(idf, lexicon)
    _add_unseen(idf, [words for words in lexicon.classes.values() if not words.isdisjoint(idf)], counter)
    words = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, hyperparameters.ngrams), min_df=hyperparameters.min_df)
    # Plain integers load 2.5 times faster than the numpy scalars that the vectoriser leaves there.
    words.vocabulary_ = {term: place for place, term in enumerate(idf)}
    words.idf_ = np.array(list(idf.values()))
    found = weighing.transform(counts)
    found.resize(len(texts), len(idf))
    return words, found


def _add_spellings(idf: dict[str, float], lexicon: Lexicon) -> None:
    for term, value in list(idf.items()):
        idf.setdefault(lexicon.respell(term), value)


def _places(lists: Mapping[str, frozenset[str]], vocabulary: Mapping[str, int]) -> list[list[int]]:
    """Where the known words of each list stand, of the lists that have some."""
    found = ([vocabulary[word] for word in sorted(words) if word in vocabulary] for words in lists.values())
    return [places for places in found if places]


def _rarity(counts: Matrix) -> float:
    """The inverse document frequency of some columns as if they were one."""
    texts = counts.shape[0]
    return float(np.log((1 + texts) / (1 + np.count_nonzero(counts.sum(axis=1)))) + 1)


def _add_unseen(idf: dict[str, float], lists: Iterable[frozenset[str]], counter: CountVectorizer) -> None:
    """Adds the words of lists that training never met, as rare as the words of their list that it met."""
    rarest, cut = max(idf.values()), counter.build_tokenizer()
    for listed in lists:
        met = [idf[word] for word in sorted(listed) if word in idf]
        usual = float(np.mean(met)) if met else rarest
        for word in sorted(listed):
            if cut(word) == [word]:
                idf.setdefault(word, usual)


def _fit_characters(texts: NDArray[np.object_], hyperparameters: Hyperparameters) -> tuple[TfidfVectorizer, Matrix]:
    spans = TfidfVectorizer(
        sublinear_tf=True,
        min_df=hyperparameters.min_df,
        analyzer="char_wb",
        ngram_range=(_CHARACTERS_FROM, hyperparameters.characters),
    )
    return spans, spans.fit_transform(texts)


def _sharing(vocabulary: dict[str, int], columns: int, lexicon: Lexicon, hyperparameters: Hyperparameters) -> Matrix:
    """(columns, columns + groups): each term's own weight, and those that it shares with others."""
    groups = [(1.0, places) for places in _places(lexicon.classes, vocabulary)]
    alone = np.ones(columns)
    alone[[place for _, places in groups for place in places]] = 0
    if hyperparameters.forms:
        forms: dict[str, list[int]] = {}
        for term, place in vocabulary.items():
            if alone[place]:
                forms.setdefault(lexicon.stem(term), []).append(place)
        groups += [(hyperparameters.forms, places) for places in forms.values() if len(places) > 1]
    if hyperparameters.concepts:
        groups += [(hyperparameters.concepts, places) for places in _places(lexicon.concepts, vocabulary)]
    own = sparse.diags(alone)
    rows = [place for _, places in groups for place in places]
    numbers = [number for number, (_, places) in enumerate(groups) for _ in places]
    shares = [share for share, places in groups for _ in places]
    together = sparse.csr_matrix((shares, (rows, numbers)), shape=(columns, len(groups)))
    weights = sparse.csr_matrix(sparse.hstack([own, together]))
    # Training texts have one spelling; what the other one has learned is what this one has.
    same = np.arange(columns)
    for term, place in vocabulary.items():
        other = lexicon.respell(term)
        if other != term:
            same[vocabulary[other]] = place
    return weights[same]


def _fit_column(
    mixed: Matrix, target: NDArray[np.bool_], hyperparameters: Hyperparameters, seed: int
) -> tuple[NDArray[np.float64], float]:
    """Weights (columns of `mixed`,) and intercept of one frame."""
    scale = _contrast(mixed, target, hyperparameters.contrast)
    weights, intercept = _regression(mixed @ sparse.diags(scale), target, _unfitted(hyperparameters, seed))
    return scale * weights, intercept


def _regression(
    design: Matrix, target: NDArray[np.bool_], estimator: LogisticRegression
) -> tuple[NDArray[np.float64], float]:
    """Weights (columns of `design`,) and intercept; of a target of which one kind was seen, how rare it was."""
    if target.all() or not target.any():
        share = (target.sum() + 1) / (len(target) + 2)
        return np.zeros(design.shape[1]), float(np.log(share / (1 - share)))
    estimator.fit(design, target)
    return estimator.coef_[0], float(estimator.intercept_[0])


def _contrast(mixed: Matrix, target: NDArray[np.bool_], power: float) -> NDArray[np.float64]:
    """How much each column counts, 1 on average: the log-ratio of its share with and without the target, to a power."""
    if not power:
        return np.ones(mixed.shape[1])
    inside, outside = (np.asarray(mixed[rows].sum(axis=0)).ravel() + 0.5 for rows in (target, ~target))
    ratio = np.abs(np.log((inside / inside.sum()) / (outside / outside.sum())))
    scale = ratio**power + _LEAST_SCALE
    return np.asarray(scale / scale.mean(), dtype=np.float64)


def _fit_stances(
    mixed: Matrix, part: Dataset, hyperparameters: Hyperparameters, seed: int
) -> list[tuple[NDArray[np.float64], float]]:
    """Weights and intercepts of all stances of all frames, frame by frame.

    A stance has weights that all frames share and, beside them, each frame's own (Daume 2007, "Frustratingly easy
    domain adaptation"): what is rare with one frame is learned from the others.
    """
    rows, frames, said = part.said
    if len(rows) > _MOST_STANCE_ROWS:
        chosen = np.sort(np.random.default_rng(seed).choice(len(rows), _MOST_STANCE_ROWS, replace=False))
        rows, frames, said = rows[chosen], frames[chosen], said[chosen]
    carrying = mixed[rows]
    count, width = len(part.frames), mixed.shape[1]
    own = [sparse.diags((frames == frame).astype(float)) @ carrying for frame in range(count)]
    which = sparse.csr_matrix(np.eye(count)[frames])
    design = sparse.csr_matrix(sparse.hstack([carrying, *own, which]))
    fitted = [
        _regression(design, said == stance, _unfitted(hyperparameters, seed, class_weight="balanced"))
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
    """A regression with known weights of the plain terms."""
    estimator = _unfitted(hyperparameters, seed)
    estimator.classes_ = np.array([0, 1])
    estimator.coef_ = np.asarray(coefficients, dtype=np.float64).reshape(1, -1)
    estimator.intercept_ = np.array([intercept])
    estimator.n_features_in_ = estimator.coef_.shape[1]
    return estimator


def _one_vs_rest(estimators: list[LogisticRegression]) -> OneVsRestClassifier:
    """The classifier of columns that were fitted one by one."""
    classifier = OneVsRestClassifier(LogisticRegression(solver="liblinear"))
    classifier.estimators_ = estimators
    # A label matrix of both values tells the classifier that its columns are independent of each other.
    classifier.label_binarizer_ = LabelBinarizer(sparse_output=True).fit(np.eye(2, len(estimators), dtype=int))
    return classifier
