"""From log-odds to scores: the sigmoid for frames, the softmax for stances."""

import numpy as np
from numpy.typing import NDArray


def sigmoid(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns scores of the shape of the log-odds, without overflow at either end."""
    return np.asarray(np.exp(-np.logaddexp(0.0, -logits)))


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns the softmax over the last axis, which may be empty."""
    if not logits.shape[-1]:
        return logits
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))
