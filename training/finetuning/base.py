"""Makes the base model: fine-tunes an encoder on annotated news, judges it on held-out articles, writes its files."""

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version as library_version
from pathlib import Path

import numpy as np

from labels.annotations import SPECIFIED_STANCES
from labels.codebook import Codebook
from training.cross_validation import ReportProgress, no_progress
from training.dataset import Dataset
from training.encoder.encoder import Encoder
from training.encoder.files import digest_of
from training.encoder.heads import Heads
from training.errors import TrainingDataError
from training.finetuning.assembly import CalibratedHeads, calibrate, vectors_of
from training.finetuning.epochs import Material, frames_and_stances
from training.finetuning.paragraphs import LearnedParagraph, is_held_out, read_annotated, read_written
from training.finetuning.recipe import Recipe
from training.lexicon import lexicon_of
from training.model_card import DataFacts, EncoderFacts, ModelCard
from training.registry.base import BaseModel, write_base
from training.reports.learned_paragraphs import DIGESTS_FILE

PRECISION = "int8 weights, activations rounded to int8 in groups of 128"
# Of each digest, so many digits are stored: enough to tell twelve thousand paragraphs from all others.
_DIGITS = 16


@dataclass(frozen=True, slots=True)
class Sources:
    """The files that a base model is made from.

    `pretrained` is a folder as sentence-transformers publishes them. `annotated` are files of annotated paragraphs,
    `other` are files of paragraphs of other news, which carry no frame, and `uncoded` are files of paragraphs without
    annotations, which say how frequent each kind of paragraph is.
    """

    pretrained: Path
    annotated: tuple[Path, ...]
    other: tuple[Path, ...] = ()
    uncoded: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Paragraphs to learn from, paragraphs to judge on, and the texts of the population that the latter stand for."""

    learned: tuple[LearnedParagraph, ...]
    judged: tuple[LearnedParagraph, ...]
    population: tuple[str, ...]


def make_base(
    sources: Sources,
    codebook: Codebook,
    work: Path,
    folder: Path,
    *,
    recipe: Recipe | None = None,
    note: str = "",
    progress: ReportProgress = no_progress,
) -> BaseModel:
    """Makes a base model and writes its files into `folder`, once all of them are made.

    Checkpoints go into `work`, from which the same call resumes. Takes one to two hours on two cores. Raises
    `TrainingDataError` where no article is left to judge it on.
    """
    from training.finetuning.export import export  # noqa: PLC0415 - torch, which only fine-tuning needs
    from training.finetuning.loop import fine_tune  # noqa: PLC0415

    recipe = recipe or Recipe()
    split = split_articles(sources, codebook)
    material = Material(codebook.keys, split.learned, read_written(codebook))
    model = fine_tune(sources.pretrained, material, recipe, work, progress)
    made = work / "made"
    heads = Heads(*(array.astype(np.float64) for array in export(model, sources.pretrained, made, "encoder")))
    base = finish_base(split, codebook, made, heads, recipe, sources.pretrained, note=note, progress=progress)
    shutil.copytree(made, folder, dirs_exist_ok=True)
    return base


def finish_base(
    split: Split,
    codebook: Codebook,
    folder: Path,
    heads: Heads,
    recipe: Recipe,
    pretrained: Path,
    *,
    note: str = "",
    progress: ReportProgress = no_progress,
) -> BaseModel:
    """Calibrates the heads of an encoder in `folder` on the held-out articles, and writes what is missing there."""
    encoder = Encoder.read(folder)
    judged = _dataset(split.judged, codebook)
    vectors = vectors_of(encoder, [paragraph.text for paragraph in split.judged], progress)
    population = vectors_of(encoder, split.population, progress)
    calibrated = calibrate(heads, judged, vectors, population)
    encoder_facts = EncoderFacts(
        name=pretrained.resolve().name,
        digest=digest_of(folder),
        precision=PRECISION,
        runtime=f"OpenVINO {library_version('openvino')}",
    )
    card = _card(split, codebook, calibrated, encoder_facts, recipe, note)
    base = BaseModel(card, calibrated.heads.coefficients, calibrated.heads.intercepts)
    write_base(folder, base)
    lines = sorted({hashlib.sha256(paragraph.text.encode()).hexdigest()[:_DIGITS] for paragraph in split.learned})
    (folder / DIGESTS_FILE).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return base


def split_articles(sources: Sources, codebook: Codebook) -> Split:
    """Returns the paragraphs to learn from and to judge on; raises `TrainingDataError` without any of the latter."""
    annotated = [paragraph for path in sources.annotated for paragraph in read_annotated(path, codebook)]
    other = [paragraph for path in sources.other for paragraph in read_annotated(path, codebook)]
    uncoded = [paragraph for path in sources.uncoded for paragraph in read_annotated(path, codebook)]
    split = Split(
        learned=tuple(paragraph for paragraph in annotated + other if not is_held_out(paragraph.article)),
        judged=tuple(paragraph for paragraph in annotated if is_held_out(paragraph.article)),
        population=tuple(paragraph.text for paragraph in uncoded if is_held_out(paragraph.article)),
    )
    if not split.judged:
        raise TrainingDataError(
            "None of the annotated articles is in the fifth that is held out to calibrate and judge the model on: "
            "give more articles."
        )
    return split


def _dataset(paragraphs: Sequence[LearnedParagraph], codebook: Codebook) -> Dataset:
    """Returns paragraphs as a dataset; an encoder needs no normalised spelling, and outlets do not matter here."""
    presence, stances = frames_and_stances(paragraphs, codebook.keys)
    texts = np.array([paragraph.text for paragraph in paragraphs], dtype=object)
    articles = np.array([paragraph.article for paragraph in paragraphs], dtype=object)
    return Dataset(
        frames=codebook.keys,
        texts=texts,
        normalised=texts,
        targets=presence.astype(bool),
        articles=articles,
        sources=articles,
        stances=stances.astype(np.int8),
        lexicon=lexicon_of([], codebook),
    )


def _card(
    split: Split, codebook: Codebook, calibrated: CalibratedHeads, encoder: EncoderFacts, recipe: Recipe, note: str
) -> ModelCard:
    carrying = frames_and_stances(split.learned, codebook.keys)[0].sum(axis=0)
    digest = hashlib.sha256()
    for paragraph in split.learned:
        digest.update(json.dumps([paragraph.text, sorted(paragraph.frames.items())]).encode())
    return ModelCard(
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        codebook_name=codebook.name,
        codebook_version=codebook.version,
        frames={frame.key: frame.title for frame in codebook.frames},
        languages=("en",),
        data=DataFacts(
            digest=digest.hexdigest(),
            paragraphs=len(split.learned),
            articles=len({paragraph.article for paragraph in split.learned}),
            sources=tuple(sorted({paragraph.outlet for paragraph in split.learned if paragraph.outlet})),
            held_out_articles=len({paragraph.article for paragraph in split.judged}),
            unsettled=0,
            carrying={key: int(count) for key, count in zip(codebook.keys, carrying, strict=True)},
        ),
        hyperparameters=asdict(recipe),
        seed=recipe.seed,
        calibration=calibrated.calibration,
        cuts=calibrated.cuts,
        left_out=calibrated.left_out,
        stances=SPECIFIED_STANCES,
        stances_left_out=calibrated.stances_left_out,
        held_out=None,
        baselines=(),
        agreement=dict.fromkeys(codebook.keys),
        encoder=encoder,
        note=note,
    )
