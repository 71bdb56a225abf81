"""The model card: everything known about a model version besides its coefficients."""

import json
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version as library_version
from typing import Any

from labels.annotations import Stance
from training.calibration import ReliabilityBin
from training.errors import ModelFileError
from training.evaluation import Averages, Evaluation, Figure, FrameFigures, StanceFigures
from training.promotion import FrameComparison, Verdict
from training.scoring.operating_points import Cut, OperatingPoint

CARD_FORMAT = 1
FEW_CARRYING = 30
"""A frame with fewer training paragraphs that carry it gets a warning."""

_LIBRARIES = ("scikit-learn", "numpy", "scipy", "joblib")


def current_libraries() -> dict[str, str]:
    """Versions of what a stored pipeline depends on."""
    return {"python": platform.python_version(), **{name: library_version(name) for name in _LIBRARIES}}


@dataclass(frozen=True, slots=True)
class DataFacts:
    """What the model was trained on."""

    digest: str
    paragraphs: int
    articles: int
    sources: tuple[str, ...]
    held_out_articles: int
    unsettled: int
    carrying: Mapping[str, int]
    """Training paragraphs that carry each frame."""


@dataclass(frozen=True, slots=True)
class ModelCard:
    """Facts of one model version. `version` and `pipeline_sha256` are given by the registry."""

    created_at: str
    codebook_name: str
    codebook_version: int
    frames: Mapping[str, str]
    """Key and title of each frame, in the order of the pipeline's columns."""
    languages: tuple[str, ...]
    data: DataFacts
    hyperparameters: Mapping[str, Any]
    seed: int
    calibration: Mapping[str, tuple[float, float]]
    """Slope and offset a frame, already folded into the pipeline: calibrated = slope · uncalibrated + offset."""
    cuts: Mapping[OperatingPoint, Mapping[str, Cut]]
    left_out: Evaluation
    held_out: Evaluation | None
    baselines: tuple[Evaluation, ...]
    agreement: Mapping[str, float | None]
    """Krippendorff's alpha a frame, None where it is undefined."""
    stances: tuple[Stance, ...] = ()
    """The stances that the model tells apart, in the order of their columns; empty where it knows none."""
    stances_left_out: StanceFigures | None = None
    verdict: Verdict | None = None
    """How it compared with the champion of the time; None for models trained outside a training run."""
    run: str = ""
    """The training run that made it, so that a run which is resumed finds its own model."""
    stored_articles: tuple[str, ...] = ()
    """Ids of the stored articles whose codes it was trained or judged on, so that one taken down can be traced."""
    note: str = ""
    libraries: Mapping[str, str] = field(default_factory=current_libraries)
    version: str = ""
    pipeline_sha256: str = ""
    scorer_sha256: str = ""
    """Of the compiled form that services score with; empty where they unpickle the pipeline."""

    @property
    def frame_keys(self) -> tuple[str, ...]:
        return tuple(self.frames)

    @property
    def warnings(self) -> tuple[str, ...]:
        """A sentence for each frame that was learned from too few paragraphs to be trusted."""
        return tuple(
            f"'{frame}' was learned from {count} paragraphs that carry it; below {FEW_CARRYING} its scores and its "
            "figures are little better than guesses. Code more of them before you rely on it."
            for frame, count in self.data.carrying.items()
            if count < FEW_CARRYING
        )

    def registered(self, version: str, pipeline_sha256: str, scorer_sha256: str) -> "ModelCard":
        return replace(self, version=version, pipeline_sha256=pipeline_sha256, scorer_sha256=scorer_sha256)


def card_to_json(card: ModelCard) -> str:
    """The text of `card.json`."""
    return json.dumps({"format": CARD_FORMAT, **asdict(card)}, indent=1, ensure_ascii=False) + "\n"


def card_from_json(text: str | bytes) -> ModelCard:
    """Reads `card.json`; raises `ModelFileError` when it is not a card of this format."""
    try:
        content = json.loads(text)
        if content.pop("format") != CARD_FORMAT:
            raise ModelFileError("The model card has another format than this version reads.")
        return _card(content)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelFileError("The model card is damaged or foreign.") from error


def _card(content: dict[str, Any]) -> ModelCard:
    held_out, verdict, voices = (content.pop(name) for name in ("held_out", "verdict", "stances_left_out"))
    return ModelCard(
        **{
            **content,
            "languages": tuple(content["languages"]),
            "stances": tuple(content["stances"]),
            "stored_articles": tuple(content.get("stored_articles", ())),
            "data": DataFacts(**{**content["data"], "sources": tuple(content["data"]["sources"])}),
            "calibration": {frame: (slope, offset) for frame, (slope, offset) in content["calibration"].items()},
            "cuts": {
                point: {frame: Cut(**cut) for frame, cut in cuts.items()} for point, cuts in content["cuts"].items()
            },
            "left_out": _evaluation(content["left_out"]),
            "baselines": tuple(map(_evaluation, content["baselines"])),
        },
        held_out=_evaluation(held_out) if held_out else None,
        stances_left_out=_stance_figures(voices) if voices else None,
        verdict=_verdict(verdict) if verdict else None,
    )


def _stance_figures(content: dict[str, Any]) -> StanceFigures:
    return StanceFigures(
        overall=_evaluation(content["overall"]),
        majority=_evaluation(content["majority"]),
        frames={frame: _evaluation(figures) for frame, figures in content["frames"].items()},
    )


def _verdict(content: dict[str, Any]) -> Verdict:
    frames = tuple(FrameComparison(**{**row, "gain": Figure(**row["gain"])}) for row in content["frames"])
    return Verdict(**{**content, "gain": Figure(**content["gain"]), "frames": frames})


def _evaluation(content: dict[str, Any]) -> Evaluation:
    return Evaluation(
        **{
            **content,
            "frames": tuple(map(_frame_figures, content["frames"])),
            "macro": _averages(content["macro"]),
            "micro": _averages(content["micro"]),
            "macro_average_precision": Figure(**content["macro_average_precision"]),
        }
    )


def _averages(content: dict[str, Any]) -> Averages:
    return Averages(**{name: Figure(**figure) for name, figure in content.items()})


def _frame_figures(content: dict[str, Any]) -> FrameFigures:
    figures = {name: Figure(**content[name]) for name in ("precision", "recall", "f1", "average_precision")}
    bins = tuple(ReliabilityBin(**row) for row in content["reliability"])
    return FrameFigures(**{**content, **figures, "reliability": bins})
