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
from training.hyperparameters import Hyperparameters, WantedKind
from training.kinds.adapted import adapt_base, base_challenger, require_articles
from training.kinds.learning import learn_heads
from training.model_card import EncoderFacts, Kind, ModelCard
from training.registry.base import base_for, shipped_base


def kind_to_train(wanted: WantedKind, champion: ModelCard | None, codebook: Codebook) -> Kind | None:
    """Returns the kind to train; None where kinds have to be compared on the annotations.

    `auto` is the kind of the champion; before the first champion that of the base where the base knows the frames.
    """
    if wanted != "auto":
        return wanted
    if champion is not None:
        return champion.kind
    if shipped_base() is None:
        return "words"
    return "encoder" if base_for(codebook) else None


def has_learned_from(kind: Kind | None, corpus: Path, codebook: Codebook) -> bool:
    """Whether this kind adapts the base and the corpus is the shipped one, of which the base learned a sample."""
    return _adapts_base(kind, codebook) and corpus.resolve() == DEFAULT_CORPUS.resolve()


def _adapts_base(kind: Kind | None, codebook: Codebook) -> bool:
    return kind == "encoder" and base_for(codebook) is not None


def require_learnable(kind: Kind | None, paragraphs: Sequence[CodedParagraph], codebook: Codebook) -> None:
    """Raises `TrainingDataError` where the annotations do not suffice for a kind of model."""
    dataset = build_dataset(paragraphs, codebook)
    if not _adapts_base(kind, codebook):
        require_trainable(dataset)
    elif paragraphs:
        require_articles(dataset)


def train_kind(
    kind: Kind | None,
    paragraphs: Sequence[CodedParagraph],
    codebook: Codebook,
    *,
    vectors: VectorStore,
    hyperparameters: Hyperparameters | None = None,
    seed: int = DEFAULT_SEED,
    note: str = "",
    progress: ReportProgress = no_progress,
    jobs: int | None = None,
) -> Challenger:
    """Trains a model of a kind, or for None of the kind that is better on the sources left out.

    Where it adapts the base, `paragraphs` are those that the base has not learned from; without any, it is the base
    itself. Hyperparameters concern words only. Raises `TrainingDataError`, or `ModelFileError` where this installation
    has no encoder.
    """

    def of_words() -> Challenger:
        return train_challenger(
            paragraphs, codebook, hyperparameters=hyperparameters, seed=seed, note=note, progress=progress, jobs=jobs
        )

    def of_encoder() -> Challenger:
        base = base_for(codebook)
        if base is None:
            return learn_heads(paragraphs, codebook, _encoder(), vectors, seed=seed, note=note, progress=progress)
        if not paragraphs:
            return base_challenger(base, seed=seed, note=note)
        return adapt_base(paragraphs, codebook, base, vectors, seed=seed, note=note, progress=progress)

    if kind is None:
        return _better(of_words, of_encoder)
    return of_encoder() if kind == "encoder" else of_words()


def _encoder() -> EncoderFacts:
    """Returns the facts of the shipped encoder; raises `ModelFileError` where there is none."""
    base = shipped_base()
    if base is None or base.card.encoder is None:
        raise ModelFileError("This installation has no encoder: train a model of the kind words.")
    return base.card.encoder


def _better(of_words: Callable[[], Challenger], of_encoder: Callable[[], Challenger]) -> Challenger:
    """Trains both kinds and returns the better; words where they are equal, because words cost less."""
    encoder, words = of_encoder(), of_words()
    scores = [challenger.card.left_out.macro.f1.value or 0.0 for challenger in (encoder, words)]
    better = encoder if scores[0] > scores[1] else words
    sentence = f"Macro F1 on sources left out: encoder {scores[0]:.2f}, words {scores[1]:.2f}."
    note = f"{better.card.note} {sentence}".strip()
    return replace(better, card=replace(better.card, note=note))
