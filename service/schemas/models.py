"""Requests and answers about model versions, promotions and figures."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from service.schemas.fields import Name, Strict
from training.model_card import Kind


class PromoteRequest(Strict):
    """The reason for a promotion, and who promotes."""

    reason: Name = Field(max_length=2000)
    by: Name = Field("api", max_length=128)
    force: bool = Field(False, description="Promote against a negative verdict; the history records it.")


class RollbackRequest(Strict):
    """The reason for a rollback, and who rolls back."""

    reason: Name = Field(max_length=2000)
    by: Name = Field("api", max_length=128)


class PromotionAnswer(BaseModel):
    """A change of the champion.

    `version` is the champion from `at` on; `previous` is what a rollback from it leads to.
    """

    number: int
    at: datetime
    action: Literal["promote", "rollback"]
    version: str
    previous: str | None
    by: str
    reason: str
    forced: bool


class HistoryAnswer(BaseModel):
    """Promotions and rollbacks, newest first; with `at`, only the change that was in force then."""

    promotions: list[PromotionAnswer]


class RescoringAnswer(BaseModel):
    """Progress of rescoring: the number of stored articles that the champion has scored, and of all."""

    version: str | None
    scored: int
    articles: int
    seconds_left: float | None = Field(
        description="Seconds that rescoring still takes, at its pace of late; null while it rests."
    )


class WeekAnswer(BaseModel):
    """The champion against annotations of articles from a week."""

    week: date = Field(description="The Monday on which it starts; an article without a date counts as it arrived.")
    paragraphs: int
    articles: int
    f1: float | None = Field(description="Micro F1 over all frames; null if nobody sees a frame.")
    lowest_by_chance: float | None = Field(
        description="The lowest F1 that chance explains if nothing changed: lower ones occur in any of the weeks "
        "together in 5% of the cases."
    )
    declined: bool = Field(description="Whether F1 is lower than that.")


class WeeksAnswer(BaseModel):
    """The champion against annotations of paragraphs that the coding queue drew, week by week.

    It is scored by models that have not seen the articles.
    """

    version: str
    paragraphs: int
    articles: int
    f1: float | None
    declined: bool = Field(description="Whether F1 of any week is lower than chance explains over all weeks at once.")
    reading: str = Field(description="What the weeks say, in a sentence.")
    weeks: list[WeekAnswer]


class FigureAnswer(BaseModel):
    """A figure with its 95% interval (bootstrap over articles); null where it is undefined."""

    value: float | None
    low: float | None
    high: float | None


class FrameFiguresAnswer(BaseModel):
    """How well a model recognises a frame."""

    frame: str
    support: int
    precision: FigureAnswer
    recall: FigureAnswer
    f1: FigureAnswer
    average_precision: FigureAnswer
    ece: float | None


class ModelFigures(BaseModel):
    """Figures of a model on paragraphs on which it was not trained."""

    how: str = Field(description="How it is ensured that the judged model was not trained on the paragraphs.")
    texts: str = Field(description="Where the paragraphs come from: only figures on the same texts can be compared.")
    paragraphs: int
    articles: int
    macro_f1: FigureAnswer
    micro_f1: FigureAnswer
    ece: float | None
    frames: list[FrameFiguresAnswer]


class EncoderAnswer(BaseModel):
    """The encoder whose vectors a model reads."""

    name: str
    digest: str = Field(description="SHA-256 of its files.")
    precision: str
    runtime: str
    fine_tuned_from: str = Field(
        description="Digest of the shipped encoder that it was fine-tuned from here; empty for a shipped encoder."
    )
    own_paragraphs: int = Field(description="Number of your annotated paragraphs that it was fine-tuned on.")


class ModelAnswer(BaseModel):
    """A model version in a list."""

    version: str
    champion: bool
    kind: Kind = Field(
        description="Whether the model reads words in context (`encoder`, `encoder-small`) or counts them (`words`)."
    )
    encoder: EncoderAnswer | None = Field(description="Null for a model of words.")
    created_at: datetime
    codebook_version: int
    frames: list[str]
    paragraphs: int
    note: str
    learned_from: str = Field(description="What the model learned from and who annotated it, in a sentence.")
    figures_hold_for: str = Field(description="For which texts its figures hold, in a sentence.")
    warnings: list[str] = Field(description="Frames that were learned from too few paragraphs to be relied on.")
    left_out: ModelFigures
    held_out: ModelFigures | None


class DamagedModel(BaseModel):
    """A version whose card cannot be read."""

    version: str
    fault: str


class ModelList(BaseModel):
    """All model versions, newest first."""

    champion: str | None
    models: list[ModelAnswer]
    damaged: list[DamagedModel]


class CardAnswer(BaseModel):
    """The card of a model version, with all fields of its `card.json`."""

    model_config = ConfigDict(extra="allow")

    version: str
    champion: bool
    kind: Kind
    frames: Mapping[str, str]
