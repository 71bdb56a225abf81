"""Model versions, promotions and figures over HTTP."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from service.schemas.fields import Name, Strict


class PromoteRequest(Strict):
    """Why a version should be champion, and who says so."""

    reason: Name = Field(max_length=2000)
    by: Name = Field("api", max_length=128)
    force: bool = Field(False, description="Overrule a verdict against it; this is kept in the history.")


class RollbackRequest(Strict):
    """Why the champion should go, and who says so."""

    reason: Name = Field(max_length=2000)
    by: Name = Field("api", max_length=128)


class PromotionAnswer(BaseModel):
    """From `at` on, `version` was champion."""

    number: int
    at: datetime
    action: Literal["promote", "rollback"]
    version: str
    previous: str | None
    by: str
    reason: str
    forced: bool


class HistoryAnswer(BaseModel):
    """Promotions and rollbacks, newest first; with `at`, the one in force then comes alone."""

    promotions: list[PromotionAnswer]


class RescoringAnswer(BaseModel):
    """How far stored articles are scored by the champion."""

    version: str | None
    scored: int
    articles: int


class FigureAnswer(BaseModel):
    """A figure with its 95% interval (bootstrap over articles); null where it is undefined."""

    value: float | None
    low: float | None
    high: float | None


class FrameFiguresAnswer(BaseModel):
    """How well one frame is found."""

    frame: str
    support: int
    precision: FigureAnswer
    recall: FigureAnswer
    f1: FigureAnswer
    average_precision: FigureAnswer
    ece: float


class ModelFigures(BaseModel):
    """Figures of a model on paragraphs that it was not trained on."""

    how: str
    paragraphs: int
    articles: int
    macro_f1: FigureAnswer
    micro_f1: FigureAnswer
    ece: float
    frames: list[FrameFiguresAnswer]


class ModelAnswer(BaseModel):
    """A model version in a list."""

    version: str
    champion: bool
    created_at: datetime
    codebook_version: int
    frames: list[str]
    paragraphs: int
    note: str
    warnings: list[str] = Field(description="Frames that were learned from too few paragraphs to be trusted.")
    left_out: ModelFigures
    held_out: ModelFigures | None


class DamagedModel(BaseModel):
    """A version whose card cannot be read."""

    version: str
    fault: str


class ModelList(BaseModel):
    """All model versions, the newest first."""

    champion: str | None
    models: list[ModelAnswer]
    damaged: list[DamagedModel]


class CardAnswer(BaseModel):
    """The whole card of a model version, as in its `card.json`."""

    model_config = ConfigDict(extra="allow")

    version: str
    champion: bool
    frames: Mapping[str, str]
