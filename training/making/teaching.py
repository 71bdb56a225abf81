"""A large model teaches a small model: its scores of paragraphs without annotations are what that model learns."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from labels.annotations import SPECIFIED_STANCES
from training.cross_validation import ReportProgress
from training.encoder.encoder import Encoder
from training.encoder.heads import Heads
from training.finetuning.paragraphs import LearnedParagraph, with_teacher
from training.making.assembly import vectors_of
from training.registry.base import read_base
from training.scoring.compiled import sigmoid, softmax

SCORES_FILE = "teacher.npz"
# So many paragraphs take a large encoder some ten minutes on two cores.
_MOST = 12_000


def taught(
    paragraphs: Sequence[LearnedParagraph], teacher: Path, work: Path, progress: ReportProgress
) -> tuple[LearnedParagraph, ...]:
    """Returns a sample of the paragraphs with the scores of the base model in the folder `teacher`.

    The scores are stored in `work` once they are computed.
    """
    chosen = np.sort(np.random.default_rng(0).permutation(len(paragraphs))[:_MOST]).tolist()
    paragraphs = [paragraphs[number] for number in chosen]
    stored = work / SCORES_FILE
    if not stored.exists():
        frames, stances = _scores([paragraph.text for paragraph in paragraphs], teacher, progress)
        work.mkdir(parents=True, exist_ok=True)
        unfinished = work / f"unfinished-{SCORES_FILE}"
        np.savez(unfinished, frames=frames, stances=stances)
        unfinished.replace(stored)
    with np.load(stored, allow_pickle=False) as arrays:
        return with_teacher(paragraphs, arrays["frames"], arrays["stances"])


def _scores(
    texts: Sequence[str], teacher: Path, progress: ReportProgress
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Returns the scores of the frames, (n, k), and the distributions of their stances, (n, k, 3)."""
    base, encoder = read_base(teacher), Encoder.read(teacher)
    vectors = vectors_of(encoder, texts, lambda _step, share: progress("score paragraphs with the teacher", share))
    logits = Heads(base.coefficients, base.intercepts).logits(vectors.astype(np.float64))
    count = len(base.card.frames)
    of_stances = logits[:, count : count * (1 + len(SPECIFIED_STANCES))]
    stances = softmax(of_stances.reshape(len(logits), count, -1))
    return sigmoid(logits[:, :count]).astype(np.float32), stances.astype(np.float32)
