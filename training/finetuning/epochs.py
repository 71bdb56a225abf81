"""The paragraphs of an epoch and what is learned from each of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from labels.annotations import SPECIFIED_STANCES, UNSPECIFIED
from training.errors import TrainingDataError
from training.finetuning.names import swap_names
from training.finetuning.paragraphs import LearnedParagraph, rarest_frame
from training.finetuning.recipe import Recipe

Float = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """What a run learns from: all of `paragraphs` in each epoch, and a share of those of the `written` corpus."""

    frames: tuple[str, ...]
    paragraphs: Sequence[LearnedParagraph]
    written: Sequence[LearnedParagraph] = ()

    def __post_init__(self) -> None:
        """Raises `TrainingDataError` where there is nothing to learn from."""
        if not self.paragraphs:
            raise TrainingDataError("There are no paragraphs to learn from.")
        if any(paragraph.origin == "uncoded" and paragraph.teacher is None for paragraph in self.paragraphs):
            raise TrainingDataError("Paragraphs without annotations can be learned from a teacher only.")

    def shares(self) -> Float:
        """Returns the share of paragraphs that carry each frame, (k,), by those drawn at random where there are any."""
        at_random = [paragraph for paragraph in self.paragraphs if paragraph.origin == "random"]
        annotated = [paragraph for paragraph in self.paragraphs if paragraph.origin != "uncoded"]
        presence = frames_and_stances(at_random or annotated or self.paragraphs, self.frames)[0]
        # A frame that none carries would start at a logit of minus infinity.
        return np.asarray(np.clip(presence.mean(axis=0), 1 / (len(presence) + 1), 0.5), dtype=np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Targets:
    """What n paragraphs teach about k frames with s stances.

    frames: (n, k), probabilities; stances: (n, k, s), distributions; stance_weights: (n, k), 0 where a stance is not
    learned; weights: (n,).
    """

    frames: Float
    stances: Float
    stance_weights: Float
    weights: Float


def epoch_of(material: Material, recipe: Recipe, random: np.random.Generator) -> list[LearnedParagraph]:
    """Returns the paragraphs of an epoch, deterministic by the state of `random`."""
    drawn = _written(material, recipe, random)
    paragraphs = [p for p in material.paragraphs if not p.easy or random.random() >= recipe.easy_skipped]
    return [
        replace(paragraph, text=swap_names(paragraph.text, random)) if random.random() < recipe.swapped else paragraph
        for paragraph in paragraphs + drawn
    ]


def targets(paragraphs: Sequence[LearnedParagraph], frames: Sequence[str], teacher_share: float) -> Targets:
    """Returns what the paragraphs teach.

    A teacher decides about paragraphs without annotations. In others its score of a frame is mixed into the decision of
    the coder, and their stances are the coder's.
    """
    presence, stances = frames_and_stances(paragraphs, frames)
    distributions = np.eye(len(SPECIFIED_STANCES), dtype=np.float32)[np.maximum(stances, 0)]
    stance_weights = (stances >= 0).astype(np.float32)
    for row, paragraph in enumerate(paragraphs):
        teacher = paragraph.teacher
        if teacher is None:
            continue
        if paragraph.origin == "uncoded":
            presence[row] = stance_weights[row] = teacher.frames
            distributions[row] = teacher.stances
        else:
            presence[row] = (1 - teacher_share) * presence[row] + teacher_share * teacher.frames
    weights = np.array([paragraph.weight for paragraph in paragraphs], np.float32)
    return Targets(presence, distributions, stance_weights, weights)


def frames_and_stances(
    paragraphs: Sequence[LearnedParagraph], frames: Sequence[str]
) -> tuple[Float, NDArray[np.int64]]:
    """Returns the presence of k frames, (n, k), and the numbers of their stances, (n, k), -1 where there is none."""
    presence = np.zeros((len(paragraphs), len(frames)), np.float32)
    stances = np.full(presence.shape, -1, np.int64)
    for row, paragraph in enumerate(paragraphs):
        for frame, stance in paragraph.frames.items():
            column = frames.index(frame)
            presence[row, column] = 1
            if stance != UNSPECIFIED:
                stances[row, column] = SPECIFIED_STANCES.index(stance)
    return presence, stances


def _written(material: Material, recipe: Recipe, random: np.random.Generator) -> list[LearnedParagraph]:
    """Draws paragraphs of the written corpus, more often those that real news has too few of."""
    count = min(recipe.written, len(material.written))
    if not count:
        return []
    rarest = rarest_frame(material.paragraphs, material.frames)
    weights = np.array(
        [
            1
            + recipe.written_rarest_frame * (rarest in paragraph.frames)
            + recipe.written_contested * ("contested" in paragraph.frames.values())
            for paragraph in material.written
        ]
    )
    numbers = random.choice(len(weights), count, replace=False, p=weights / weights.sum())
    return [material.written[number] for number in numbers]
