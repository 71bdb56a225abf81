"""Annotated news with the vectors of an encoder, in three parts: learned from, held out, and `dev`.

The parts are by article. An encoder of this project learned from the first; its heads were calibrated on the second.
Vectors are stored in a folder outside the repository, because it takes an hour to encode everything on a busy machine.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.documents import show
from labels.codebook import Codebook
from training.dataset import Dataset, build_dataset
from training.encoder.encoder import Encoder
from training.encoder.files import DIGESTS_FILE, digest_of
from training.encoder.vectors import VectorStore
from training.finetuning.paragraphs import is_held_out
from training.registry.base import BaseModel, read_base
from training.reports.coded_files import read_coded

WORK = Path.home() / ".cache" / "framing-benchmarks"

Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class News:
    """n annotated paragraphs: `topics` (n,), and masks (n,) of the parts; those that are in neither are `dev`."""

    dataset: Dataset
    topics: NDArray[np.object_]
    learned: Mask
    held_out: Mask

    def of(self, outlet: str) -> Mask:
        """The paragraphs of an outlet that no encoder learned from, (n,)."""
        return np.asarray((self.dataset.sources == outlet) & ~self.learned, dtype=np.bool_)


def read_news(path: Path, codebook: Codebook, articles: int | None = None) -> News:
    """Reads annotated news; with `articles`, only so many of them, by a digest of their ids."""
    train, dev = (read_coded(path, codebook, split=split) for split in ("train", "dev"))
    names = {row.paragraph.article for row in (*train, *dev)}
    chosen = set(sorted(names, key=lambda name: hashlib.sha256(f"chosen {name}".encode()).digest())[:articles])
    rows = [(row, split) for rows, split in ((train, "train"), (dev, "dev")) for row in rows]
    rows = [(row, split) for row, split in rows if row.paragraph.article in chosen]
    in_train = np.array([split == "train" for _, split in rows])
    held_out = np.array([is_held_out(row.paragraph.article) for row, _ in rows])
    return News(
        # A coder each: no annotation is tied, so that the dataset has all of them in their order.
        dataset=build_dataset([row.paragraph for row, _ in rows], codebook),
        topics=np.array([row.topic for row, _ in rows], dtype=object),
        learned=in_train & ~held_out,
        held_out=in_train & held_out,
    )


class EncodedNews:
    """A base model in a folder, and the vectors of its encoder."""

    def __init__(self, folder: Path, work: Path = WORK) -> None:
        self.base: BaseModel = read_base(folder)
        self.name = folder.name
        self._digest = digest_of(folder)
        self._store = VectorStore(work / "vectors", Encoder.read(folder))
        self._learned = frozenset((folder / DIGESTS_FILE).read_text(encoding="utf-8").split())

    def vectors(self, texts: list[str]) -> NDArray[np.float64]:
        """The vectors (n, d) of n paragraphs, stored or new."""
        shown = set[str]()

        def progress(share: float) -> None:
            if (line := f"{self.name}: {share:.1f} of the new paragraphs encoded") not in shown:
                shown.add(line)
                show(line)

        return self._store.means(self._digest, texts, progress)

    def learned_from(self, texts: list[str]) -> Mask:
        """Whether the encoder was fine-tuned on each of n paragraphs, (n,)."""
        digits = max(map(len, self._learned), default=0)
        return np.array([hashlib.sha256(text.encode()).hexdigest()[:digits] in self._learned for text in texts])

    def require_unseen(self, texts: list[str]) -> None:
        """Ends the program if the encoder learned from paragraphs that it is to be judged on."""
        if count := int(self.learned_from(texts).sum()):
            raise SystemExit(f"The encoder {self.name} learned from {count} of the paragraphs that would judge it.")
