"""External validation: a model judged on coded paragraphs that it never saw, for example from a user's outlets."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labels.annotations import CodedParagraph
from labels.codebook import Codebook
from labels.gold import GoldParagraph, settle
from training.errors import ValidationDataError
from training.evaluation import Evaluation, evaluate
from training.scoring.evidence import FrameExplanation
from training.scoring.frame_model import FrameModel, Scored
from training.scoring.operating_points import OperatingPoint, above_threshold
from training.scoring.subject import about_article, places_by_article
from training.stances import stance_figures

_MOST_WORDS = 5
_PART = 256


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """The n coded paragraphs that are settled, with the model's scores and the coders' decisions.

    `rows` (n,) has the place of each among the paragraphs given, `scores` (n, k) the scores of the frames, `stances`
    (n, k, s) those of their stances, `subject` (n,) the log-odds that it is on the subject of the codebook (None for a
    model that cannot tell), `targets` (n, k) whether a paragraph carries a frame, `coded` (n, k) whether any
    coder decided about that, and `articles` (n,) the article of each. `cross_validated` (n,) are the paragraphs that
    fold models scored, and `fold_thresholds` (n, k) their balanced thresholds, NaN for the others; None where the model
    scored all.
    """

    frames: tuple[str, ...]
    gold: tuple[GoldParagraph, ...]
    rows: NDArray[np.int64]
    scores: NDArray[np.float64]
    stances: NDArray[np.float64]
    subject: NDArray[np.float64] | None
    targets: NDArray[np.bool_]
    coded: NDArray[np.bool_]
    articles: NDArray[np.object_]
    cross_validated: NDArray[np.bool_] | None = None
    fold_thresholds: NDArray[np.float64] | None = None

    def take(self, chosen: NDArray[np.bool_]) -> "Judged":
        """Returns the chosen paragraphs, (n,)."""
        return Judged(
            frames=self.frames,
            gold=tuple(settled for settled, wanted in zip(self.gold, chosen, strict=True) if wanted),
            rows=self.rows[chosen],
            scores=self.scores[chosen],
            stances=self.stances[chosen],
            subject=None if self.subject is None else self.subject[chosen],
            targets=self.targets[chosen],
            coded=self.coded[chosen],
            articles=self.articles[chosen],
            cross_validated=None if self.cross_validated is None else self.cross_validated[chosen],
            fold_thresholds=None if self.fold_thresholds is None else self.fold_thresholds[chosen],
        )

    def weighted(self, weights: NDArray[np.float64] | None = None) -> NDArray[np.float64] | None:
        """Returns weights (n, k) that are 0 where nobody decided about the frame; None where all count alike."""
        if self.coded.all():
            return weights
        return self.coded.astype(float) if weights is None else weights * self.coded

    def coded_stances(self, known: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Returns paragraph, frame and stance (its place in `known`) of each frame with a coded stance, (m,) each."""
        frames = {key: column for column, key in enumerate(self.frames)}
        coded = [
            (row, frames[frame], known.index(stance))
            for row, settled in enumerate(self.gold)
            for frame, stance in settled.stances.items()
            if stance in known
        ]
        rows, columns, stances = np.array(coded, dtype=np.int64).reshape(-1, 3).T
        return rows, columns, stances


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


def judge(
    model: FrameModel,
    codebook: Codebook,
    paragraphs: Sequence[CodedParagraph],
    progress: Callable[[float], None] = lambda _share: None,
) -> Judged:
    """Scores the coded paragraphs that are settled.

    Raises `ValidationDataError` where model and codebook have different frames, no paragraph is settled, or nobody has
    decided about a frame.
    """
    if model.frames != codebook.keys:
        raise ValidationDataError(
            f"The model has the frames {', '.join(model.frames)}; the codebook has {', '.join(codebook.keys)}."
        )
    settled = [(row, gold) for row, gold in enumerate(settle(paragraphs, codebook)) if not gold.unsettled]
    if not settled:
        raise ValidationDataError("There is no coded paragraph to validate the model on.")
    unknown = [key for key in codebook.keys if all(key in entry.missing for _, entry in settled)]
    if unknown:
        raise ValidationDataError(
            f"No annotation decides about {', '.join(unknown)}: they were made before the codebook had it."
        )
    gold = tuple(entry for _, entry in settled)
    scored = score_in_parts(model, [entry.paragraph.text for entry in gold], progress)
    return Judged(
        frames=codebook.keys,
        gold=gold,
        rows=np.array([row for row, _ in settled]),
        scores=scored.frames,
        stances=scored.stances,
        subject=scored.subject,
        targets=np.array([[key in entry.frames for key in codebook.keys] for entry in gold]),
        coded=np.array([[key not in entry.missing for key in codebook.keys] for entry in gold]),
        articles=np.array([entry.paragraph.article for entry in gold], dtype=object),
    )


def score_in_parts(
    model: FrameModel, texts: Sequence[str], progress: Callable[[float], None] = lambda _share: None
) -> Scored:
    """Scores n > 0 texts in parts of equal size, and reports the share done after each."""
    parts = []
    for start in range(0, len(texts), _PART):
        parts.append(model.score_with_stances(texts[start : start + _PART]))
        progress(min(start + _PART, len(texts)) / len(texts))
    subject = [p.subject for p in parts if p.subject is not None]
    folds = [p.folds for p in parts if p.folds is not None]
    return Scored(
        np.concatenate([p.frames for p in parts]),
        np.concatenate([p.stances for p in parts]),
        np.concatenate(subject) if subject else None,
        np.concatenate(folds) if folds else None,
    )


def off_topic_articles(
    model: FrameModel, texts: Sequence[str], articles: Sequence[str], subject: NDArray[np.float64] | None
) -> dict[str, bool] | None:
    """Whether the model says of each article that it is about something else; None for a model that cannot tell.

    `texts` are n paragraphs, `articles` has the article of each, and `subject` (n,) their log-odds.
    """
    if model.card.subject is None or subject is None:
        return None
    return {
        article: about_article(model.card.subject, subject[own], [texts[place] for place in own]).other
        for article, own in places_by_article(articles).items()
    }


def validate(
    model: FrameModel, codebook: Codebook, paragraphs: Sequence[CodedParagraph], point: OperatingPoint = "balanced"
) -> Validation:
    """Validates a model at an operating point on coded paragraphs; a frame is present from its threshold up.

    Raises the errors of `judge`.
    """
    judged = judge(model, codebook, paragraphs)
    decisions = above_threshold(judged.scores, [model.card.cuts[point][key] for key in codebook.keys])
    how = f"coded paragraphs, at {point}"
    return Validation(
        evaluation=evaluate(
            how,
            codebook.keys,
            judged.scores,
            decisions,
            judged.targets,
            judged.articles,
            weights=judged.weighted(),
        ),
        stances=_stances(judged, model.card.stances),
        unsettled=len(paragraphs) - len(judged.gold),
        sources_known=sources_known(model, judged),
        disagreements=disagreements(model, judged, point),
    )


def sources_known(model: FrameModel, judged: Judged) -> tuple[str, ...]:
    """Returns the sources that the model was trained on too."""
    return tuple(sorted(set(model.card.data.sources).intersection(entry.paragraph.source for entry in judged.gold)))


def disagreements(model: FrameModel, judged: Judged, point: OperatingPoint) -> tuple[ModelDisagreement, ...]:
    """Returns the disagreements of coders and model at an operating point, in descending order of how sure it was."""
    decisions = above_threshold(judged.scores, [model.card.cuts[point][key] for key in judged.frames])
    entries = _disagreements(model, judged, (decisions != judged.targets) & judged.coded)
    return tuple(sorted(entries, key=lambda entry: abs(entry.coded - entry.score), reverse=True))


def _stances(judged: Judged, known: Sequence[str]) -> Evaluation | None:
    """Returns the figures of the stances of all frames that are present."""
    rows, frames, stances = judged.coded_stances(known)
    if not len(rows):
        return None
    scores = judged.stances[rows, frames]
    return stance_figures("stances of frames that are present", scores, stances, judged.articles[rows])


def _disagreements(model: FrameModel, judged: Judged, differ: NDArray[np.bool_]) -> Iterator[ModelDisagreement]:
    rows = np.flatnonzero(differ.any(axis=1)).tolist()
    if not rows:
        return
    _, explanations = model.score_and_explain([judged.gold[row].paragraph.text for row in rows])
    for row, explained in zip(rows, explanations, strict=True):
        settled = judged.gold[row]
        for column in np.flatnonzero(differ[row]).tolist():
            frame = judged.frames[column]
            words = _words(settled.paragraph.text, explained[column])
            yield ModelDisagreement(
                settled.paragraph, frame, frame in settled.frames, float(judged.scores[row, column]), words
            )


def _words(text: str, explanation: FrameExplanation) -> tuple[str, ...]:
    """Returns the different words that count most for the frame, the weightiest first."""
    weights: dict[str, float] = {}
    for start, end, weight in explanation.evidence:
        word = text[start:end].lower()
        weights[word] = weights.get(word, 0.0) + weight
    weightiest = sorted((word for word, weight in weights.items() if weight > 0), key=lambda word: -weights[word])
    return tuple(weightiest[:_MOST_WORDS])
