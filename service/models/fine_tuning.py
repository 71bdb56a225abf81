"""`framing train --finetune`: fine-tunes the encoder on the corpus of the settings, judges the model, registers it."""

from dataclasses import replace
from typing import TYPE_CHECKING

from labels.annotations import CodedParagraph, read_corpus
from labels.codebook import Codebook
from service.settings import Settings
from training.cross_validation import ReportProgress
from training.dataset import build_dataset
from training.errors import FineTuningError, NoChampionError
from training.finetuning.further import require_packages, work_folder
from training.kinds.choice import encoder_of_kind, has_learned_from
from training.kinds.finetuned import fine_tune_kind, require_tunable
from training.kinds.judging import judge
from training.model_card import EncoderKind, Kind, ModelCard
from training.registry.versions import Registry

if TYPE_CHECKING:
    from training.scoring.frame_model import FrameModel


def fine_tune(
    settings: Settings, kind: Kind | None, codebook: Codebook, *, seed: int, note: str, progress: ReportProgress
) -> ModelCard:
    """Registers a model whose encoder learned from the corpus too, with its verdict against the champion.

    Raises `FineTuningError` where that cannot be done, before anything that takes long.
    """
    registry = Registry(settings.models_location, settings.trust)
    encoder = _kind(kind)
    require_packages()
    registry.encoders.require_place()
    encoder_of_kind(encoder)
    paragraphs = _paragraphs(settings, encoder, codebook)
    require_tunable(paragraphs, codebook)
    champion = _champion(registry)
    with work_folder(settings.finetuning_dir) as work:
        tuned = fine_tune_kind(
            encoder,
            paragraphs,
            codebook,
            work,
            vectors=settings.vectors_dir,
            start=settings.start,
            seed=seed,
            note=note,
            progress=progress,
        )
        registry.encoders.add(tuned.encoder)
        verdict = judge(
            tuned.challenger, champion, build_dataset(paragraphs, codebook), current_keys=codebook.current_keys
        )
        return registry.register(replace(tuned.challenger, card=replace(tuned.challenger.card, verdict=verdict)))


def _kind(kind: Kind | None) -> EncoderKind:
    if kind is None or kind == "words":
        of_words = "a model of words has no encoder that could learn" if kind else "which encoder is to learn is open"
        raise FineTuningError(f"--finetune needs --kind encoder or --kind encoder-small: {of_words}.")
    return kind


def _paragraphs(settings: Settings, kind: EncoderKind, codebook: Codebook) -> tuple[CodedParagraph, ...]:
    if has_learned_from(kind, settings.corpus, codebook, settings.start):
        raise FineTuningError(
            "The shipped encoder has learned from the shipped corpus already: name a corpus of your own with "
            "FRAMING_CORPUS. `framing export --format corpus` writes such a corpus from the annotations made here."
        )
    return read_corpus(settings.corpus, codebook)


def _champion(registry: Registry) -> "FrameModel | None":
    """The champion, ready to be compared with; None before the first. Raises `ModelFileError` where it cannot serve."""
    try:
        champion, _ = registry.load_champion()
    except NoChampionError:
        return None
    champion.prepare()
    return champion
