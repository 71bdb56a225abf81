"""What fine-tuning starts from: an encoder in this package's own files, with the vocabulary that the texts need."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from training.encoder.files import TOKENIZER_FILE, EncoderWeights, holds_encoder, read_encoder, write_encoder
from training.finetuning.recipe import Recipe
from training.finetuning.vocabulary import cut_vocabulary
from training.registry.base import HEADS_FILE
from training.registry.model_files import CARD_FILE


def write_start(pretrained: Path, folder: Path, texts: Sequence[str], recipe: Recipe, frames: int) -> None:
    """Writes the encoder that a run starts from into a folder, unless it is there already.

    `pretrained` is a folder as sentence-transformers publishes it, or an encoder of our own, whose heads come along.
    Raises `ModelFileError`.
    """
    if holds_encoder(folder):
        return
    weights, tokenizer = _read(pretrained, folder.with_name(f"{folder.name}-whole"), recipe, frames)
    weights, tokenizer = cut_vocabulary(weights, tokenizer, texts, recipe.most_subwords)
    for name in (HEADS_FILE, CARD_FILE):
        if holds_encoder(pretrained) and (pretrained / name).exists():
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(pretrained / name, folder / name)
    write_encoder(folder, weights, tokenizer)


def _read(pretrained: Path, converted: Path, recipe: Recipe, frames: int) -> tuple[EncoderWeights, str]:
    if not holds_encoder(pretrained):
        from training.finetuning.export import export  # noqa: PLC0415 - torch
        from training.finetuning.pretrained import read_pretrained  # noqa: PLC0415

        export(read_pretrained(pretrained, frames, layers=recipe.layers), pretrained, converted, "start")
        pretrained = converted
    return read_encoder(pretrained), (pretrained / TOKENIZER_FILE).read_text(encoding="utf-8")
