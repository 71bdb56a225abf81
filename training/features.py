"""The features of the pipeline: TF-IDF of words, and the weights that words share with each other.

Besides its own weight a word has the weight of its forms (all words of its stem) and of its concept (all words that the
codebook lists together). The words of a class have the weight of the class and no own weight. `sharing` expresses this
as a matrix: a regression on the mixed features learns all these weights at once, and multiplying its weights by the
matrix turns them into plain weights of words. The effect of each on sources left out is in docs/quality.md.
"""

from collections.abc import Iterable, Mapping
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer, TfidfVectorizer

from training.hyperparameters import Hyperparameters
from training.lexicon import Lexicon

SHORTEST_SPAN = 2

Matrix: TypeAlias = sparse.csr_matrix


def fit_words(
    texts: NDArray[np.object_], lexicon: Lexicon, hyperparameters: Hyperparameters
) -> tuple[TfidfVectorizer, Matrix]:
    """Fits the vectoriser of words on n texts and returns it with their matrix (n, terms).

    Its vocabulary leaves out proper names and adds words of concepts and classes that occur in no text.
    """
    counter = CountVectorizer(ngram_range=(1, hyperparameters.ngrams), min_df=hyperparameters.min_df)
    counts, terms = counter.fit_transform(texts), counter.get_feature_names_out()
    if not hyperparameters.names:
        nameless = [place for place, term in enumerate(terms) if lexicon.names.isdisjoint(term.split())]
        if nameless:
            counts, terms = counts[:, nameless], terms[nameless]
    weighting = TfidfTransformer(sublinear_tf=True).fit(counts)
    for members in _places(lexicon.classes, {term: place for place, term in enumerate(terms)}):
        weighting.idf_[members] = _joint_idf(counts[:, members])
    idf = dict(zip(terms, weighting.idf_, strict=True))
    _add_spellings(idf, lexicon)
    if hyperparameters.concepts:
        _add_unseen(idf, lexicon.concepts.values(), counter)
        _add_spellings(idf, lexicon)
    _add_unseen(idf, [words for words in lexicon.classes.values() if not words.isdisjoint(idf)], counter)
    vectoriser = TfidfVectorizer(
        sublinear_tf=True, ngram_range=(1, hyperparameters.ngrams), min_df=hyperparameters.min_df
    )
    # Plain integers load 2.5 times faster than the numpy scalars that the vectoriser would store.
    vectoriser.vocabulary_ = {term: place for place, term in enumerate(idf)}
    vectoriser.idf_ = np.array(list(idf.values()))
    matrix = weighting.transform(counts)
    matrix.resize(len(texts), len(idf))
    return vectoriser, matrix


def fit_characters(texts: NDArray[np.object_], hyperparameters: Hyperparameters) -> tuple[TfidfVectorizer, Matrix]:
    """Fits a vectoriser of runs of characters on n texts and returns it with their matrix (n, runs)."""
    vectoriser = TfidfVectorizer(
        sublinear_tf=True,
        min_df=hyperparameters.min_df,
        analyzer="char_wb",
        ngram_range=(SHORTEST_SPAN, hyperparameters.characters),
    )
    return vectoriser, vectoriser.fit_transform(texts)


def sharing(vocabulary: dict[str, int], columns: int, lexicon: Lexicon, hyperparameters: Hyperparameters) -> Matrix:
    """Returns the matrix (columns, columns + groups) of each term's own weight and its shares in group weights."""
    groups = [(1.0, places) for places in _places(lexicon.classes, vocabulary)]
    own = np.ones(columns)
    own[[place for _, places in groups for place in places]] = 0
    if hyperparameters.forms:
        forms: dict[str, list[int]] = {}
        for term, place in vocabulary.items():
            if own[place]:
                forms.setdefault(lexicon.stem(term), []).append(place)
        groups += [(hyperparameters.forms, places) for places in forms.values() if len(places) > 1]
    if hyperparameters.concepts:
        groups += [(hyperparameters.concepts, places) for places in _places(lexicon.concepts, vocabulary)]
    rows = [place for _, places in groups for place in places]
    numbers = [number for number, (_, places) in enumerate(groups) for _ in places]
    shares = [share for share, places in groups for _ in places]
    together = sparse.csr_matrix((shares, (rows, numbers)), shape=(columns, len(groups)))
    weights = sparse.csr_matrix(sparse.hstack([sparse.diags(own), together]))
    # Training texts have a single spelling of each word; the other spelling gets the same weights.
    same = np.arange(columns)
    for term, place in vocabulary.items():
        other = lexicon.respell(term)
        if other != term:
            same[vocabulary[other]] = place
    return weights[same]


def _places(lists: Mapping[str, frozenset[str]], vocabulary: Mapping[str, int]) -> list[list[int]]:
    """Returns the places of the known words of each list, without lists of which no word is known."""
    known = ([vocabulary[word] for word in sorted(words) if word in vocabulary] for words in lists.values())
    return [places for places in known if places]


def _joint_idf(counts: Matrix) -> float:
    """Returns the inverse document frequency of some columns, treated as a single term."""
    texts = counts.shape[0]
    return float(np.log((1 + texts) / (1 + np.count_nonzero(counts.sum(axis=1)))) + 1)


def _add_spellings(idf: dict[str, float], lexicon: Lexicon) -> None:
    """Adds the other spelling of each term, with the same inverse document frequency."""
    for term, value in list(idf.items()):
        idf.setdefault(lexicon.respell(term), value)


def _add_unseen(idf: dict[str, float], lists: Iterable[frozenset[str]], counter: CountVectorizer) -> None:
    """Adds words of lists that occur in no text, as rare as the mean of the words of their list that do."""
    rarest, cut = max(idf.values()), counter.build_tokenizer()
    for listed in lists:
        seen = [idf[word] for word in sorted(listed) if word in idf]
        usual = float(np.mean(seen)) if seen else rarest
        for word in sorted(listed):
            if cut(word) == [word]:
                idf.setdefault(word, usual)
