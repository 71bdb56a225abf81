"""The base model: trained by the makers of this package on annotated news, and version 1 of a registry.

training/base/encoder/
├── encoder.json, layers.npz, words.npz, tokenizer.json     see `training.encoder.files`
├── heads.npz                       calibrated coefficients (d, c) and intercepts (c,) of the linear heads
├── card.json                       the model card, without a version
├── training-paragraphs.sha256      first digits of the digests of the news that it learned from, which is not shipped
└── NOTICE                          licence of the pretrained weights
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from labels.codebook import Codebook
from training.encoder.shipped import BASE_FOLDER
from training.errors import ModelFileError
from training.model_card import ModelCard
from training.registry.card import card_from_json, card_to_json
from training.registry.model_files import CARD_FILE
from training.scoring.encoder_scorer import EncoderScorer

HEADS_FILE = "heads.npz"
_ENCODER = BASE_FOLDER / "encoder"


@dataclass(frozen=True, eq=False)
class BaseModel:
    """The base model: its card and its calibrated linear heads, coefficients (d, c) and intercepts (c,)."""

    card: ModelCard
    coefficients: NDArray[np.float64]
    intercepts: NDArray[np.float64]

    @property
    def scorer(self) -> EncoderScorer:
        """The scorer of the heads on their encoder."""
        return EncoderScorer(self.card.encoder_digest, self.coefficients, self.intercepts, len(self.card.frames))


def base_for(codebook: Codebook) -> BaseModel | None:
    """Returns the base model where it has learned the frames of a codebook, else None."""
    base = shipped_base()
    return base if base and base.card.codebook_name == codebook.name and base.card.frame_keys == codebook.keys else None


def shipped_base() -> BaseModel | None:
    """Returns the base model of this installation, whatever frames it has learned; None where there is none."""
    return read_base(_ENCODER) if (_ENCODER / CARD_FILE).exists() else None


def read_base(folder: Path) -> BaseModel:
    """Reads the base model in a folder; raises `ModelFileError`."""
    card = card_from_json((folder / CARD_FILE).read_bytes())
    try:
        with np.load(folder / HEADS_FILE, allow_pickle=False) as arrays:
            return BaseModel(card, arrays["coefficients"].astype(float), arrays["intercepts"].astype(float))
    except Exception as error:  # reading a file of another kind may raise anything
        raise ModelFileError("The heads of the base model cannot be read.") from error


def write_base(folder: Path, base: BaseModel) -> None:
    """Writes card and heads of the base model beside the files of its encoder."""
    np.savez_compressed(
        folder / HEADS_FILE,
        coefficients=base.coefficients.astype(np.float32),
        intercepts=base.intercepts.astype(np.float32),
    )
    (folder / CARD_FILE).write_text(card_to_json(base.card), encoding="utf-8")
