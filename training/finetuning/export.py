"""From a fine-tuned transformer to the files that this package serves: an encoder without torch, and linear heads."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from training.encoder.files import EncoderShape, EncoderWeights, LayerWeights, Norm, QuantisedMatrix, write_encoder
from training.errors import ModelFileError
from training.finetuning.batches import Subwords
from training.finetuning.continued import base_name
from training.finetuning.pretrained import read_pretrained
from training.finetuning.transformer import FramingTransformer, Layer

# Tokens of a paragraph that are read at once, some 250 words; longer ones are read in windows.
MOST_TOKENS = 320

Float = NDArray[np.float32]


def export_checkpoint(
    checkpoint: Path,
    pretrained: Path,
    folder: Path,
    name: str,
    frames: int,
    *,
    layers: int | None = None,
    most_tokens: int = MOST_TOKENS,
) -> tuple[Float, Float]:
    """Writes the encoder of a checkpoint, the weights of a transformer as fine-tuning stores them, into a folder.

    `pretrained` is the folder that fine-tuning started from, `layers` the number of its layers that were left. Returns
    coefficients and intercepts as `heads` does. Raises `ModelFileError` where the checkpoint is of another shape.
    """
    model = read_pretrained(pretrained, frames, layers=layers)
    try:
        model.load_state_dict(torch.load(checkpoint, map_location="cpu", weights_only=True))
    except Exception as error:  # damaged archives and foreign objects raise errors of many kinds
        raise ModelFileError(f"{checkpoint} is not a checkpoint of the model in {pretrained}.") from error
    return export(model, pretrained, folder, name, most_tokens)


def export(
    model: FramingTransformer, pretrained: Path, folder: Path, name: str, most_tokens: int = MOST_TOKENS
) -> tuple[Float, Float]:
    """Writes a model that was fine-tuned from `pretrained` as an encoder and returns its heads."""
    subwords = Subwords(pretrained)
    shape = EncoderShape(
        name=name,
        base=base_name(pretrained),
        attention_heads=model.shape.attention_heads,
        epsilon=model.shape.epsilon,
        begin=subwords.begin,
        end=subwords.end,
        most_tokens=most_tokens,
    )
    write_encoder(folder, encoder_weights(model, shape), subwords.as_json())
    return heads(model)


def encoder_weights(model: FramingTransformer, shape: EncoderShape) -> EncoderWeights:
    """Returns the weights of the model below its heads, matrices rounded to int8."""
    first, tokens = model.shape.first_position, shape.most_tokens + 2  # with those before and after the paragraph
    positions = _array(model.pos.weight)[first : first + tokens]
    if len(positions) < tokens:
        raise ModelFileError(f"The model reads at most {len(positions) - 2} tokens at once, not {shape.most_tokens}.")
    return EncoderWeights(
        shape=shape,
        # A scale for each subword: groups would spend a twentieth more on vectors that are only looked up.
        words=QuantisedMatrix.of(_array(model.word.weight), group=model.shape.width),
        positions=positions if model.shape.relative else positions + _array(model.type0),
        relative=_array(model.rel.weight) if model.shape.relative else None,
        before_layers=_norm(model.norm),
        layers=tuple(_layer(layer) for layer in model.layers),
    )


def heads(model: FramingTransformer) -> tuple[Float, Float]:
    """Returns coefficients (d, k + 3k) and intercepts (k + 3k,) of a model with k frames.

    Columns are the frames, then the stances of each frame in turn; the part of the stances that frames share is added.
    """
    shared_weight, shared_bias = _array(model.stance_all.weight), _array(model.stance_all.bias)
    stance_weight = _array(model.stance.weight) + np.tile(shared_weight, (model.frames, 1))
    stance_bias = _array(model.stance.bias) + np.tile(shared_bias, model.frames)
    coefficients = np.concatenate([_array(model.frame.weight), stance_weight]).T
    return np.ascontiguousarray(coefficients), np.concatenate([_array(model.frame.bias), stance_bias])


def _layer(layer: Layer) -> LayerWeights:
    return LayerWeights(
        attention=QuantisedMatrix.of(_array(layer.qkv.weight)),
        attention_bias=_array(layer.qkv.bias),
        output=QuantisedMatrix.of(_array(layer.o.weight)),
        output_bias=_array(layer.o.bias),
        after_attention=_norm(layer.n1),
        up=QuantisedMatrix.of(_array(layer.up.weight)),
        up_bias=_array(layer.up.bias),
        down=QuantisedMatrix.of(_array(layer.down.weight)),
        down_bias=_array(layer.down.bias),
        after_layer=_norm(layer.n2),
    )


def _norm(norm: Any) -> Norm:
    return Norm(_array(norm.weight), _array(norm.bias))


def _array(parameter: Any) -> Float:
    return np.array(parameter.detach().float().numpy())
