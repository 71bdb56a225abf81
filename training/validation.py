"""External validation: a model judged on coded paragraphs that it never saw, for example from a user's outlets."""

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
class ModelDisagreement:
    """A frame of a paragraph on which coders and model disagree, with the words that count most for the frame."""

    paragraph: CodedParagraph
    frame: str
    coded: bool
    score: float
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Validation:
    """Figures on coded paragraphs, and what a reader of the figures has to know.

    In `stances` the stances of frames that are present take the place of the frames; None where the coders specified no
    stance or the model knows none. `unsettled` counts the paragraphs left out because their coders are tied.
    `sources_known` are sources that the model was trained on, which makes the figures better than they would be
    elsewhere. `disagreements` come in descending order of how sure the model was.
    """

    evaluation: Evaluation
    stances: Evaluation | None
    unsettled: int
    sources_known: tuple[str, ...]
    disagreements: tuple[ModelDisagreement, ...]


def validate(
    model: FrameModel, codebook: Codebook, paragraphs: Sequence[CodedParagraph], point: OperatingPoint = "balanced"
) -> Validation:
    """Validates a model at an operating point on n coded paragraphs; a frame is present from its threshold up.

    Raises `ValidationDataError` where model and codebook have different frames, or no paragraph is settled.
    """
    if model.frames != codebook.keys:
        raise ValidationDataError(
            f"The model has the frames {', '.join(model.frames)}; the codebook has {', '.join(codebook.keys)}."
        )
    gold = [settled for settled in settle(paragraphs, codebook) if not settled.unsettled]
    if not gold:
        raise ValidationDataError("There is no coded paragraph to validate the model on.")
    scored = model.score_with_stances([settled.paragraph.text for settled in gold])
    scores = scored.frames
    decisions = above_threshold(scores, [model.card.cuts[point][key] for key in codebook.keys])
    targets = np.array([[key in settled.frames for key in codebook.keys] for settled in gold])
    articles = np.array([settled.paragraph.article for settled in gold], dtype=object)
    known = set(model.card.data.sources)
    disagreements = _disagreements(model, codebook, gold, scores, decisions != targets)
    return Validation(
        evaluation=evaluate(f"coded paragraphs, at {point}", codebook.keys, scores, decisions, targets, articles),
        stances=_stances(model, codebook, gold, scored.stances),
        unsettled=len(paragraphs) - len(gold),
        sources_known=tuple(sorted(known.intersection(settled.paragraph.source for settled in gold))),
        disagreements=tuple(sorted(disagreements, key=lambda entry: abs(entry.coded - entry.score), reverse=True)),
    )


def _stances(
    model: FrameModel, codebook: Codebook, gold: Sequence[GoldParagraph], scores: NDArray[np.float64]
) -> Evaluation | None:
    """Returns the figures of the stances of all frames that are present, from scores (n, k, s)."""
    known = model.card.stances
    coded = [
        (row, codebook.keys.index(frame), known.index(stance))
        for row, settled in enumerate(gold)
        for frame, stance in settled.stances.items()
        if stance in known
    ]
    if not coded:
        return None
    rows, frames, stances = np.array(coded).T
    articles = np.array([gold[row].paragraph.article for row in rows], dtype=object)
    return stance_figures("stances of frames that are present", scores[rows, frames], stances, articles)


def _disagreements(
    model: FrameModel,
    codebook: Codebook,
    gold: Sequence[GoldParagraph],
    scores: NDArray[np.float64],
    differ: NDArray[np.bool_],
) -> Iterator[ModelDisagreement]:
    rows = np.flatnonzero(differ.any(axis=1)).tolist()
    if not rows:
        return
    _, explanations = model.score_and_explain([gold[row].paragraph.text for row in rows])
    for row, explained in zip(rows, explanations, strict=True):
        settled = gold[row]
        for column in np.flatnonzero(differ[row]).tolist():
            frame = codebook.keys[column]
            words = _words(settled.paragraph.text, explained[column])
            yield ModelDisagreement(
                settled.paragraph, frame, frame in settled.frames, float(scores[row, column]), words
            )


def _words(text: str, explanation: FrameExplanation) -> tuple[str, ...]:
    """Returns the different words that count most for the frame, the weightiest first."""
    weights: dict[str, float] = {}
    for start, end, weight in explanation.evidence:
        word = text[start:end].lower()
        weights[word] = weights.get(word, 0.0) + weight
    weightiest = sorted((word for word, weight in weights.items() if weight > 0), key=lambda word: -weights[word])
    return tuple(weightiest[:_MOST_WORDS])
