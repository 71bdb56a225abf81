"""A challenger whose encoder learned from a user's annotations too.

Of the articles that are not held out, the encoder and its heads learn from four fifths. Calibration, cuts and figures
come from the last fifth, which neither has seen: a model is surer of paragraphs that it has learned than of news to
come. The verdict compares on the held-out articles, as ever.
"""

import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from labels.annotations import SPECIFIED_STANCES, UNSPECIFIED, CodedParagraph, Stance
from labels.codebook import Codebook
from training.challenger import Challenger, Fitted, calibrate, data_facts, describe
from training.cross_validation import LeftOut, ReportProgress, article_folds, assign_folds, no_progress
from training.dataset import MIN_POSITIVE, Dataset, build_dataset
from training.encoder.encoder import Encoder
from training.encoder.files import DIGESTS_FILE, LICENCE_FILES, digest_of
from training.encoder.heads import Array, Heads, choose, fit_separately, of_presence, side_by_side
from training.encoder.runtime import runtime_name
from training.encoder.shipped import folder_of
from training.encoder.vectors import VectorStore
from training.errors import FineTuningError
from training.finetuning.epochs import Material
from training.finetuning.further import FurtherTuned, tune_further
from training.finetuning.paragraphs import LearnedParagraph, is_held_out
from training.finetuning.recipe import Recipe, recipe_for
from training.hyperparameters import Start
from training.kinds.adapted import data_of_both
from training.kinds.choice import base_of, encoder_of_kind
from training.kinds.learning import fit_stances, held_out_figures
from training.model_card import EncoderFacts, EncoderKind, ModelCard
from training.pipeline import linear_pipeline
from training.registry.base import BaseModel
from training.registry.learned import digests_of, learned_beside, learned_by_base, to_file
from training.stances import MIN_CODED, column_calibration, stances_learnable

_HOW = "articles set aside from fine-tuning"


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """Which of n paragraphs are learned from, set aside for calibration, and held out: masks (n,)."""

    learned: NDArray[np.bool_]
    aside: NDArray[np.bool_]
    held_out: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class FineTuned:
    """A challenger, and the folder of the encoder that it reads, which is still to be stored."""

    challenger: Challenger
    encoder: Path


@dataclass(frozen=True, slots=True, eq=False)
class _Setting:
    """What fine-tuning starts from: an encoder, the base with its heads where these learn on, and how it learns."""

    encoder: EncoderFacts
    base: BaseModel | None
    recipe: Recipe
    seed: int
    note: str


def require_tunable(paragraphs: Sequence[CodedParagraph], codebook: Codebook) -> None:
    """Raises `FineTuningError` where the annotations do not suffice; takes seconds, and fine-tuning may take hours."""
    parts_of(build_dataset(paragraphs, codebook))


def fine_tune_kind(
    kind: EncoderKind,
    paragraphs: Sequence[CodedParagraph],
    codebook: Codebook,
    work: Path,
    *,
    vectors: Path | None = None,
    start: Start = "base",
    seed: int,
    note: str = "",
    progress: ReportProgress = no_progress,
) -> FineTuned:
    """Fine-tunes the shipped encoder of a kind, and makes a challenger of heads on what it has become.

    `work` is the folder of checkpoints, from which the same call resumes, and `vectors` that of a `VectorStore`. Raises
    `FineTuningError` where there are too few annotations, `ModelFileError` where this installation has no such encoder.
    """
    dataset = build_dataset(paragraphs, codebook)
    parts = parts_of(dataset)
    base = base_of(kind, codebook, start)
    recipe = replace(recipe_for(kind, further=base is not None), written=0, seed=seed)
    setting = _Setting(encoder_of_kind(kind), base, recipe, seed, note)
    material = Material(dataset.frames, learned_paragraphs(dataset.take(parts.learned)))
    shipped = _folder(setting.encoder)
    tuned = tune_further(shipped, material, recipe, kind, work, with_heads=base is not None, progress=progress)
    _write_beside(tuned.folder, shipped, dataset.texts[~parts.held_out])
    store = VectorStore(vectors, Encoder.read(tuned.folder))
    facts = replace(
        setting.encoder,
        digest=digest_of(tuned.folder),
        runtime=runtime_name(),
        fine_tuned_from=setting.encoder.digest,
        own_paragraphs=len(material.paragraphs),
    )
    texts = list(dataset.texts)
    means = store.means(facts.digest, texts, lambda share: progress("encode paragraphs", share))
    with threadpool_limits(limits=1):
        heads, fitted, pulls = _calibrated(means, dataset, parts, tuned, setting, progress)
    progress("evaluate", 0.0)
    card = _card(paragraphs, dataset, parts, codebook, fitted, setting, pulls)
    if parts.held_out.any():
        judged = dataset.take(parts.held_out)
        card = replace(card, held_out=held_out_figures(heads, fitted.cuts, means[parts.held_out], judged))
    progress("evaluate", 1.0)
    learned = learned_by_base(kind) | digests_of(dataset.texts[~parts.held_out])
    challenger = Challenger(fitted.pipeline, replace(card, encoder=facts), fitted.left_out, learned)
    return FineTuned(challenger, tuned.folder)


def learned_paragraphs(dataset: Dataset) -> tuple[LearnedParagraph, ...]:
    """Returns what an encoder learns from: the paragraphs in which every frame was decided about."""
    return tuple(_learned(dataset, row) for row in np.flatnonzero(dataset.coded.all(axis=1)).tolist())


def _learned(dataset: Dataset, row: int) -> LearnedParagraph:
    frames = {dataset.frames[k]: _stance(int(dataset.stances[row, k])) for k in np.flatnonzero(dataset.targets[row])}
    return LearnedParagraph(dataset.articles[row], dataset.texts[row], frames, "random", outlet=dataset.sources[row])


def _stance(number: int) -> Stance:
    return SPECIFIED_STANCES[number] if number >= 0 else UNSPECIFIED


def parts_of(dataset: Dataset) -> Parts:
    """Splits the paragraphs by article; raises `FineTuningError` where a part has too few of a frame."""
    held_out = dataset.held_out
    fifth = np.array([is_held_out(article) for article in dataset.articles], dtype=bool)
    parts = Parts(~held_out & ~fifth & dataset.coded.all(axis=1), ~held_out & fifth, held_out)
    faults = [
        *_faults(dataset.take(parts.learned), "to learn from"),
        *_faults(dataset.take(parts.aside), "set aside for calibration"),
    ]
    if faults:
        raise FineTuningError(
            f"There are too few annotations to fine-tune an encoder: of the paragraphs {'; '.join(faults)}, and "
            f"{MIN_POSITIVE} are needed of each. A fifth of the articles that are not held out is set aside, so some "
            f"{6 * MIN_POSITIVE} paragraphs of each frame from many articles suffice. Without --finetune only heads "
            "learn, which takes fewer."
        )
    return parts


def _faults(part: Dataset, what: str) -> list[str]:
    faults = []
    for k, frame in enumerate(part.frames):
        carrying = int(part.targets[:, k].sum())
        if carrying < MIN_POSITIVE:
            faults.append(f"{what}, {carrying} carry '{frame}'")
        elif (without := int(part.coded[:, k].sum()) - carrying) < MIN_POSITIVE:
            faults.append(f"{what}, {without} do not carry '{frame}'")
    return faults


def _folder(encoder: EncoderFacts) -> Path:
    folder = folder_of(encoder.digest)
    if folder is None:
        raise FineTuningError(
            f"The shipped encoder '{encoder.name}' is damaged, so it cannot be fine-tuned: install this program again."
        )
    return folder


def _write_beside(folder: Path, shipped: Path, texts: Iterable[str]) -> None:
    """Writes the digests of all paragraphs that the model has learned from, and the licence of the weights."""
    for name in LICENCE_FILES:
        if (shipped / name).exists():
            shutil.copyfile(shipped / name, folder / name)
    (folder / DIGESTS_FILE).write_bytes(to_file(learned_beside(shipped) | digests_of(texts)))


def _calibrated(
    means: Array, dataset: Dataset, parts: Parts, tuned: FurtherTuned, setting: _Setting, progress: ReportProgress
) -> tuple[Heads, Fitted, dict[str, float]]:
    """Returns calibrated heads, what is known about them, and the pull towards those that the encoder learned with."""
    aside, count = dataset.take(parts.aside), len(dataset.frames)
    learned, vectors = dataset.take(parts.learned), means[parts.learned]
    known = tuned.heads.columns(slice(0, count))

    def fit(pull: float) -> Heads:
        return fit_separately(vectors, learned.known_targets, known, pull)

    pull, logits = choose(
        lambda pull: fit(pull).logits(means[parts.aside]),
        aside.known_targets,
        of_presence,
        lambda share: progress("fit", share),
    )
    of_stances, stances = _stance_heads(vectors, learned, tuned, setting)
    stance_logits = of_stances.logits(means[parts.aside]).reshape(len(aside), -1, max(1, len(stances)))
    measured = bool(stances) and len(aside.coded_stances[0]) >= MIN_CODED
    left_out = LeftOut(_HOW, logits, article_folds(aside)[1], stance_logits if measured else None)
    calibration, cuts = calibrate(aside, left_out)
    slopes, offsets = (np.array(column) for column in zip(*calibration.values(), strict=True))
    if measured:
        of_stances = of_stances.calibrated(*column_calibration(aside, stance_logits))
    heads = side_by_side([fit(pull).calibrated(slopes, offsets), of_stances])
    pipeline = linear_pipeline(heads.coefficients, heads.intercepts, setting.seed)
    return heads, Fitted(pipeline, calibration, cuts, stances, left_out), {"frames": pull}


def _stance_heads(
    vectors: Array, learned: Dataset, tuned: FurtherTuned, setting: _Setting
) -> tuple[Heads, tuple[Stance, ...]]:
    """Returns the heads of the stances, without columns where they cannot be learned, and the stances.

    Those of the base have learned on with the encoder; new ones have seen too few steps, and are fitted here.
    """
    if setting.base is not None and setting.base.card.stances:
        return tuned.heads.columns(slice(len(learned.frames), None)), setting.base.card.stances
    if stances_learnable(learned):
        return fit_stances(vectors, learned, assign_folds(learned)[1])[0], SPECIFIED_STANCES
    return tuned.heads.columns(slice(0, 0)), ()


def _card(
    paragraphs: Sequence[CodedParagraph],
    dataset: Dataset,
    parts: Parts,
    codebook: Codebook,
    fitted: Fitted,
    setting: _Setting,
    pulls: Mapping[str, float],
) -> ModelCard:
    own, base = data_facts(paragraphs, dataset), setting.base
    pull = {name: "none: the heads that the encoder learned with" if np.isinf(x) else x for name, x in pulls.items()}
    hyperparameters: dict[str, Any] = {"own_paragraphs": own.paragraphs, "pull": pull, **asdict(setting.recipe)}
    unseen = dataset.take(parts.aside | parts.held_out)
    card = describe(paragraphs, unseen, codebook, fitted, hyperparameters, seed=setting.seed, note=setting.note)
    if base is None:
        return replace(card, data=own)
    return replace(
        card,
        data=data_of_both(base.card.data, own),
        languages=base.card.languages,
        article=base.card.article,
        hyperparameters={"base": base.card.created_at, **hyperparameters},
    )
