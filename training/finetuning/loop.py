"""Fine-tuning: an encoder and its heads learn from paragraphs, frames and stances in a single loss.

The recipe of Devlin et al. 2019 with mean pooling (Reimers and Gurevych 2019, "Sentence-BERT").
"""

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from training.cross_validation import ReportProgress, no_progress
from training.encoder.files import LAYERS_FILE, holds_encoder
from training.finetuning.batches import Batch, Subwords, batches_of_similar_length, padded
from training.finetuning.checkpoints import Checkpoints
from training.finetuning.continued import read_own
from training.finetuning.epochs import Material, Targets, epoch_of, targets
from training.finetuning.optimisation import Optimiser, loss_of
from training.finetuning.pretrained import WEIGHTS_FILE, read_pretrained
from training.finetuning.recipe import Recipe
from training.finetuning.transformer import FramingTransformer

_STEP = "fine-tune the encoder"
_STEPS_PER_CHECKPOINT = 100


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """A batch of a run, the targets of its epoch and the rows of them that are the batch's."""

    batch: Batch
    targets: Targets
    rows: list[int]


def fine_tune(
    pretrained: Path,
    material: Material,
    recipe: Recipe,
    folder: Path,
    progress: ReportProgress = no_progress,
    steps_per_checkpoint: int = _STEPS_PER_CHECKPOINT,
) -> FramingTransformer:
    """Returns the fine-tuned model and leaves its weights in `folder`.

    The same call resumes a run that was interrupted from the last checkpoint in `folder`, and ends with the same
    weights. Sets the seed of torch. Raises `ModelFileError` for a pretrained model or a checkpoint that does not fit.
    """
    torch.manual_seed(recipe.seed)
    subwords, model = Subwords(pretrained), starting_model(pretrained, material, recipe)
    steps = sum(_steps_of_epoch(material, recipe, epoch) for epoch in range(recipe.epochs))
    optimiser = Optimiser(model, recipe, steps)
    checkpoints = Checkpoints(folder, recipe, _digest(material, pretrained))
    done = checkpoints.restore(model, optimiser)
    model.train()
    for step, lesson in lessons(material, recipe, subwords, done):
        learn(model, lesson, recipe)
        optimiser.step(step)
        if step % steps_per_checkpoint == 0 or step == steps:
            checkpoints.write(model, optimiser, step)
        progress(_STEP, step / steps)
    model.eval()
    checkpoints.finish(model)
    return model


def starting_model(pretrained: Path, material: Material, recipe: Recipe) -> FramingTransformer:
    """Returns the pretrained model with heads that give each frame its share, or an own encoder with its heads."""
    count = len(material.frames)
    own = holds_encoder(pretrained)
    model = (
        read_own(pretrained, count, recipe.dropout)
        if own
        else read_pretrained(pretrained, count, recipe.dropout, recipe.layers)
    )
    if not model.frame.bias.any():
        shares = material.shares()
        with torch.no_grad():
            model.frame.bias.copy_(torch.tensor(np.log(shares / (1 - shares))))
    model.freeze(recipe.frozen_words, recipe.frozen_layers)
    return model


def lessons(material: Material, recipe: Recipe, subwords: Subwords, done: int = 0) -> Iterator[tuple[int, Lesson]]:
    """Yields the number of each step after those that are done, counted from 1, with its lesson."""
    before = 0
    for epoch in range(recipe.epochs):
        random = np.random.default_rng([recipe.seed, epoch])
        paragraphs = epoch_of(material, recipe, random)
        first, before = before + 1, before + math.ceil(len(paragraphs) / recipe.batch)
        if before <= done:
            continue
        tokens = subwords.tokens([paragraph.text for paragraph in paragraphs], recipe.most_tokens)
        of_epoch = targets(paragraphs, material.frames, recipe.teacher_share)
        batches = batches_of_similar_length([len(item) for item in tokens], recipe.batch, random)
        for step, rows in enumerate(batches, first):
            if step > done:
                yield step, Lesson(padded([tokens[row] for row in rows], subwords.padding), of_epoch, rows)


def learn(model: FramingTransformer, lesson: Lesson, recipe: Recipe) -> None:
    """Adds the gradients of a lesson's loss to those of the model."""
    batch, dtype = lesson.batch, torch.bfloat16 if recipe.bfloat16 else torch.float32
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=recipe.bfloat16):
        frames, stances = model(batch.tokens, batch.mask, batch.own, dtype)
    loss_of(frames, stances, lesson.targets, lesson.rows, recipe.stance_weight).backward()


def _steps_of_epoch(material: Material, recipe: Recipe, epoch: int) -> int:
    """Draws the epoch to count it: the learning rate falls by the number of steps of all epochs."""
    paragraphs = epoch_of(material, recipe, np.random.default_rng([recipe.seed, epoch]))
    return math.ceil(len(paragraphs) / recipe.batch)


def _digest(material: Material, pretrained: Path) -> str:
    weights = pretrained / (LAYERS_FILE if holds_encoder(pretrained) else WEIGHTS_FILE)
    digest = hashlib.sha256(repr((pretrained.resolve().name, weights.stat().st_size, material.frames)).encode())
    for paragraph in (*material.paragraphs, *material.written):
        facts = (paragraph.text, sorted(paragraph.frames.items()), paragraph.weight, paragraph.origin, paragraph.easy)
        digest.update(repr(facts).encode())
        if paragraph.teacher is not None:
            digest.update(paragraph.teacher.frames.tobytes() + paragraph.teacher.stances.tobytes())
    return digest.hexdigest()
