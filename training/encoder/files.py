"""The files of an encoder: a transformer as plain arrays with small weights, and its tokenizer.

    FOLDER/
    ├── encoder.json     shape and special tokens
    ├── layers.npz       the layers: int8 weights, a scale for each group of a row
    ├── words.npz        vectors of the subwords (int8, a scale for each), of the positions, and of relative distances
    └── tokenizer.json   in the format of the library tokenizers

Nothing in them can run: neither pickles nor graphs. The graph is written in `training.encoder.graph`.
"""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from training.encoder.arrays import Arrays, read_arrays
from training.errors import ModelFileError

SHAPE_FILE, LAYERS_FILE, WORDS_FILE, TOKENIZER_FILE = "encoder.json", "layers.npz", "words.npz", "tokenizer.json"
FILES = (SHAPE_FILE, LAYERS_FILE, WORDS_FILE, TOKENIZER_FILE)
# Beside them: first digits of the digests of the paragraphs that it learned from, and the licence of its weights.
DIGESTS_FILE, LICENCE_FILES = "training-paragraphs.sha256", ("LICENSE", "NOTICE")

_FORMAT = 1
# Weights of a row that share a scale: small groups follow outliers closely, large ones multiply faster.
_GROUP = 128
_MOST = 127

Float = NDArray[np.float32]


class Norm(NamedTuple):
    """Weight and bias of a layer normalisation, (width,) each."""

    weight: Float
    bias: Float


@dataclass(frozen=True, eq=False)
class QuantisedMatrix:
    """A matrix (rows, columns) as int8 values (rows, groups, group) times scales (rows, groups)."""

    values: NDArray[np.int8]
    scales: Float

    @classmethod
    def of(cls, matrix: Float, group: int = _GROUP) -> "QuantisedMatrix":
        """Rounds a matrix, whose number of columns must be a multiple of `group` or smaller, to int8 values."""
        rows, columns = matrix.shape
        group = min(group, columns)
        grouped = np.asarray(matrix, dtype=np.float32).reshape(rows, columns // group, group)
        scales = np.maximum(np.abs(grouped).max(axis=2) / _MOST, np.float32(1e-12)).astype(np.float32)
        return cls(np.rint(grouped / scales[:, :, None]).astype(np.int8), scales)

    def matrix(self) -> Float:
        """Returns the rounded matrix, (rows, columns)."""
        return (self.values.astype(np.float32) * self.scales[:, :, None]).reshape(len(self.values), -1)

    def rows(self, numbers: NDArray[np.int64]) -> Float:
        """Returns some rows of the rounded matrix, (n, columns)."""
        return (self.values[numbers].astype(np.float32) * self.scales[numbers][:, :, None]).reshape(len(numbers), -1)


@dataclass(frozen=True, eq=False)
class LayerWeights:
    """A transformer layer of width d with normalisation after attention and after the feed-forward part.

    attention: (3d, d), queries, keys and values in turn; output: (d, d); up: (inner, d); down: (d, inner).
    """

    attention: QuantisedMatrix
    attention_bias: Float
    output: QuantisedMatrix
    output_bias: Float
    after_attention: Norm
    up: QuantisedMatrix
    up_bias: Float
    down: QuantisedMatrix
    down_bias: Float
    after_layer: Norm


@dataclass(frozen=True, slots=True)
class EncoderShape:
    """Facts about an encoder. `begin`, `end` are the tokens around a paragraph; `base` names the pretrained weights."""

    name: str
    base: str
    attention_heads: int
    epsilon: float
    begin: int
    end: int
    most_tokens: int


@dataclass(frozen=True, eq=False)
class EncoderWeights:
    """An encoder of width d with v subwords.

    words: (v, d); positions: (p, d), from the first token on, with the token type added where the base has such a type;
    relative: (32, heads), what a bucket of relative distance adds to attention, None for absolute positions only.
    """

    shape: EncoderShape
    words: QuantisedMatrix
    positions: Float
    relative: Float | None
    before_layers: Norm
    layers: tuple[LayerWeights, ...]

    @property
    def width(self) -> int:
        """Length d of a vector."""
        return int(self.positions.shape[1])


def write_encoder(folder: Path, weights: EncoderWeights, tokenizer_json: str) -> None:
    """Writes the files of an encoder into a folder, which is created."""
    folder.mkdir(parents=True, exist_ok=True)
    facts = {"format": _FORMAT, "layers": len(weights.layers), **asdict(weights.shape)}
    (folder / TOKENIZER_FILE).write_text(tokenizer_json, encoding="utf-8")
    np.savez(folder / LAYERS_FILE, **dict(_arrays_of_layers(weights.layers)))  # type: ignore[arg-type]
    np.savez(folder / WORDS_FILE, **dict(_arrays_of_words(weights)))  # type: ignore[arg-type]
    # Last, so that a folder that has it is whole.
    (folder / SHAPE_FILE).write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def read_encoder(folder: Path) -> EncoderWeights:
    """Reads the files that `write_encoder` writes; raises `ModelFileError` for anything else."""
    with _as_model_file(folder):
        count, shape = _facts(folder)
        of_layers, of_words = (read_arrays(folder / name) for name in (LAYERS_FILE, WORDS_FILE))
        return EncoderWeights(
            shape=shape,
            words=QuantisedMatrix(of_words["words"], of_words["word_scales"]),
            positions=of_words["positions"],
            relative=of_words.get("relative"),
            before_layers=Norm(of_words["norm_weight"], of_words["norm_bias"]),
            layers=tuple(_layer(of_layers, number) for number in range(count)),
        )


def holds_encoder(folder: Path) -> bool:
    """Whether a folder holds an encoder as `write_encoder` writes it."""
    return (folder / SHAPE_FILE).exists()


def read_shape(folder: Path) -> EncoderShape:
    """Reads the facts about the encoder in a folder; raises `ModelFileError`."""
    with _as_model_file(folder):
        return _facts(folder)[1]


def _facts(folder: Path) -> tuple[int, EncoderShape]:
    """Returns the number of layers and the facts about an encoder."""
    facts: dict[str, Any] = json.loads((folder / SHAPE_FILE).read_bytes())
    if facts.pop("format") != _FORMAT:
        raise ModelFileError("The encoder is in a format that this version does not read.")
    return facts.pop("layers"), EncoderShape(**facts)


@contextmanager
def _as_model_file(folder: Path) -> Iterator[None]:
    """Turns whatever reading files of another kind may raise, which is anything, into `ModelFileError`."""
    try:
        yield
    except ModelFileError:
        raise
    except Exception as error:
        raise ModelFileError(f"The encoder in {folder} cannot be read.") from error


def digest_of(folder: Path) -> str:
    """Returns the SHA-256 of the files of an encoder, by which models refer to it."""
    digest = hashlib.sha256()
    for name in FILES:
        with (folder / name).open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


_MATRICES = ("attention", "output", "up", "down")
_NORMS = ("after_attention", "after_layer")


def _arrays_of_words(weights: EncoderWeights) -> Iterator[tuple[str, NDArray[Any]]]:
    yield "words", weights.words.values
    yield "word_scales", weights.words.scales
    yield "positions", weights.positions
    yield "norm_weight", weights.before_layers.weight
    yield "norm_bias", weights.before_layers.bias
    if weights.relative is not None:
        yield "relative", weights.relative


def _arrays_of_layers(layers: tuple[LayerWeights, ...]) -> Iterator[tuple[str, NDArray[Any]]]:
    for number, layer in enumerate(layers):
        for name in _MATRICES:
            matrix: QuantisedMatrix = getattr(layer, name)
            yield f"{number}.{name}", matrix.values
            yield f"{number}.{name}_scales", matrix.scales
            yield f"{number}.{name}_bias", getattr(layer, f"{name}_bias")
        for name in _NORMS:
            norm: Norm = getattr(layer, name)
            yield f"{number}.{name}_weight", norm.weight
            yield f"{number}.{name}_bias", norm.bias


def _layer(arrays: Arrays, number: int) -> LayerWeights:
    content: dict[str, Any] = {}
    for name in _MATRICES:
        content[name] = QuantisedMatrix(arrays[f"{number}.{name}"], arrays[f"{number}.{name}_scales"])
        content[f"{name}_bias"] = arrays[f"{number}.{name}_bias"]
    for name in _NORMS:
        content[name] = Norm(arrays[f"{number}.{name}_weight"], arrays[f"{number}.{name}_bias"])
    return LayerWeights(**content)
