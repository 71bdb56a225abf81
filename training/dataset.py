"""Datasets: gold paragraphs as arrays of texts, targets and groups, with whole articles held out permanently."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from labels.annotations import SPECIFIED_STANCES, CodedParagraph, Stance, corpus_row
from labels.codebook import Codebook
from labels.gold import settle
from labels.normalise import normalise
from training.errors import TrainingDataError
from training.lexicon import Lexicon, lexicon_of, unify_spelling

HELD_OUT_SHARE = 0.15
# Folds into which all articles fall; a model is refitted without each of them in turn.
FOLDS = 5
# Fewest paragraphs carrying a frame that a model of it can be trained on.
MIN_POSITIVE = 10


@dataclass(frozen=True, slots=True)
class Dataset:
    """n paragraphs with settled gold labels for k frames.

    texts: (n,) as coders read them; normalised: (n,) in the spelling that the features see; targets: (n, k) bool;
    articles and sources: (n,) names; stances: (n, k), the stance of a frame that is present, as its index in
    `SPECIFIED_STANCES`, -1 where the frame is absent or its coders did not specify a stance; coded: (n, k), whether
    any coder decided about the frame. Where none did, the target is False and must not count.
    """

    frames: tuple[str, ...]
    texts: NDArray[np.object_]
    normalised: NDArray[np.object_]
    targets: NDArray[np.bool_]
    articles: NDArray[np.object_]
    sources: NDArray[np.object_]
    stances: NDArray[np.int8]
    coded: NDArray[np.bool_]
    lexicon: Lexicon

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> "Dataset":
        """Returns the dataset of some rows, selected by a mask or by positions."""
        return replace(
            self,
            texts=self.texts[rows],
            normalised=self.normalised[rows],
            targets=self.targets[rows],
            articles=self.articles[rows],
            sources=self.sources[rows],
            stances=self.stances[rows],
            coded=self.coded[rows],
        )

    @property
    def known_targets(self) -> NDArray[np.float64]:
        """Targets (n, k) of 0 and 1, NaN where nobody decided about the frame."""
        return np.where(self.coded, self.targets.astype(float), np.nan)

    @property
    def weights(self) -> NDArray[np.float64] | None:
        """Weights (n, k) for figures: 0 where nobody decided about the frame; None where all count."""
        return None if self.coded.all() else self.coded.astype(float)

    @property
    def coded_stances(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """The m specified stances: row, column of the frame, and index in `SPECIFIED_STANCES`, (m,) each."""
        rows, frames = np.nonzero(self.stances >= 0)
        return rows, frames, self.stances[rows, frames].astype(np.int64)

    @property
    def folds(self) -> NDArray[np.int64]:
        """The fold of each paragraph's article, (n,)."""
        return np.array([fold_of(article) for article in self.articles], dtype=np.int64)

    @property
    def held_out(self) -> NDArray[np.bool_]:
        """Mask (n,) of the paragraphs of held-out articles."""
        held_out = {article: is_held_out(article) for article in set(self.articles)}
        return np.array([held_out[article] for article in self.articles], dtype=bool)


def is_held_out(article: str) -> bool:
    """Whether an article is held out, for evaluation only.

    A hash of its id decides: as data grow no article changes sides, as it would with a seeded shuffle.
    """
    digest = hashlib.sha256(article.encode()).digest()
    return int.from_bytes(digest[:8], "big") < HELD_OUT_SHARE * 2**64


def fold_of(article: str) -> int:
    """Returns the fold of an article, 0 to `FOLDS` - 1.

    A hash of its id decides, so an article is in the same fold in every training run and wherever it is scored.
    """
    digest = hashlib.sha256(f"fold of {article}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % FOLDS


def build_dataset(paragraphs: Sequence[CodedParagraph], codebook: Codebook) -> Dataset:
    """Settles the annotations and selects the n paragraphs on which the coders of no frame are tied.

    A frame that came after a paragraph was coded is not absent from it: it is not coded there.
    """
    gold = [g for g in settle(paragraphs, codebook) if not g.unsettled and len(g.missing) < len(codebook.keys)]
    texts, shape = [g.paragraph.text for g in gold], (len(gold), len(codebook.keys))
    training = [g.paragraph.text for g in gold if not is_held_out(g.paragraph.article)]
    lexicon = lexicon_of(training, codebook)
    return Dataset(
        frames=codebook.keys,
        texts=np.array(texts, dtype=object),
        normalised=np.array(unify_spelling(map(normalise, texts), lexicon), dtype=object),
        targets=np.array([[key in g.frames for key in codebook.keys] for g in gold], dtype=bool).reshape(shape),
        articles=np.array([g.paragraph.article for g in gold], dtype=object),
        sources=np.array([g.paragraph.source for g in gold], dtype=object),
        stances=np.array([[_stance_index(g.stances.get(key)) for key in codebook.keys] for g in gold], np.int8).reshape(
            shape
        ),
        coded=np.array([[key not in g.missing for key in codebook.keys] for g in gold], dtype=bool).reshape(shape),
        lexicon=lexicon,
    )


def _stance_index(stance: Stance | None) -> int:
    return SPECIFIED_STANCES.index(stance) if stance in SPECIFIED_STANCES else -1


def data_digest(paragraphs: Sequence[CodedParagraph]) -> str:
    """Returns the SHA-256 of the annotated paragraphs, independent of their order."""
    rows = sorted(
        json.dumps(corpus_row(p), sort_keys=True, ensure_ascii=False, separators=(",", ":")) for p in paragraphs
    )
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()


def require_trainable(dataset: Dataset) -> None:
    """Raises `TrainingDataError` that names every frame with too few paragraphs that carry it, or that lack it."""
    training = dataset.take(~dataset.held_out)
    require_texts(training)
    faults = []
    for column, frame in enumerate(dataset.frames):
        positive = int(training.targets[:, column].sum())
        if positive < MIN_POSITIVE:
            faults.append(f"'{frame}' has {_paragraphs(positive, 'that carry it', 'that carries it')}")
        elif (negative := int(training.coded[:, column].sum()) - positive) < MIN_POSITIVE:
            lacking = _paragraphs(negative, "that do not carry it", "that does not carry it")
            faults.append(f"'{frame}' has {lacking}")
    if faults:
        raise TrainingDataError(
            f"There are too few annotations to train: outside the held-out articles {'; '.join(faults)}; "
            f"{MIN_POSITIVE} are needed. Code more paragraphs or take the frame out of the codebook."
        )
    if len(set(training.articles)) < 2:
        raise TrainingDataError(
            "All annotations outside the held-out articles come from a single article; at least two articles are "
            f"needed to judge a model of {', '.join(repr(frame) for frame in dataset.frames)}."
        )


def require_texts(training: Dataset) -> None:
    """Raises `TrainingDataError` where the paragraphs have no words, or all the same: no model can tell them apart."""
    different = {text for text in map(str, training.normalised) if any(map(str.isalpha, text))}
    if len(different) > 1 or len(training) < 2:
        return
    fault = "have the same text" if different else "are without words"
    which = f"all {len(training)} annotated paragraphs outside the held-out articles"
    raise TrainingDataError(f"There is nothing to learn from: {which} {fault}.")


def _paragraphs(count: int, plural: str, singular: str) -> str:
    return f"1 paragraph {singular}" if count == 1 else f"{count} paragraphs {plural}"
