"""Which kind of model to train; apart from training, because servers answer it too and import no scikit-learn."""

from collections.abc import Iterable

from labels.codebook import Codebook
from training.errors import UnusedHyperparametersError
from training.hyperparameters import WantedKind
from training.model_card import Kind, ModelCard
from training.registry.base import base_for, shipped_base


def kind_to_train(wanted: WantedKind, champion: ModelCard | None, codebook: Codebook) -> Kind | None:
    """Returns the kind to train; None where kinds have to be compared on the annotations.

    `auto` is the kind of the champion; before the first champion `encoder` where its base knows the frames.
    """
    if wanted != "auto":
        return wanted
    if champion is not None:
        return champion.kind
    if shipped_base() is None:
        return "words"
    return "encoder" if base_for(codebook) else None


def require_used(kind: Kind | None, hyperparameters: Iterable[str]) -> None:
    """Raises `UnusedHyperparametersError` if training a kind has no use for hyperparameters; None is any kind."""
    names = tuple(hyperparameters)
    if names and kind is not None and kind != "words":
        raise UnusedHyperparametersError(names, kind)
