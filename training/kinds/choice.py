"""Which kind of model to train, and training it."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from labels.annotations import DEFAULT_CORPUS, CodedParagraph
from labels.codebook import Codebook
from training.challenger import DEFAULT_SEED, Challenger, train_challenger
from training.cross_validation import ReportProgress, no_progress
from training.dataset import build_dataset, require_trainable
from training.encoder.vectors import VectorStore
from training.errors import ModelFileError
from training.hyperparameters import Hyperparameters, Start
from training.kinds.adapted import adapt_base, base_challenger, require_articles
from training.kinds.learning import learn_heads
from training.model_card import EncoderFacts, Kind
from training.registry.base import BaseModel, base_for, shipped_base


def base_of(kind: Kind | None, codebook: Codebook, start: Start) -> BaseModel | None:
    """Returns the base that training a kind adapts; None where it learns from nothing."""
    return base_for(codebook, kind) if kind is not None and start == "base" else None


def has_learned_from(kind: Kind | None, corpus: Path, codebook: Codebook, start: Start = "base") -> bool:
    """Whether this kind adapts its base and the corpus is the shipped corpus, from which the base has learned."""
    return base_of(kind, codebook, start) is not None and corpus.resolve() == DEFAULT_CORPUS.resolve()


def require_learnable(
    kind: Kind | None, paragraphs: Sequence[CodedParagraph], codebook: Codebook, start: Start = "base"
) -> None:
    """Raises `TrainingDataError` where the annotations do not suffice for a kind of model."""
    dataset = build_dataset(paragraphs, codebook)
    if base_of(kind, codebook, start) is None:
        require_trainable(dataset)
    elif paragraphs:
        require_articles(dataset)


def train_kind(
    kind: Kind | None,
    paragraphs: Sequence[CodedParagraph],
    codebook: Codebook,
    *,
    vectors: VectorStore,
    start: Start = "base",
    hyperparameters: Hyperparameters | None = None,
    pull: float | None = None,
    seed: int = DEFAULT_SEED,
    note: str = "",
    progress: ReportProgress = no_progress,
    jobs: int | None = None,
) -> Challenger:
    """Trains a model of a kind, or for None of the kind that is better on the sources left out.

    Where it adapts the base, `paragraphs` are those that the base has not learned from, and `pull` is how strongly it
    holds (None: cross-validation chooses); without any, it is the base itself. Hyperparameters concern words that are
    learned from nothing. Raises `TrainingDataError`, or `ModelFileError` where this installation has no encoder.
    """
    base = base_of(kind, codebook, start)
    if base is not None:
        if not paragraphs:
            return base_challenger(base, seed=seed, note=note)
        return adapt_base(paragraphs, codebook, base, vectors, seed=seed, note=note, progress=progress, pull=pull)

    def of_words() -> Challenger:
        return train_challenger(
            paragraphs, codebook, hyperparameters=hyperparameters, seed=seed, note=note, progress=progress, jobs=jobs
        )

    def of_encoder(size: Kind = "encoder") -> Challenger:
        encoder = encoder_of_kind(size)
        return learn_heads(paragraphs, codebook, encoder, vectors, seed=seed, note=note, progress=progress)

    if kind is None:
        return _better(of_words, of_encoder)
    return of_words() if kind == "words" else of_encoder(kind)


def encoder_of_kind(kind: Kind) -> EncoderFacts:
    """Returns the facts of the shipped encoder of a kind; raises `ModelFileError` where there is none."""
    base = shipped_base(kind)
    if base is None or base.card.encoder is None:
        raise ModelFileError(f"This installation has no {kind}: train a model of the kind words.")
    return base.card.encoder


def _better(of_words: Callable[[], Challenger], of_encoder: Callable[[], Challenger]) -> Challenger:
    """Trains both kinds and returns the better; words where they are equal, because words cost less."""
    encoder, words = of_encoder(), of_words()
    scores = [challenger.card.left_out.macro.f1.value or 0.0 for challenger in (encoder, words)]
    better = encoder if scores[0] > scores[1] else words
    sentence = f"Macro F1 on sources left out: encoder {scores[0]:.2f}, words {scores[1]:.2f}."
    note = f"{better.card.note} {sentence}".strip()
    return replace(better, card=replace(better.card, note=note))
