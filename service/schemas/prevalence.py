"""Prevalence, comparisons and profiles over HTTP."""

from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from labels.annotations import Stance
from training.tiers import Tier

Unit = Literal["paragraph", "article"]
Weight = Literal["unit", "article", "outlet"]
Correction = Literal["codes", "borrowed", "too_few_codes", "off"]

Share = Annotated[float, Field(ge=0, le=1)]


class Corrected(BaseModel):
    """A share with the classifier's error corrected by coded paragraphs; null where there are too few."""

    corrected_share: Share | None
    low: Share | None = Field(description="Lower end of the 95% interval.")
    high: Share | None
    correction: Correction = Field(
        description="`codes`: by codes of this very cell; `borrowed`: by codes of all cells; `too_few_codes`: there "
        "are not enough, see `codes_needed`; `off`: not asked for."
    )
    codes: int = Field(
        description="Units of the cell that the queue drew (articles: whole), somebody coded and the model never saw."
    )
    codes_needed: int | None = Field(
        description="How many more, drawn at random, give an interval of the `width` asked for."
    )


class StanceShare(BaseModel):
    """One stance of the paragraphs that carry a frame."""

    share: Share
    low: Share = Field(description="Lower end of the 95% interval (Wilson) of a share of so many paragraphs.")
    high: Share


class PrevalenceRow(Corrected):
    """One frame in one cell. Each share counts as `unit` and `weight` of the question say."""

    period: date | None = Field(description="First day of the day, week (from Monday), month or year; null without.")
    outlet: str | None = Field(description="Null without `by=outlet`, and for articles that name none.")
    frame: str
    count: int = Field(description="Units that the model calls present.")
    uncertain: int = Field(description="Units that it leaves open.")
    total: int = Field(description="Units in the cell.")
    articles: int
    raw_share: Share = Field(description="Classify and count: biased by the classifier's errors.")
    stances: dict[Stance, StanceShare] | None = Field(
        description="Whose voice the frame is in, expected by calibrated scores: shares of the paragraphs that the "
        "model calls present. Null where there are none, or their model knew no stances."
    )
    tier: Tier = Field(
        description="Reliability of the frame: A, B, or C from the model's F1 and the coders' agreement."
    )


class Estimator(BaseModel):
    """How the corrected shares were computed."""

    name: str
    text: str
    literature: list[str]


class Reliability(BaseModel):
    """Why a frame has its tier."""

    frame: str
    tier: Tier
    f1: float | None = Field(description="Of the model, on held-out articles where there are any.")
    alpha: float | None = Field(description="Krippendorff's alpha of the coders.")


class PrevalenceAnswer(BaseModel):
    """Prevalence by cell and frame, all of it: there are no pages."""

    model_version: str
    codebook_version: int
    unit: Unit
    weight: Weight
    confidence: float
    width: float = Field(description="Width of interval that `codes_needed` is planned for.")
    dedup: bool
    unscored_articles: int = Field(description="Stored, but not scored by this model yet; they count nowhere.")
    codes_not_used: int = Field(description="Coded paragraphs left out because the model was trained on them.")
    estimator: Estimator
    reliability: list[Reliability]
    rows: list[PrevalenceRow]


class Side(Corrected):
    """One side of a comparison."""

    count: int
    total: int
    articles: int
    raw_share: Share


class Difference(BaseModel):
    """Side a minus side b."""

    raw: float
    corrected: float | None
    low: float | None = Field(description="Lower end of the 95% interval (Newcombe 1998).")
    high: float | None


class FrameComparison(BaseModel):
    """One frame on both sides."""

    frame: str
    tier: Tier
    a: Side
    b: Side
    difference: Difference


class ComparisonAnswer(BaseModel):
    """Two sets of articles that have none in common, frame by frame."""

    model_version: str
    unit: Unit
    confidence: float
    estimator: Estimator
    frames: list[FrameComparison]


class FramePair(BaseModel):
    """Two frames in the same paragraphs."""

    frame: str
    other: str
    paragraphs: int = Field(description="Paragraphs that carry both.")
    share: Share = Field(description="Of all paragraphs.")
    lift: float | None = Field(description="How much more often than if the two were independent; null where one is 0.")


class ProfileAnswer(BaseModel):
    """The framing of a set of articles: how much of each frame, and which go together."""

    model_version: str
    articles: int
    paragraphs: int
    estimator: Estimator
    frames: list[PrevalenceRow]
    pairs: list[FramePair]
