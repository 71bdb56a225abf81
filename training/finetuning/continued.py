"""Reads an encoder of our own, with its heads, as a transformer that learns on.

So a base model that is shipped can be fine-tuned further, on more annotations or on those of a user.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from labels.annotations import SPECIFIED_STANCES
from training.encoder.files import (
    EncoderWeights,
    LayerWeights,
    Norm,
    QuantisedMatrix,
    holds_encoder,
    read_encoder,
    read_shape,
)
from training.finetuning.transformer import MPNET_FIRST_POSITION, FramingTransformer, Tensor, TransformerShape
from training.registry.base import HEADS_FILE, read_base

_MATRICES = {"qkv": "attention", "o": "output", "up": "up", "down": "down"}
_NORMS = {"n1": "after_attention", "n2": "after_layer"}


def base_name(pretrained: Path) -> str:
    """Returns the name of the published weights that a folder's encoder derives from."""
    return read_shape(pretrained).base if holds_encoder(pretrained) else pretrained.resolve().name


def read_own(folder: Path, frames: int, dropout: float = 0.0) -> FramingTransformer:
    """Returns the encoder in a folder as a transformer, with its heads where it has heads for k frames.

    Weights are the rounded ones. Raises `ModelFileError` where the folder cannot be read.
    """
    weights = read_encoder(folder)
    model = FramingTransformer(_shape(weights), frames, len(SPECIFIED_STANCES), dropout)
    content = {name: torch.from_numpy(np.array(array, np.float32)) for name, array in _parameters(weights)}
    model.load_state_dict(model.state_dict() | content | _heads(folder, frames))
    return model


def _shape(weights: EncoderWeights) -> TransformerShape:
    first = MPNET_FIRST_POSITION if weights.relative is not None else 0
    return TransformerShape(
        words=len(weights.words.values),
        positions=first + len(weights.positions),
        width=weights.width,
        attention_heads=weights.shape.attention_heads,
        inner=len(weights.layers[0].up_bias),
        layers=len(weights.layers),
        epsilon=weights.shape.epsilon,
        relative=weights.relative is not None,
    )


def _parameters(weights: EncoderWeights) -> Iterator[tuple[str, Any]]:
    """Yields the parameters of `FramingTransformer` by name, without those of the heads."""
    yield "word.weight", weights.words.matrix()
    # The rows before the first token's position belong to padding, which nothing reads.
    unread = np.zeros((MPNET_FIRST_POSITION if weights.relative is not None else 0, weights.width))
    yield "pos.weight", np.concatenate([unread, weights.positions])
    yield from _norm("norm", weights.before_layers)
    if weights.relative is not None:
        yield "rel.weight", weights.relative
    for number, layer in enumerate(weights.layers):
        yield from _layer(f"layers.{number}", layer)


def _layer(name: str, layer: LayerWeights) -> Iterator[tuple[str, Any]]:
    for own, theirs in _MATRICES.items():
        matrix: QuantisedMatrix = getattr(layer, theirs)
        yield f"{name}.{own}.weight", matrix.matrix()
        yield f"{name}.{own}.bias", getattr(layer, f"{theirs}_bias")
    for own, theirs in _NORMS.items():
        yield from _norm(f"{name}.{own}", getattr(layer, theirs))


def _norm(name: str, norm: Norm) -> Iterator[tuple[str, Any]]:
    yield f"{name}.weight", norm.weight
    yield f"{name}.bias", norm.bias


def _heads(folder: Path, frames: int) -> dict[str, Tensor]:
    """Returns the heads in a folder, calibrated as they are; none where they are of another number of frames."""
    if not (folder / HEADS_FILE).exists():
        return {}
    base = read_base(folder)
    if len(base.card.frames) != frames or base.card.stances != SPECIFIED_STANCES:
        return {}
    # The head of the subject, if there is any, comes last and is fitted again when the base is finished.
    columns = frames * (1 + len(SPECIFIED_STANCES))
    coefficients, intercepts = torch.tensor(base.coefficients.T.astype(np.float32)), torch.tensor(base.intercepts)
    return {
        "frame.weight": coefficients[:frames],
        "frame.bias": intercepts[:frames].float(),
        "stance.weight": coefficients[frames:columns],
        "stance.bias": intercepts[frames:columns].float(),
    }
