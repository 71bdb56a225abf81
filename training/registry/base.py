"""The base models: trained by the makers of this package on annotated news, each version 1 of a registry of its kind.

training/base/KIND/             encoder, encoder-small or words
├── encoder.json, layers.npz …      see `training.encoder.files`; not for words
├── terms.txt                       the words that are counted, each on a line; only for words
├── heads.npz                       calibrated coefficients (d, c) and intercepts (c,) of the heads; of words also
│                                   inverse document frequencies (d,)
├── card.json                       the model card, without a version
├── training-paragraphs.sha256      first digits of the digests of the news that it learned from, which is not shipped
└── NOTICE                          licence of the pretrained weights; not for words
training/base/article.json      how models that learned from nothing score articles
"""

import json
import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from labels.codebook import Codebook
from training.encoder import shipped
from training.encoder.arrays import read_arrays
from training.errors import ModelFileError
from training.model_card import Kind, ModelCard
from training.registry.card import article_facts, card_from_json, card_to_json
from training.registry.model_files import CARD_FILE
from training.registry.renamed import keys_today, renamed_card
from training.scoring.article_score import ArticleFacts
from training.scoring.compiled import CompiledScorer
from training.scoring.encoder_scorer import EncoderScorer
from training.scoring.terms import WORD_PATTERN

HEADS_FILE, TERMS_FILE = "heads.npz", "terms.txt"
# Beside the bases that ship, wherever those of this installation are.
_ARTICLE_FILE = Path(__file__).parents[1] / "base" / "article.json"


@dataclass(frozen=True, eq=False)
class Terms:
    """The d words that a model counts and their inverse document frequencies, (d,)."""

    words: tuple[str, ...]
    idf: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class BaseModel:
    """A base model: its card and its calibrated linear heads, coefficients (d, c) and intercepts (c,).

    `terms` are what a model of words reads; None for an encoder, whose vectors the heads read.
    """

    card: ModelCard
    coefficients: NDArray[np.float64]
    intercepts: NDArray[np.float64]
    terms: Terms | None = None

    @property
    def scorer(self) -> EncoderScorer | CompiledScorer:
        """The scorer of the heads on their encoder or words."""
        frames = len(self.card.frames)
        if self.terms is None:
            return EncoderScorer(self.card.encoder_digest, self.coefficients, self.intercepts, frames)
        return CompiledScorer(
            vocabulary={word: place for place, word in enumerate(self.terms.words)},
            idf=self.terms.idf,
            coefficients=self.coefficients,
            intercepts=self.intercepts,
            token=re.compile(WORD_PATTERN),
            longest=1,
            sublinear=True,
            frames=frames,
        )


def base_for(codebook: Codebook, kind: Kind = "encoder") -> BaseModel | None:
    """Returns the base model of a kind where it has learned the frames of a codebook, else None.

    Frames that were renamed since (`formerly`) have their keys of today on its card.
    """
    base = shipped_base(kind)
    if base is None or base.card.codebook_name != codebook.name or keys_today(base.card, codebook) != codebook.keys:
        return None
    return replace(base, card=renamed_card(base.card, codebook))


def shipped_base(kind: Kind = "encoder") -> BaseModel | None:
    """Returns the base model of a kind of this installation, whatever its frames; None where there is none."""
    folder = shipped.BASE_FOLDER / kind
    return read_base(folder) if (folder / CARD_FILE).exists() else None


def read_base(folder: Path) -> BaseModel:
    """Reads the base model in a folder; raises `ModelFileError`."""
    card = card_from_json((folder / CARD_FILE).read_bytes())
    card = replace(card, data=replace(card.data, of_the_base=card.data.paragraphs))
    try:
        heads = {name: array.astype(float) for name, array in read_arrays(folder / HEADS_FILE).items()}
        terms = None
        if card.kind == "words":
            words = (folder / TERMS_FILE).read_text(encoding="utf-8").splitlines()
            terms = Terms(tuple(words), heads["idf"])
        return BaseModel(card, heads["coefficients"], heads["intercepts"], terms)
    except Exception as error:  # reading a file of another kind may raise anything
        raise ModelFileError("The heads of the base model cannot be read.") from error


def article_facts_without_base() -> ArticleFacts:
    """Returns how a model that has learned from no base scores articles."""
    return article_facts(json.loads(_ARTICLE_FILE.read_text(encoding="utf-8")))


def write_base(folder: Path, base: BaseModel) -> None:
    """Writes card, heads and words of a base model, beside the files of its encoder if it has any."""
    folder.mkdir(parents=True, exist_ok=True)
    heads = {"coefficients": base.coefficients, "intercepts": base.intercepts}
    if base.terms is not None:
        heads["idf"] = base.terms.idf
        (folder / TERMS_FILE).write_text("\n".join(base.terms.words) + "\n", encoding="utf-8")
    small = {name: array.astype(np.float32) for name, array in heads.items()}
    np.savez_compressed(folder / HEADS_FILE, **small)  # type: ignore[arg-type]
    (folder / CARD_FILE).write_text(card_to_json(base.card), encoding="utf-8")
