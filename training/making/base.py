"""Makes a base model with an encoder: fine-tunes it on annotated news and judges it on held-out articles."""

import shutil
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from labels.codebook import Codebook
from training.cross_validation import ReportProgress, no_progress
from training.encoder.encoder import Encoder
from training.encoder.files import DIGESTS_FILE, digest_of, holds_encoder
from training.encoder.heads import Heads, side_by_side
from training.encoder.runtime import runtime_name
from training.finetuning.epochs import Material
from training.finetuning.paragraphs import read_written
from training.finetuning.recipe import Recipe, recipe_for
from training.finetuning.start import write_start
from training.making.assembly import calibrate, vectors_of
from training.making.card import describe
from training.making.sources import Sources, Split, dataset_of, split_articles
from training.making.subject import SubjectMaterial, fit_subject, written_paragraphs
from training.making.teaching import taught
from training.model_card import EncoderFacts, EncoderKind
from training.registry.base import BaseModel, write_base
from training.registry.learned import digests_of, to_file

PRECISION = "int8 weights, activations rounded to int8 in groups of 128"


def make_base(
    sources: Sources,
    codebook: Codebook,
    pretrained: Path,
    kind: EncoderKind,
    work: Path,
    folder: Path,
    *,
    recipe: Recipe | None = None,
    note: str = "",
    progress: ReportProgress = no_progress,
) -> BaseModel:
    """Makes a base model with an encoder and writes its files into `folder`, once all of them are made.

    `pretrained` is a folder as sentence-transformers publishes them, or an encoder of our own, which learns further.
    Checkpoints go into `work`, from which the same call resumes. Takes up to two hours on two cores. Raises
    `TrainingDataError` where no article is left to judge it on.
    """
    from training.finetuning.export import export  # noqa: PLC0415 - torch, which only fine-tuning needs
    from training.finetuning.loop import fine_tune  # noqa: PLC0415

    recipe = recipe or recipe_for(kind, further=holds_encoder(pretrained))
    split = split_articles(sources, codebook)
    learned, written = split.learned, read_written(codebook)
    if sources.teacher:
        learned += taught(split.uncoded, sources.teacher, work, progress)
    texts = [paragraph.text for paragraph in (*split.learned, *split.uncoded, *written)]
    start = work / "start"
    write_start(pretrained, start, texts, recipe, len(codebook.keys))
    model = fine_tune(start, Material(codebook.keys, learned, written), recipe, work, progress)
    made = work / "made"
    heads = Heads(*(array.astype(np.float64) for array in export(model, start, made, kind)))
    base = finish_base(split, codebook, made, heads, recipe, note=note, progress=progress)
    shutil.copytree(made, folder, dirs_exist_ok=True)
    return base


def finish_base(
    split: Split,
    codebook: Codebook,
    folder: Path,
    heads: Heads,
    recipe: Recipe,
    *,
    note: str = "",
    progress: ReportProgress = no_progress,
) -> BaseModel:
    """Calibrates the heads of an encoder in `folder` on the held-out articles, and writes what is missing there."""
    encoder = Encoder.read(folder)
    judged = dataset_of(split.judged, codebook)
    vectors = vectors_of(encoder, [paragraph.text for paragraph in split.judged], progress)
    population = vectors_of(encoder, split.population, progress)
    calibrated = calibrate(heads, judged, vectors, population)
    facts_of_encoder, all_heads = _facts(encoder, folder), calibrated.heads
    card = describe(split, codebook, calibrated, facts_of_encoder, asdict(recipe), recipe.seed, note)
    if codebook.subject and split.judged_others:
        learned = (*split.learned, *written_paragraphs(codebook))
        material = SubjectMaterial(learned, split.judged, split.judged_others)
        head, facts = fit_subject(codebook.subject, encoder, material, vectors, progress)
        card, all_heads = replace(card, subject=facts), side_by_side([all_heads, head])
    base = BaseModel(card, all_heads.coefficients, all_heads.intercepts)
    write_base(folder, base)
    write_digests(folder, split)
    return base


def _facts(encoder: Encoder, folder: Path) -> EncoderFacts:
    return EncoderFacts(
        name=encoder.weights.shape.base,
        digest=digest_of(folder),
        precision=PRECISION,
        runtime=runtime_name(),
        kind="encoder-small" if encoder.weights.shape.name == "encoder-small" else "encoder",
    )


def write_digests(folder: Path, split: Split) -> None:
    """Writes the first digits of the digests of the paragraphs that a base learned from."""
    (folder / DIGESTS_FILE).write_bytes(to_file(digests_of(paragraph.text for paragraph in split.learned)))
