"""The scorer of an encoder: linear log-odds of the mean vector of a paragraph, explained by the vectors of its words.

The mean and the linear heads make the explanation exact: the log-odds of a frame are its intercept plus what each
word's own vector adds. A vector in context also carries what stands around the word.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.encoder.encoder import Encoder
from training.encoder.shipped import encoder_of, look_also_in, own_places
from training.errors import ModelFileError
from training.scoring.evidence import FrameExplanation, Terms
from training.scoring.scorer_file import ScorerFile, as_scorer, read_scorer_file, write_scorer_file

KIND = "encoder"
_FORMAT = 1


@dataclass(frozen=True, slots=True, eq=False)
class EncoderScorer:
    """Linear log-odds of vectors of length d: c columns; the first k columns are frames and are explained.

    encoder: digest of the files of the encoder; coefficients: (d, c) and intercepts: (c,), calibrated.
    """

    encoder: str
    coefficients: NDArray[np.float64]
    intercepts: NDArray[np.float64]
    frames: int

    def logits(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Returns calibrated log-odds (n, c) of paragraphs as submitted."""
        return self.of_vectors(self.loaded().means(texts).astype(np.float64))

    def of_vectors(self, vectors: NDArray[np.float64]) -> NDArray[np.float64]:
        """Returns calibrated log-odds (n, c) of the mean vectors (n, d) of n paragraphs."""
        # Row by row: a matrix product may add up in another order for another number of rows.
        return (
            np.array([row @ self.coefficients for row in vectors]).reshape(-1, len(self.intercepts)) + self.intercepts
        )

    def explain(self, texts: Sequence[str]) -> tuple[NDArray[np.float64], list[tuple[FrameExplanation, ...]]]:
        """Returns log-odds (n, c) and the explanation of each paragraph and frame."""
        means, terms = np.zeros((len(texts), len(self.coefficients))), []
        for row, paragraph in enumerate(self.loaded().encode(texts)):
            means[row] = paragraph.mean
            weights = paragraph.vectors.astype(np.float64) @ self.coefficients[:, : self.frames]
            terms.append(Terms.of_places(paragraph.starts, paragraph.ends, weights, paragraph.words))
        logits = self.of_vectors(means)
        intercepts = self.intercepts.tolist()
        explanations = [
            tuple(FrameExplanation(row[k], intercepts[k], own, k) for k in range(self.frames))
            for own, row in zip(terms, logits.tolist(), strict=True)
        ]
        return logits, explanations

    def known_share(self, _text: str) -> float:
        """Returns 0: an encoder knows no list of words."""
        return 0.0

    def prepare(self) -> None:
        """Loads the encoder and warms it up; raises `ModelFileError` where it is missing or has other vectors."""
        encoder = self.loaded()
        if encoder.width != len(self.coefficients):
            raise ModelFileError(
                f"The model reads vectors of length {len(self.coefficients)}, and its encoder makes them of length "
                f"{encoder.width}."
            )
        encoder.warm_up()

    def loaded(self) -> Encoder:
        """Returns the encoder; raises `ModelFileError` where this installation lacks it."""
        return encoder_of(self.encoder)

    @property
    def columns(self) -> int:
        """Number c of columns."""
        return len(self.intercepts)

    def __reduce__(self) -> tuple[Any, ...]:
        return _in_another_process, (self.to_bytes(), own_places(self.encoder))

    def to_bytes(self) -> bytes:
        """Returns the scorer as an npz file that holds no pickle."""
        facts = {"format": _FORMAT, "kind": KIND, "encoder": self.encoder, "frames": self.frames}
        return write_scorer_file(facts, coefficients=self.coefficients, intercepts=self.intercepts)

    @classmethod
    def from_bytes(cls, content: bytes) -> "EncoderScorer":
        """Reads the file that `to_bytes` writes; raises `ModelFileError` for anything else."""
        return cls.from_file(read_scorer_file(content))

    @classmethod
    def from_file(cls, file: ScorerFile) -> "EncoderScorer":
        """Returns the scorer of a file; raises `ModelFileError` where it is not that of an encoder."""
        with as_scorer():
            file.require_format(_FORMAT)
            if file.kind != KIND:
                raise ValueError(file.kind)
            intercepts = file.numbers("intercepts", None)
            coefficients = file.numbers("coefficients", None, len(intercepts))
            frames = file.count("frames", most=len(intercepts))
            return cls(str(file.facts["encoder"]), coefficients, intercepts, frames)


def _in_another_process(content: bytes, places: tuple[Path, ...]) -> EncoderScorer:
    """Returns the scorer in a process that has opened no registry, and so knows of no encoders fine-tuned here."""
    for place in places:
        look_also_in(place)
    return EncoderScorer.from_bytes(content)
