"""Fine-tunes an encoder of this installation further, on a user's own paragraphs. This module itself needs no torch.

WORK/
├── run                    what the run learns from, as a digest: another run starts again
├── state.pt, weights.pt   see `training.finetuning.checkpoints`
├── start/                 the encoder without its heads, for a codebook that it has not learned
└── made/                  the fine-tuned encoder
"""

import fcntl
import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from training.cross_validation import ReportProgress, no_progress
from training.encoder.files import FILES, LAYERS_FILE, WORDS_FILE, digest_of, holds_encoder, read_shape
from training.encoder.heads import Heads
from training.errors import FineTuningError
from training.finetuning.epochs import Material
from training.finetuning.recipe import Recipe
from training.model_card import EncoderKind

# What the extra `finetune` installs.
PACKAGES = ("torch", "safetensors")
_RUN_FILE = "run"
# A checkpoint holds each int8 weight as three numbers of four bytes; while it is replaced there are two of them.
_DISK_BY_SIZE = 26


@dataclass(frozen=True, slots=True, eq=False)
class FurtherTuned:
    """A fine-tuned encoder in a folder, and the heads of k frames and of their stances that it learned with."""

    folder: Path
    heads: Heads


def require_packages() -> None:
    """Raises `FineTuningError` where the extra `finetune` is not installed."""
    if not all(map(find_spec, PACKAGES)):
        raise FineTuningError("Install media-framing[finetune] to fine-tune an encoder.")


@contextmanager
def work_folder(folder: Path) -> Iterator[Path]:
    """A folder for a single run at a time, which is deleted when the run succeeds and stays for it to resume if not.

    Raises `FineTuningError` where another process uses it.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise FineTuningError(
                f"Another process is fine-tuning an encoder in {folder}: wait for it, or stop it."
            ) from error
        yield folder
        shutil.rmtree(folder, ignore_errors=True)


def tune_further(
    encoder: Path,
    material: Material,
    recipe: Recipe,
    kind: EncoderKind,
    work: Path,
    *,
    with_heads: bool,
    progress: ReportProgress = no_progress,
) -> FurtherTuned:
    """Fine-tunes the encoder in a folder; the same call resumes from the last checkpoint in `work`.

    Its own heads, of the same frames, learn on `with_heads`; else new heads start from nothing. Raises
    `FineTuningError` where the disk is too full.
    """
    from training.finetuning.export import export  # noqa: PLC0415 - torch
    from training.finetuning.loop import fine_tune  # noqa: PLC0415

    _begin(work, _digest(encoder, material, recipe, with_heads=with_heads))
    _require_space(encoder, work)
    start = encoder if with_heads else _without_heads(encoder, work / "start")
    model = fine_tune(start, material, recipe, work, progress)
    made = work / "made"
    arrays = export(model, start, made, kind, read_shape(start).most_tokens)
    return FurtherTuned(made, Heads(*(array.astype(np.float64) for array in arrays)))


def _digest(encoder: Path, material: Material, recipe: Recipe, *, with_heads: bool) -> str:
    facts = [(p.article, p.text, sorted(p.frames.items())) for p in material.paragraphs]
    content = repr((digest_of(encoder), material.frames, recipe, with_heads, facts))
    return hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()


def _begin(work: Path, run: str) -> None:
    """Empties the folder where another run stopped in it, whose checkpoint is of no use to this run."""
    stored = work / _RUN_FILE
    if stored.exists() and stored.read_text(encoding="utf-8") == run:
        return
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    stored.write_text(run, encoding="utf-8")


def _require_space(encoder: Path, work: Path) -> None:
    needed = _DISK_BY_SIZE * sum((encoder / name).stat().st_size for name in (LAYERS_FILE, WORDS_FILE))
    present = sum(path.stat().st_size for path in work.rglob("*") if path.is_file())
    free = shutil.disk_usage(work).free
    if free + present < needed:
        raise FineTuningError(
            f"Fine-tuning needs some {needed / 1e9:.1f} GB for its checkpoints in {work}, and {free / 1e9:.1f} GB are "
            "free there."
        )


def _without_heads(encoder: Path, folder: Path) -> Path:
    """Copies the files of an encoder alone: heads of other frames beside them would be learned on from."""
    if not holds_encoder(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for name in sorted(FILES, reverse=True):  # encoder.json, which says that the folder is whole, last
            shutil.copyfile(encoder / name, folder / name)
    return folder
