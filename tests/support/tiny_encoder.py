"""A tiny encoder with random weights, and a base model on it: the shape of the shipped ones, in milliseconds."""

from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit

from labels.annotations import SPECIFIED_STANCES
from labels.codebook import Codebook
from training.encoder import shipped
from training.encoder.files import (
    EncoderShape,
    EncoderWeights,
    LayerWeights,
    Norm,
    QuantisedMatrix,
    digest_of,
    write_encoder,
)
from training.evaluation import evaluate
from training.model_card import DataFacts, EncoderFacts, Kind, ModelCard
from training.registry import base as registry_base
from training.registry.base import BaseModel, write_base
from training.scoring.operating_points import OPERATING_POINTS, above_threshold, fit_cuts

WIDTH, HEADS, LAYERS, MOST_TOKENS = 32, 4, 2, 30
_WORDS = ("army", "the", "people", "rain", "sun", "storm", "blame", "leader", "foreign", "envoys", "grievance", "town")
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
_SPECIAL = ("[UNK]", "<s>", "</s>", "<pad>")


def write_tiny_base(folder: Path, codebook: Codebook) -> Path:
    """Writes a base model into `folder`/encoder and returns `folder`, which stands for `training/base`."""
    place = folder / "encoder"
    write_encoder(place, tiny_weights(), _tokenizer())
    write_base(place, _base(codebook, EncoderFacts("tiny", digest_of(place), "int8", "OpenVINO")))
    return folder


def use_base(folder: Path, monkeypatch: pytest.MonkeyPatch, kind: Kind = "encoder") -> BaseModel:
    """Makes this process take `folder` for the place of the shipped bases, and returns the base of a kind."""
    monkeypatch.setattr(shipped, "BASE_FOLDER", folder)
    return registry_base.read_base(folder / kind)


def tiny_weights(seed: int = 1) -> EncoderWeights:
    """Random weights of two layers of width 32."""
    generator = np.random.default_rng(seed)
    shape = EncoderShape("tiny", "random", HEADS, 1e-5, 1, 2, MOST_TOKENS)
    return EncoderWeights(
        shape=shape,
        words=_matrix(generator, len(_vocabulary()), WIDTH),
        positions=_array(generator, MOST_TOKENS + 2, WIDTH),
        relative=_array(generator, 32, HEADS),
        before_layers=_norm(generator),
        layers=tuple(_layer(generator) for _ in range(LAYERS)),
    )


def _layer(generator: np.random.Generator) -> LayerWeights:
    return LayerWeights(
        attention=_matrix(generator, 3 * WIDTH, WIDTH),
        attention_bias=_array(generator, 3 * WIDTH),
        output=_matrix(generator, WIDTH, WIDTH),
        output_bias=_array(generator, WIDTH),
        after_attention=_norm(generator),
        up=_matrix(generator, 2 * WIDTH, WIDTH),
        up_bias=_array(generator, 2 * WIDTH),
        down=_matrix(generator, WIDTH, 2 * WIDTH),
        down_bias=_array(generator, WIDTH),
        after_layer=_norm(generator),
    )


def _matrix(generator: np.random.Generator, rows: int, columns: int) -> QuantisedMatrix:
    return QuantisedMatrix.of(_array(generator, rows, columns))


def _array(generator: np.random.Generator, *shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return generator.normal(scale=0.3, size=shape).astype(np.float32)


def _norm(generator: np.random.Generator) -> Norm:
    return Norm(1 + _array(generator, WIDTH), _array(generator, WIDTH))


def _vocabulary() -> dict[str, int]:
    pieces = [*_SPECIAL, *_LETTERS, *(f"##{letter}" for letter in _LETTERS), *".,;:!?'\"()-<>/", *_WORDS]
    return {piece: number for number, piece in enumerate(pieces)}


def _tokenizer() -> str:
    from tokenizers import Tokenizer, normalizers, pre_tokenizers
    from tokenizers.models import WordPiece

    tokenizer = Tokenizer(WordPiece(_vocabulary(), unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return str(tokenizer.to_str())


def _base(codebook: Codebook, encoder: EncoderFacts) -> BaseModel:
    generator = np.random.default_rng(2)
    frames, count = codebook.keys, 400
    columns = len(frames) * (1 + len(SPECIFIED_STANCES))
    logits = generator.normal(-1, 2, (count, len(frames)))
    scores, targets = expit(logits), generator.random(logits.shape) < expit(logits)
    fitted = {frame: fit_cuts(scores[:, k], targets[:, k]) for k, frame in enumerate(frames)}
    cuts = {point: {frame: fitted[frame][point] for frame in frames} for point in OPERATING_POINTS}
    decisions = above_threshold(scores, [cuts["balanced"][frame] for frame in frames])
    articles = np.array([f"a{number % 100}" for number in range(count)], dtype=object)
    carrying = dict(zip(frames, targets.sum(axis=0).tolist(), strict=True))
    card = ModelCard(
        created_at="2026-01-01T00:00:00+00:00",
        codebook_name=codebook.name,
        codebook_version=codebook.version,
        frames={frame.key: frame.title for frame in codebook.frames},
        languages=("en",),
        data=DataFacts("0" * 64, count, 100, ("a paper",), 20, 0, carrying),
        hyperparameters={},
        seed=1,
        calibration=dict.fromkeys(frames, (1.0, 0.0)),
        cuts=cuts,
        left_out=evaluate("articles left out", frames, scores, decisions, targets, articles),
        held_out=None,
        baselines=(),
        agreement=dict.fromkeys(frames, 0.8),
        stances=SPECIFIED_STANCES,
        encoder=encoder,
        note="a tiny base",
    )
    coefficients = generator.normal(scale=0.5, size=(WIDTH, columns))
    return BaseModel(card, coefficients, generator.normal(-1, 0.3, columns))
