"""What a base model is made from: annotated news, of which whole articles are left out to judge it on."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from labels.codebook import Codebook
from training.dataset import Dataset
from training.errors import TrainingDataError
from training.finetuning.epochs import frames_and_stances
from training.finetuning.paragraphs import LearnedParagraph, is_held_out, read_annotated
from training.lexicon import lexicon_of
from training.making.paragraph_codes import with_codes


@dataclass(frozen=True, slots=True)
class Sources:
    """The files that a base model is made from.

    `annotated` are files of annotated paragraphs, `other` are files of paragraphs of other news, which carry no frame,
    and `uncoded` are files of paragraphs without annotations, which say how frequent each kind of paragraph is. With a
    `teacher`, the folder of a base model, its scores of the uncoded ones are learned from too.
    """

    annotated: tuple[Path, ...]
    other: tuple[Path, ...] = ()
    uncoded: tuple[Path, ...] = ()
    teacher: Path | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Paragraphs to learn from, paragraphs to judge on, and the texts of the population that the latter stand for.

    `uncoded` are paragraphs without annotations of the articles to learn from, and `judged_others` are paragraphs of
    other news to judge on.
    """

    learned: tuple[LearnedParagraph, ...]
    judged: tuple[LearnedParagraph, ...]
    population: tuple[str, ...]
    uncoded: tuple[LearnedParagraph, ...] = ()
    judged_others: tuple[LearnedParagraph, ...] = ()


def split_articles(sources: Sources, codebook: Codebook) -> Split:
    """Returns the paragraphs to learn from and to judge on; raises `TrainingDataError` without any of the latter.

    Some of those without annotations were annotated for this project.
    """
    annotated = [paragraph for path in sources.annotated for paragraph in read_annotated(path, codebook)]
    other = [paragraph for path in sources.other for paragraph in read_annotated(path, codebook)]
    population = [paragraph for path in sources.uncoded for paragraph in read_annotated(path, codebook)]
    coded_further, uncoded = with_codes(population)
    annotated += coded_further
    split = Split(
        learned=tuple(paragraph for paragraph in annotated + other if not is_held_out(paragraph.article)),
        judged=tuple(paragraph for paragraph in annotated if is_held_out(paragraph.article)),
        population=tuple(paragraph.text for paragraph in population if is_held_out(paragraph.article)),
        uncoded=tuple(paragraph for paragraph in uncoded if not is_held_out(paragraph.article)),
        judged_others=tuple(paragraph for paragraph in other if is_held_out(paragraph.article)),
    )
    if not split.judged:
        raise TrainingDataError(
            "None of the annotated articles is in the fifth that is held out to calibrate and judge the model on: "
            "give more articles."
        )
    return split


def dataset_of(paragraphs: Sequence[LearnedParagraph], codebook: Codebook) -> Dataset:
    """Returns paragraphs as a dataset; in their own spelling, and without outlets."""
    presence, stances = frames_and_stances(paragraphs, codebook.keys)
    texts = np.array([paragraph.text for paragraph in paragraphs], dtype=object)
    articles = np.array([paragraph.article for paragraph in paragraphs], dtype=object)
    return Dataset(
        frames=codebook.keys,
        texts=texts,
        normalised=texts,
        targets=presence.astype(bool),
        articles=articles,
        sources=articles,
        stances=stances.astype(np.int8),
        coded=np.ones(presence.shape, dtype=bool),
        lexicon=lexicon_of([], codebook),
    )
