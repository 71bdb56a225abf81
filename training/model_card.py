"""The model card: everything known about a model version besides its coefficients.

Training writes it, scoring reads frames and thresholds off it, the registry stores it and reports print it.
"""

import platform
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import version as library_version
from typing import Any, TypeAlias

from labels.annotations import Stance
from labels.wording import counted
from training import hyperparameters
from training.evaluation import Evaluation, StanceFigures
from training.promotion import Verdict
from training.scoring.article_score import ArticleFacts
from training.scoring.operating_points import Cut, OperatingPoint

# Defined where it takes no time to import them, because commands name the kinds in their options.
EncoderKind: TypeAlias = hyperparameters.EncoderKind
Kind: TypeAlias = hyperparameters.Kind

# A frame with fewer training paragraphs that carry it gets a warning.
FEW_CARRYING = 30

_LIBRARIES = ("scikit-learn", "numpy", "scipy", "joblib")


def current_libraries() -> dict[str, str]:
    """Returns the installed versions of Python and of the libraries that a stored pipeline depends on."""
    return {"python": platform.python_version(), **{name: library_version(name) for name in _LIBRARIES}}


@dataclass(frozen=True, slots=True)
class DataFacts:
    """What the model was trained on. `carrying` counts the training paragraphs that carry each frame.

    `of_the_base` of the paragraphs are those of the base. For the others, `own_sources` are their sources, and `coders`
    counts the paragraphs that each coder annotated.
    """

    digest: str
    paragraphs: int
    articles: int
    sources: tuple[str, ...]
    held_out_articles: int
    unsettled: int
    carrying: Mapping[str, int]
    coders: Mapping[str, int] = field(default_factory=dict)
    own_sources: tuple[str, ...] = ()
    of_the_base: int = 0


@dataclass(frozen=True, slots=True)
class EncoderFacts:
    """The encoder whose vectors a model reads: its name, the digest of its files, its precision and its runtime.

    An encoder that a user fine-tuned has the digest of the encoder it was `fine_tuned_from`, and the number of the
    user's paragraphs that it learned from.
    """

    name: str
    digest: str
    precision: str
    runtime: str
    kind: EncoderKind = "encoder"
    fine_tuned_from: str = ""
    own_paragraphs: int = 0


@dataclass(frozen=True, slots=True)
class SubjectCut:
    """The score below which an article is about something else than the subject of the codebook.

    That was so of the share `missed` of `on_subject` held-out texts on the subject, and of the share `recognised` of
    `others`.
    """

    other_below: float
    on_subject: int
    missed: float
    others: int
    recognised: float


@dataclass(frozen=True, slots=True)
class SubjectFacts:
    """How a model tells articles about the subject of the codebook, by `name`, from articles about something else.

    A paragraph alone says less about its article than several do, so it needs a lower score to be about something else.
    """

    name: str
    several: SubjectCut
    alone: SubjectCut

    def other_below(self, paragraphs: int) -> float:
        """Returns the score below which an article of so many paragraphs is about something else."""
        return (self.several if paragraphs > 1 else self.alone).other_below


@dataclass(frozen=True, slots=True)
class FoldFacts:
    """The fold models of a model: the same model, refitted without each fold of the articles in turn.

    thresholds: for each fold, the balanced threshold of each frame, fitted without that fold too.
    """

    thresholds: tuple[Mapping[str, float], ...]


@dataclass(frozen=True, slots=True)
class ModelCard:
    """Facts about a model version. The registry fills in `version` and the digests of the files."""

    created_at: str
    codebook_name: str
    codebook_version: int
    # Key and title of each frame, in the order of the pipeline's columns.
    frames: Mapping[str, str]
    languages: tuple[str, ...]
    data: DataFacts
    hyperparameters: Mapping[str, Any]
    seed: int
    # Slope and offset per frame, already folded into the pipeline: calibrated = slope · uncalibrated + offset.
    calibration: Mapping[str, tuple[float, float]]
    cuts: Mapping[OperatingPoint, Mapping[str, Cut]]
    left_out: Evaluation
    held_out: Evaluation | None
    baselines: tuple[Evaluation, ...]
    # Krippendorff's alpha per frame, None where it is undefined.
    agreement: Mapping[str, float | None]
    # The stances that the model distinguishes, in the order of their columns; empty for a model without stances.
    stances: tuple[Stance, ...] = ()
    stances_left_out: StanceFigures | None = None
    # None for a model that reads words.
    encoder: EncoderFacts | None = None
    # None for a model that cannot tell what an article is about. Its column is the last of the pipeline.
    subject: SubjectFacts | None = None
    # None for a model without fold models. Their columns stand between those of the stances and of the subject.
    folds: FoldFacts | None = None
    # None for a model that decides on an article by its paragraphs, as those of earlier versions of this program do.
    article: ArticleFacts | None = None
    # The comparison with the champion of the time; None for a model that was trained outside a training run.
    verdict: Verdict | None = None
    # The training run that made the model, so that a resumed run recognises its own model.
    run: str = ""
    # Ids of the stored articles whose annotations were used, so that a purged article can be traced.
    stored_articles: tuple[str, ...] = ()
    note: str = ""
    libraries: Mapping[str, str] = field(default_factory=current_libraries)
    version: str = ""
    pipeline_sha256: str = ""
    # Digest of the compiled form, which services score with; empty where there is none (see `is_pickle`).
    scorer_sha256: str = ""
    # Digest of the file of what the model learned from; empty where an earlier version of this program registered it.
    learned_sha256: str = ""

    @property
    def frame_keys(self) -> tuple[str, ...]:
        """Keys of the frames, in the order of the pipeline's columns."""
        return tuple(self.frames)

    @property
    def encoder_digest(self) -> str:
        """Digest of the encoder whose vectors the model reads; empty for a model that reads words."""
        return self.encoder.digest if self.encoder else ""

    @property
    def is_pickle(self) -> bool:
        """Whether a registered model has no compiled form, so that only a process that unpickles it can score."""
        return bool(self.pipeline_sha256) and not self.scorer_sha256

    @property
    def kind(self) -> Kind:
        """The kind of model."""
        return self.encoder.kind if self.encoder else "words"

    @property
    def warnings(self) -> tuple[str, ...]:
        """A sentence for each frame that was learned from too few paragraphs to be trusted."""
        return tuple(
            f"'{frame}' was learned from {counted(count, 'paragraph')} with it; below {FEW_CARRYING} its scores and "
            "its figures are little better than guesses. Code more of them before you rely on it."
            for frame, count in self.data.carrying.items()
            if count < FEW_CARRYING
        )

    def registered(
        self, version: str, pipeline_sha256: str, scorer_sha256: str, learned_sha256: str = ""
    ) -> "ModelCard":
        """Returns the card of the model once it is stored as a version, with the digests of its files."""
        return replace(
            self,
            version=version,
            pipeline_sha256=pipeline_sha256,
            scorer_sha256=scorer_sha256,
            learned_sha256=learned_sha256,
        )
