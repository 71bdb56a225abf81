"""Reads pretrained weights in the folders that sentence-transformers publishes.

Read are `config.json`, `model.safetensors` and `tokenizer.json`, none of which can run.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from labels.annotations import SPECIFIED_STANCES
from training.errors import ModelFileError
from training.finetuning.transformer import FramingTransformer, Tensor, TransformerShape

CONFIG_FILE, WEIGHTS_FILE, TOKENIZER_FILE = "config.json", "model.safetensors", "tokenizer.json"

_PREFIX = re.compile(r"^(bert|mpnet)\.")
# Names in the layers of each kind of base: queries, keys, values; the output of attention and its normalisation.
_ATTENTION = {
    "bert": (
        ("attention.self.query", "attention.self.key", "attention.self.value"),
        ("attention.output.dense", "attention.output.LayerNorm"),
    ),
    "mpnet": (
        ("attention.attn.q", "attention.attn.k", "attention.attn.v"),
        ("attention.attn.o", "attention.LayerNorm"),
    ),
}


def read_pretrained(folder: Path, frames: int, dropout: float = 0.0, layers: int | None = None) -> FramingTransformer:
    """Returns the transformer in a folder with heads at zero for k frames.

    With `layers`, only so many of its layers, evenly spaced. Raises `ModelFileError` where the folder holds no BERT or
    MPNet.
    """
    config = _config(folder)
    kind, count = config["model_type"], config["num_hidden_layers"]
    retained = _evenly_spaced(layers or count, count)
    model = FramingTransformer(_shape(config, len(retained)), frames, len(SPECIFIED_STANCES), dropout)
    try:
        published = {_PREFIX.sub("", name): array for name, array in load_file(folder / WEIGHTS_FILE).items()}
        weights = dict(_weights(published, kind, retained))
    except (OSError, KeyError, ValueError) as error:
        raise ModelFileError(f"The weights in {folder} are not those of a {kind} model.") from error
    weights |= {name: array for name, array in model.state_dict().items() if name.startswith(("frame.", "stance"))}
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise ModelFileError(f"The weights in {folder} do not have the shape in {CONFIG_FILE}.") from error
    return model


def _config(folder: Path) -> dict[str, Any]:
    try:
        config: dict[str, Any] = json.loads((folder / CONFIG_FILE).read_bytes())
    except (OSError, ValueError) as error:
        raise ModelFileError(f"{folder} holds no {CONFIG_FILE} of a pretrained model.") from error
    if config.get("model_type") not in _ATTENTION:
        raise ModelFileError(f"{folder} holds a model that is neither BERT nor MPNet.")
    return config


def _shape(config: Mapping[str, Any], layers: int) -> TransformerShape:
    return TransformerShape(
        words=config["vocab_size"],
        positions=config["max_position_embeddings"],
        width=config["hidden_size"],
        attention_heads=config["num_attention_heads"],
        inner=config["intermediate_size"],
        layers=layers,
        epsilon=config["layer_norm_eps"],
        relative=config["model_type"] == "mpnet",
    )


def _evenly_spaced(count: int, layers: int) -> list[int]:
    if count == 1:
        return [layers - 1]
    return [round(number * (layers - 1) / (count - 1)) for number in range(count)]


def _weights(published: Mapping[str, Tensor], kind: str, layers: Sequence[int]) -> Iterator[tuple[str, Tensor]]:
    """Yields the parameters of `FramingTransformer` by name, without those of the heads."""
    yield "word.weight", published["embeddings.word_embeddings.weight"]
    yield "pos.weight", published["embeddings.position_embeddings.weight"]
    for part in ("weight", "bias"):
        yield f"norm.{part}", published[f"embeddings.LayerNorm.{part}"]
    if kind == "mpnet":
        yield "rel.weight", published["encoder.relative_attention_bias.weight"]
    else:
        # A paragraph is a single segment: only the first token type occurs.
        yield "type0", published["embeddings.token_type_embeddings.weight"][0]
    projections, (output, norm) = _ATTENTION[kind]
    names = {"o": output, "n1": norm, "up": "intermediate.dense", "down": "output.dense", "n2": "output.LayerNorm"}
    for place, number in enumerate(layers):
        layer = f"encoder.layer.{number}"
        for part in ("weight", "bias"):
            yield f"layers.{place}.qkv.{part}", torch.cat([published[f"{layer}.{name}.{part}"] for name in projections])
            for own, theirs in names.items():
                yield f"layers.{place}.{own}.{part}", published[f"{layer}.{theirs}.{part}"]
