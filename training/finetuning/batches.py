"""Paragraphs as subwords, and batches of similar length of them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer

from labels.normalise import normalise
from training.errors import ModelFileError
from training.finetuning.pretrained import TOKENIZER_FILE
from training.finetuning.transformer import Tensor

# Batches are sorted by length within so many of them: enough for little padding, few enough to stay shuffled.
_POOL = 40


class Subwords:
    """The tokenizer of a pretrained model, with its tokens at the begin and end of a paragraph and for padding."""

    def __init__(self, folder: Path) -> None:
        """Raises `ModelFileError` where the folder has no such tokenizer."""
        try:
            self._tokenizer: Any = Tokenizer.from_file(str(folder / TOKENIZER_FILE))
        except Exception as error:  # the library raises nothing more precise
            raise ModelFileError(f"{folder} holds no {TOKENIZER_FILE}.") from error
        # Published tokenizers cut and pad paragraphs at the length that their model was first trained on.
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self.begin = self._special("<s>", "[CLS]")
        self.end = self._special("</s>", "[SEP]")
        self.padding = self._special("<pad>", "[PAD]")

    def tokens(self, texts: Sequence[str], most: int) -> list[list[int]]:
        """Returns the token numbers of each text as the service normalises it, at most `most` and the two around."""
        encoded = self._tokenizer.encode_batch([normalise(text) for text in texts], add_special_tokens=False)
        # A text without tokens has a mean too: that of its end.
        return [[self.begin, *(item.ids[:most] or [self.end]), self.end] for item in encoded]

    def as_json(self) -> str:
        """Returns the tokenizer in its own format, for text alone: without cutting, padding and special tokens.

        A text may hold the name of a special token, which is then only letters.
        """
        content = json.loads(self._tokenizer.to_str())
        return json.dumps({**content, "added_tokens": [], "post_processor": None}, ensure_ascii=False)

    def _special(self, *names: str) -> int:
        for name in names:
            number = self._tokenizer.token_to_id(name)
            if number is not None:
                return int(number)
        raise ModelFileError(f"The tokenizer has none of the tokens {', '.join(names)}.")


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Tokens of n paragraphs, (n, T); `mask` is false where padded; `own` is 1.0 between the two special tokens."""

    tokens: Tensor
    mask: Tensor
    own: Tensor


def padded(paragraphs: Sequence[Sequence[int]], padding: int) -> Batch:
    """Returns a batch of paragraphs, each given as its tokens with the two special ones."""
    shape = len(paragraphs), max(map(len, paragraphs))
    tokens = torch.full(shape, padding, dtype=torch.long)
    mask, own = torch.zeros(shape, dtype=torch.bool), torch.zeros(shape)
    for row, paragraph in enumerate(paragraphs):
        tokens[row, : len(paragraph)] = torch.tensor(paragraph)
        mask[row, : len(paragraph)] = True
        own[row, 1 : len(paragraph) - 1] = 1.0
    return Batch(tokens, mask, own)


def batches_of_similar_length(lengths: Sequence[int], size: int, random: np.random.Generator) -> list[list[int]]:
    """Returns the numbers of all paragraphs in shuffled batches, deterministic by the state of `random`."""
    shuffled = random.permutation(len(lengths)).tolist()
    batches = []
    for start in range(0, len(shuffled), size * _POOL):
        pool = sorted(shuffled[start : start + size * _POOL], key=lengths.__getitem__)
        batches += [pool[first : first + size] for first in range(0, len(pool), size)]
    return [batches[number] for number in random.permutation(len(batches))]
