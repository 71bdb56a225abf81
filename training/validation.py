"""External validation: a model judged on coded paragraphs that it never saw, of a user's own outlets for instance."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labels.annotations import CodedParagraph
from labels.codebook import Codebook
from labels.gold import GoldParagraph, settle
from training.errors import ValidationDataError
from training.evaluation import Evaluation, evaluate
from training.scoring.compiled import FrameExplanation
from training.scoring.frame_model import FrameModel
from training.scoring.operating_points import OperatingPoint, above_threshold
from training.stances import stance_figures

_MOST_WORDS = 5


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A frame of a paragraph of which coders and model say different things, and the words that spoke for it most."""

    paragraph: CodedParagraph
    frame: str
    coded: bool
    score: float
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Validation:
    """Figures on coded paragraphs, and what is to be known of them.

    The frames of `stances` are the stances that the coders gave to frames that are present; None where they gave none,
    or the model knows none.
    `unsettled` paragraphs were left out because their coders are tied; `sources_known` are sources of the others that
    the model was trained on too, which makes its figures better than they are elsewhere. `disagreements` begin with
    those of which the model was surest.
    """

    evaluation: Evaluation
    stances: Evaluation | None
    unsettled: int
    sources_known: tuple[str, ...]
    disagreements: tuple[Disagreement, ...]


def validate(
    model: FrameModel, codebook: Codebook, paragraphs: Sequence[CodedParagraph], point: OperatingPoint = "balanced"
) -> Validation:
    """Validates a model at an operating point on n coded paragraphs; a score is a decision from the threshold up.

    Raises `ValidationDataError` where the model has other frames than the codebook, or no paragraph is settled.
    """
    if model.card.frame_keys != codebook.keys:
        raise ValidationDataError(
            f"The model has the frames {', '.join(model.card.frame_keys)}; the codebook has {', '.join(codebook.keys)}."
        )
    gold = [found for found in settle(paragraphs, codebook) if not found.unsettled]
    if not gold:
        raise ValidationDataError("There is no coded paragraph to validate the model on.")
    scored = model.score_with_stances([found.paragraph.text for found in gold])
    scores = scored.frames
    decisions = above_threshold(scores, [model.card.cuts[point][key] for key in codebook.keys])
    targets = np.array([[key in found.frames for key in codebook.keys] for found in gold])
    articles = np.array([found.paragraph.article for found in gold], dtype=object)
    known = set(model.card.data.sources)
    disagreements = _disagreements(model, codebook, gold, scores, decisions != targets)
    return Validation(
        evaluation=evaluate(f"coded paragraphs, at {point}", codebook.keys, scores, decisions, targets, articles),
        stances=_stances(model, codebook, gold, scored.stances),
        unsettled=len(paragraphs) - len(gold),
        sources_known=tuple(sorted(known.intersection(found.paragraph.source for found in gold))),
        disagreements=tuple(sorted(disagreements, key=lambda one: abs(one.coded - one.score), reverse=True)),
    )


def _stances(
    model: FrameModel, codebook: Codebook, gold: Sequence[GoldParagraph], scores: NDArray[np.float64]
) -> Evaluation | None:
    """Figures of the stances of all frames that are present, from scores (n, k, s)."""
    voices = model.card.stances
    coded = [
        (row, codebook.keys.index(frame), voices.index(stance))
        for row, found in enumerate(gold)
        for frame, stance in found.stances.items()
        if stance in voices
    ]
    if not coded:
        return None
    rows, frames, said = np.array(coded).T
    articles = np.array([gold[row].paragraph.article for row in rows], dtype=object)
    return stance_figures("stances of frames that are present", scores[rows, frames], said, articles)


def _disagreements(
    model: FrameModel,
    codebook: Codebook,
    gold: Sequence[GoldParagraph],
    scores: NDArray[np.float64],
    differ: NDArray[np.bool_],
) -> Iterator[Disagreement]:
    rows = np.flatnonzero(differ.any(axis=1)).tolist()
    if not rows:
        return
    _, explanations = model.score_and_explain([gold[row].paragraph.text for row in rows])
    for row, explained in zip(rows, explanations, strict=True):
        found = gold[row]
        for column in np.flatnonzero(differ[row]).tolist():
            frame = codebook.keys[column]
            words = _words(found.paragraph.text, explained[column])
            yield Disagreement(found.paragraph, frame, frame in found.frames, float(scores[row, column]), words)


def _words(text: str, explanation: FrameExplanation) -> tuple[str, ...]:
    """The different words that spoke for the frame most, the weightiest first."""
    weights: dict[str, float] = {}
    for start, end, weight in explanation.evidence:
        word = text[start:end].lower()
        weights[word] = weights.get(word, 0.0) + weight
    weightiest = sorted((word for word, weight in weights.items() if weight > 0), key=lambda word: -weights[word])
    return tuple(weightiest[:_MOST_WORDS])
