"""Makes the base model of words: counted words learn from annotated news, and from a large model's decisions."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labels.annotations import Stance
from labels.codebook import Codebook
from labels.normalise import normalise
from training.cross_validation import ReportProgress, no_progress
from training.dataset import Dataset
from training.encoder.heads import Heads
from training.finetuning.paragraphs import LearnedParagraph
from training.hyperparameters import Hyperparameters
from training.lexicon import lexicon_of, unify_spelling
from training.making.assembly import calibrate
from training.making.base import write_digests
from training.making.card import describe
from training.making.sources import Sources, Split, dataset_of, split_articles
from training.making.teaching import taught
from training.pipeline import fit, words_vectoriser
from training.registry.base import BaseModel, Terms, write_base
from training.scoring.compilation import linear_columns

# Chosen on held-out articles: real news is more varied than the written corpus, and needs more restraint.
HYPERPARAMETERS = Hyperparameters(regularisation=1.5, min_df=3)
_SEED = 1
# A teacher's word is taken for a coder's outside of these scores; a paragraph with a frame between is not learned from.
_PRESENT, _ABSENT = 0.6, 0.2


def make_words(
    sources: Sources,
    codebook: Codebook,
    work: Path,
    folder: Path,
    *,
    note: str = "",
    progress: ReportProgress = no_progress,
) -> BaseModel:
    """Makes the base model of words and writes its files into `folder`; takes some minutes, with a teacher longer.

    Raises `TrainingDataError` where no article is left to judge it on.
    """
    split = split_articles(sources, codebook)
    learned = split.learned
    if sources.teacher:
        learned += sure_of(taught(split.uncoded, sources.teacher, work, progress), codebook.keys)
    progress("fit", 0.0)
    terms, heads = _fitted(learned, codebook)
    progress("fit", 1.0)
    learned_from = {**asdict(HYPERPARAMETERS), "teacher": sources.teacher is not None}
    base = _calibrated(split, codebook, terms, heads, learned_from, note)
    write_base(folder, base)
    write_digests(folder, split)
    return base


def sure_of(paragraphs: Sequence[LearnedParagraph], frames: Sequence[str]) -> tuple[LearnedParagraph, ...]:
    """Returns the paragraphs whose every frame the teacher is sure of, as if it had coded them."""
    decided = []
    for paragraph in paragraphs:
        teacher = paragraph.teacher
        if teacher is None or ((teacher.frames > _ABSENT) & (teacher.frames < _PRESENT)).any():
            continue
        present: dict[str, Stance] = {
            frame: "present" for frame, score in zip(frames, teacher.frames, strict=True) if score >= _PRESENT
        }
        decided.append(replace(paragraph, frames=present))
    return tuple(decided)


def _fitted(learned: Sequence[LearnedParagraph], codebook: Codebook) -> tuple[Terms, Heads]:
    """Returns the words, and uncalibrated heads of k frames and their stances."""
    pipeline = fit(_in_a_single_spelling(learned, codebook), HYPERPARAMETERS, _SEED, stances=True)
    features = pipeline.named_steps["features"]
    return Terms(tuple(features.vocabulary_), features.idf_), Heads(*linear_columns(pipeline.named_steps["frames"]))


def _in_a_single_spelling(learned: Sequence[LearnedParagraph], codebook: Codebook) -> Dataset:
    texts = [paragraph.text for paragraph in learned]
    lexicon = lexicon_of(texts, codebook)
    normalised = np.array(unify_spelling(map(normalise, texts), lexicon), dtype=object)
    return replace(dataset_of(learned, codebook), normalised=normalised, lexicon=lexicon)


def _calibrated(
    split: Split, codebook: Codebook, terms: Terms, heads: Heads, hyperparameters: Mapping[str, Any], note: str
) -> BaseModel:
    judged = dataset_of(split.judged, codebook)
    vectors, population = (_counted(terms, texts) for texts in (list(judged.texts), split.population))
    calibrated = calibrate(heads, judged, vectors, population)
    card = describe(split, codebook, calibrated, None, hyperparameters, _SEED, note)
    return BaseModel(card, calibrated.heads.coefficients, calibrated.heads.intercepts, terms)


def _counted(terms: Terms, texts: Sequence[str]) -> NDArray[np.float32]:
    """Returns the weights of the words in n paragraphs, (n, d), sparse."""
    vectors: NDArray[np.float32] = words_vectoriser(terms.words, terms.idf).transform(map(normalise, texts))
    return vectors
