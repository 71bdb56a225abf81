"""The scorer of a model of words and runs of characters: plain arrays too, and without evidence.

A run is a stretch of a word with a space before and after it: of "a fire" they are " a ", " f", "fi", and so on, as
scikit-learn's analyser `char_wb` cuts them. Words and runs are weighted apart, each by TF-IDF of length 1.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labels.normalise import normalise
from training.scoring.compiled import CompiledScorer
from training.scoring.evidence import FrameExplanation, without_evidence
from training.scoring.scorer_file import ScorerFile, as_scorer, read_scorer_file, write_scorer_file

KIND = "runs"
# Longer than any model has them.
_LONGEST = 100


@dataclass(frozen=True, slots=True, eq=False)
class RunsScorer:
    """Linear log-odds of words and of r runs of characters: c columns; the intercepts are those of the words.

    idf: (r,); coefficients: (r, c), calibrated.
    """

    words: CompiledScorer
    runs: dict[str, int] = field(repr=False)
    idf: NDArray[np.float64]
    coefficients: NDArray[np.float64]
    shortest: int
    longest: int
    sublinear: bool

    @property
    def columns(self) -> int:
        """Number c of columns."""
        return self.words.columns

    @property
    def frames(self) -> int:
        """Number of frames, whose columns come first."""
        return self.words.frames

    def logits(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Returns calibrated log-odds (n, c) of paragraphs as submitted."""
        logits = self.words.logits(texts)
        for row, text in enumerate(texts):
            logits[row] += self._of_runs(normalise(text))
        return logits

    def explain(self, texts: Sequence[str]) -> tuple[NDArray[np.float64], list[tuple[FrameExplanation, ...]]]:
        """Returns log-odds (n, c) and explanations without evidence: nobody reads a run of characters."""
        logits = self.logits(texts)
        return logits, without_evidence(logits, self.frames)

    def known_share(self, text: str) -> float:
        """Returns the share of the words of a text that the model knows; 0 for a model of longer terms."""
        return self.words.known_share(text)

    def prepare(self) -> None:
        """Does nothing: the arrays are in memory."""

    def _of_runs(self, text: str) -> NDArray[np.float64]:
        """Returns what the runs of a normal text add to the log-odds, (c,)."""
        known = (self.runs.get(run) for run in runs_of(text, self.shortest, self.longest))
        counts = Counter(column for column in known if column is not None)
        if not counts:
            return np.zeros(self.columns)
        columns = np.fromiter(counts.keys(), dtype=np.int64, count=len(counts))
        frequencies = np.fromiter(counts.values(), dtype=np.float64, count=len(counts))
        weights = (1 + np.log(frequencies) if self.sublinear else frequencies) * self.idf[columns]
        return np.asarray(weights / np.sqrt(np.square(weights).sum()) @ self.coefficients[columns])

    def __reduce__(self) -> tuple[Any, ...]:
        return RunsScorer.from_bytes, (self.to_bytes(),)

    def to_bytes(self) -> bytes:
        """Returns the scorer as an npz file that holds no pickle."""
        facts, arrays = self.words.content()
        facts |= {
            "kind": KIND,
            "runs": sorted(self.runs, key=self.runs.__getitem__),
            "shortest_run": self.shortest,
            "longest_run": self.longest,
            "sublinear_runs": self.sublinear,
        }
        return write_scorer_file(facts, **arrays, idf_of_runs=self.idf, coefficients_of_runs=self.coefficients)

    @classmethod
    def from_bytes(cls, content: bytes) -> "RunsScorer":
        """Reads the file that `to_bytes` writes; raises `ModelFileError` for anything else."""
        return cls.from_file(read_scorer_file(content))

    @classmethod
    def from_file(cls, file: ScorerFile) -> "RunsScorer":
        """Returns the scorer of a file; raises `ModelFileError` where it is that of no model of runs."""
        words = CompiledScorer.from_file(file)
        with as_scorer():
            if file.kind != KIND:
                raise ValueError(file.kind)
            runs, longest = file.terms("runs"), file.count("longest_run", most=_LONGEST)
            return cls(
                words=words,
                runs=runs,
                idf=file.numbers("idf_of_runs", len(runs)),
                coefficients=file.numbers("coefficients_of_runs", len(runs), words.columns),
                shortest=file.count("shortest_run", most=longest),
                longest=longest,
                sublinear=bool(file.facts["sublinear_runs"]),
            )


def runs_of(text: str, shortest: int, longest: int) -> Iterator[str]:
    """Yields the runs of a text; a word that is too short for a size is a run as a whole, once."""
    for word in text.split():
        padded = f" {word} "
        for size in range(shortest, longest + 1):
            yield padded[:size]
            for start in range(1, len(padded) - size + 1):
                yield padded[start : start + size]
            if size >= len(padded):
                break
