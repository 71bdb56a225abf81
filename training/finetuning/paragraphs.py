"""Paragraphs that an encoder learns from, read from annotated files and from the written corpus."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from labels.annotations import DEFAULT_CORPUS, STANCES, Stance, read_corpus
from labels.codebook import Codebook
from labels.errors import CorpusError
from labels.gold import GoldParagraph, settle
from training.reports.coded_files import json_lines

# How a paragraph came here: annotated and drawn at random, annotated because an early model chose it, from news about
# other subjects, from the written corpus, or without annotations.
Origin = Literal["random", "chosen", "other", "written", "uncoded"]

_PARTS = 5
# The level of `sure` at which a coder is certain.
_CERTAIN = 3
_FAIRLY_SURE = 2


@dataclass(frozen=True, slots=True, eq=False)
class Teacher:
    """A teacher's scores of k frames, (k,), and of the stances of each if it is present, (k, 3)."""

    frames: NDArray[np.float32]
    stances: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class LearnedParagraph:
    """A paragraph to learn from, with the stance of each frame that is present.

    `sure` is the coder's certainty, 1 to 3. The loss of the paragraph is multiplied by `weight`. `outlet` is empty if
    it is unknown.
    """

    article: str
    text: str
    frames: Mapping[str, Stance]
    origin: Origin
    sure: int = _CERTAIN
    weight: float = 1.0
    teacher: Teacher | None = None
    outlet: str = ""

    @property
    def easy(self) -> bool:
        """Whether it was chosen for annotation and certainly carries no frame."""
        return self.origin == "chosen" and not self.frames and self.sure == _CERTAIN


def is_held_out(article: str) -> bool:
    """Whether an article belongs to the fifth that no encoder of an experiment learns from, by its digest."""
    return int(hashlib.sha256(article.encode()).hexdigest(), 16) % _PARTS == 0


def read_annotated(path: Path, codebook: Codebook) -> tuple[LearnedParagraph, ...]:
    """Reads the paragraphs of the split `train` from a JSON Lines file (also `.gz`).

    Rows have `article`, `text`, `split`, `frames` (frame to stance; none in files without annotations), and for
    annotated paragraphs `drawn` and `sure`; `outlet` may be missing. Raises `CorpusError` with the fault of each bad
    row, or where the file cannot be read.
    """
    paragraphs, faults = [], []
    for number, row in json_lines(path):
        fault = _fault(row, codebook)
        if fault is not None:
            faults.append(f"line {number}: {fault}")
        elif row["split"] == "train":
            paragraphs.append(_paragraph(row))
    if faults:
        raise CorpusError(str(path), faults)
    return tuple(paragraphs)


def read_written(codebook: Codebook, path: Path = DEFAULT_CORPUS) -> tuple[LearnedParagraph, ...]:
    """Returns the paragraphs of the written corpus on whose frames the coders agree; raises `CorpusError`."""
    settled = settle(read_corpus(path, codebook), codebook)
    return tuple(_written(gold, codebook) for gold in settled if not gold.unsettled and not gold.missing)


def with_teacher(
    paragraphs: Sequence[LearnedParagraph],
    frames: NDArray[np.float32],
    stances: NDArray[np.float32],
    uncoded_weight: float = 0.5,
) -> tuple[LearnedParagraph, ...]:
    """Returns n paragraphs with a teacher's scores, (n, k), and distributions of stances, (n, k, 3), to distil from.

    Paragraphs without annotations get a weight of their own, because a teacher errs more often than a coder.
    Literature: Hinton, Vinyals and Dean 2015, "Distilling the knowledge in a neural network".
    """
    return tuple(
        replace(
            paragraph,
            teacher=Teacher(of_frames, of_stances),
            weight=uncoded_weight if paragraph.origin == "uncoded" else paragraph.weight,
        )
        for paragraph, of_frames, of_stances in zip(paragraphs, frames, stances, strict=True)
    )


def rarest_frame(paragraphs: Iterable[LearnedParagraph], frames: Sequence[str]) -> str:
    """Returns the frame that the fewest paragraphs carry."""
    counts = dict.fromkeys(frames, 0)
    for paragraph in paragraphs:
        for frame in paragraph.frames:
            counts[frame] += 1
    return min(frames, key=counts.__getitem__)


def _fault(row: Any, codebook: Codebook) -> str | None:
    if not isinstance(row, dict):
        return "not a JSON object"
    for name in ("article", "text", "split"):
        if not isinstance(row.get(name), str):
            return f"'{name}' must be a string"
    if not isinstance(row.get("outlet") or "", str):
        return "'outlet' must be a string"
    if row.get("sure", _CERTAIN) not in range(1, _CERTAIN + 1):
        return f"'sure' must be a whole number from 1 to {_CERTAIN}"
    return _frames_fault(row.get("frames", {}), codebook)


def _frames_fault(frames: Any, codebook: Codebook) -> str | None:
    if not isinstance(frames, dict):
        return "'frames' must be an object of frame and stance"
    for frame, stance in frames.items():
        if frame not in codebook.keys:
            return f"the codebook has no frame '{frame}'"
        if stance not in STANCES:
            return f"'{stance}' is not a stance"
    return None


def _paragraph(row: Mapping[str, Any]) -> LearnedParagraph:
    frames, sure = row.get("frames", {}), row.get("sure", _CERTAIN)
    return LearnedParagraph(row["article"], row["text"], frames, _origin(row), sure, outlet=row.get("outlet") or "")


def _origin(row: Mapping[str, Any]) -> Origin:
    if "frames" not in row:
        return "uncoded"
    if "drawn" not in row:
        return "other"
    return "random" if row["drawn"] == "random" else "chosen"


def _written(gold: GoldParagraph, codebook: Codebook) -> LearnedParagraph:
    frames: dict[str, Stance] = {key: gold.stances.get(key, "present") for key in codebook.keys if key in gold.frames}
    return LearnedParagraph(gold.paragraph.article, gold.paragraph.text, frames, "written", sure=_FAIRLY_SURE)
