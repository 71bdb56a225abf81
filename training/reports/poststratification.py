"""Weights that make coded paragraphs stand for a population that they are not a random sample of.

Post-stratification (Holt and Smith 1979, "Post stratification"): the population is cut into strata, and the coded
paragraphs of a stratum stand for all its paragraphs. The strata are bins of a model's scores. That is no circle even
for the scores of the model that is judged: they only group the paragraphs, and inside a stratum the coders' decisions
count. It holds as far as the coded paragraphs of a stratum resemble the others there. They do not where a better model
chose them: then more of them carry the frame than of the others with such scores, and its scores should be the strata.
"""

import numpy as np
from numpy.typing import NDArray

STRATA = 20


def poststratified_weights(
    coded: NDArray[np.float64], others: NDArray[np.float64], strata: int = STRATA
) -> NDArray[np.float64]:
    """Returns how many paragraphs each coded paragraph stands for, by frame (n, k), with mean 1 for each frame.

    The population are the coded paragraphs, with scores (n, k), and the others, with scores (m, k). The strata of a
    frame are quantile bins of the population's scores, fewer where some would be without a coded paragraph.
    """
    weights = np.empty(coded.shape)
    for k in range(coded.shape[1]):
        edges = _edges(coded[:, k], others[:, k], strata)
        stratum, added = (np.searchsorted(edges, scores[:, k], side="right") for scores in (coded, others))
        sizes = np.bincount(stratum, minlength=len(edges) + 1)
        population = sizes + np.bincount(added, minlength=len(edges) + 1)
        weights[:, k] = (population / sizes)[stratum] * len(coded) / population.sum()
    return weights


def _edges(coded: NDArray[np.float64], others: NDArray[np.float64], strata: int) -> NDArray[np.float64]:
    """Returns the scores at which the strata after the first begin, each the score of a coded paragraph."""
    quantiles = np.quantile(np.concatenate([coded, others]), np.linspace(0, 1, strata + 1)[1:-1])
    ranked = np.sort(coded)
    places = np.searchsorted(ranked, quantiles)
    edges = np.unique(ranked[places[places < len(ranked)]])
    return np.asarray(edges[edges > ranked[0]], dtype=np.float64)
