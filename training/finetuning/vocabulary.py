"""Cuts the vocabulary of an encoder to the subwords that texts use: the others take room and are never read.

A word of a subword that is left out is cut into smaller ones, down to single characters, which all remain.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from labels.normalise import normalise
from training.encoder.files import EncoderWeights, QuantisedMatrix
from training.errors import ModelFileError

_WITHIN_A_WORD = "##"
_SPECIAL = frozenset(("<s>", "</s>", "<pad>", "<unk>", "[CLS]", "[SEP]", "[PAD]", "[UNK]"))
_BATCH = 2000


def cut_vocabulary(
    weights: EncoderWeights, tokenizer_json: str, texts: Sequence[str], most: int
) -> tuple[EncoderWeights, str]:
    """Returns an encoder and its tokenizer with at most `most` subwords, those that occur most often in the texts.

    Special tokens and single characters stay in any case. Raises `ModelFileError` for a tokenizer of another kind.
    """
    content = json.loads(tokenizer_json)
    if content["model"].get("type") != "WordPiece":
        raise ModelFileError("Only a vocabulary of the kind WordPiece can be cut.")
    vocabulary: dict[str, int] = content["model"]["vocab"]
    retained = _retained(vocabulary, _counts(tokenizer_json, texts, len(weights.words.values)), most)
    numbers = {old: new for new, old in enumerate(retained.tolist())}
    content["model"]["vocab"] = {
        subword: numbers[number]
        for subword, number in sorted(vocabulary.items(), key=lambda item: item[1])
        if number in numbers
    }
    words = QuantisedMatrix(weights.words.values[retained], weights.words.scales[retained])
    shape = replace(weights.shape, begin=numbers[weights.shape.begin], end=numbers[weights.shape.end])
    return replace(weights, words=words, shape=shape), json.dumps(content, ensure_ascii=False)


def _counts(tokenizer_json: str, texts: Sequence[str], subwords: int) -> NDArray[np.int64]:
    """Returns how often each subword occurs in the texts, (subwords,)."""
    tokenizer: Any = Tokenizer.from_str(tokenizer_json)
    counts = np.zeros(subwords, np.int64)
    for start in range(0, len(texts), _BATCH):
        batch = [normalise(text) for text in texts[start : start + _BATCH]]
        for item in tokenizer.encode_batch(batch, add_special_tokens=False):
            np.add.at(counts, item.ids, 1)
    return counts


def _retained(vocabulary: dict[str, int], counts: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """Returns the numbers of the subwords that stay, in their order."""
    needed = [
        number
        for subword, number in vocabulary.items()
        if subword in _SPECIAL or len(subword.removeprefix(_WITHIN_A_WORD)) == 1
    ]
    ranks = counts.astype(np.float64)
    ranks[needed] = np.inf
    by_use = np.argsort(-ranks, kind="stable")[: max(most, len(needed))]
    return np.sort(by_use[ranks[by_use] > 0])
