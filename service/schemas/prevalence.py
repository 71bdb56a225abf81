"""Answers about prevalence, comparisons and profiles."""

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from labels.annotations import Stance
from service.schemas.fields import Articles
from training.scoring.operating_points import OperatingPoint
from training.tiers import ReliabilityTier

Unit = Literal["paragraph", "article"]
Weight = Literal["unit", "article", "outlet"]
Correction = Literal["annotations", "borrowed", "too_few_annotations", "off"]

POPULATION = (
    "The articles that count: `all_articles`, or `on_subject`, without those that the model says are about something "
    "else than the subject of the codebook."
)
OFF_TOPIC = (
    "Number of articles, from the same outlets and days, that the model says are about something else; counted with "
    "`all_articles`, left out with `on_subject`. Null if the model cannot tell."
)

Proportion = Annotated[float, Field(ge=0, le=1)]


class Corrected(BaseModel):
    """A share whose classification errors are corrected by annotations; null if these are too few."""

    corrected_share: Proportion | None
    low: Proportion | None = Field(description="Lower end of the 95% interval.")
    high: Proportion | None
    standard_error: float | None = Field(description="Standard error of the corrected share.")
    tuning: Proportion | None = Field(
        description="Weight of the scores in the corrected share (lambda): 0 uses the annotations alone."
    )
    correction: Correction = Field(
        description="`annotations`: by the annotations of this cell; `borrowed`: by those of all cells; "
        "`too_few_annotations`: not corrected, see `annotations_needed`; `off`: not requested."
    )
    annotations: int = Field(
        description="Units in the cell that the coding queue drew (articles: as a whole), that are coded, and "
        "whose score is by a model that was not trained on them."
    )
    annotations_needed: int | None = Field(
        description="Number of further units to draw at random and code for an interval of the requested `width`."
    )


class Days(BaseModel):
    """The days that a figure is about, both included."""

    first_day: date | None = Field(
        description="First day of the period, or `from` if that is later; without a period the day of the first "
        "article. Null without articles."
    )
    last_day: date | None = Field(
        description="Last day of the period, or `to` if that is earlier; without a period the day of the last article."
    )


class StanceShare(BaseModel):
    """Share of a stance among the paragraphs that carry a frame."""

    share: Proportion
    low: Proportion = Field(
        description="Lower end of the 95% interval: Wilson's, at the effective size of paragraphs clustered by "
        "article. It does not cover the model's errors: stances that it mistakes on average, paragraphs wrongly called "
        "present."
    )
    high: Proportion


class PrevalenceRow(Corrected, Days):
    """A frame in a cell. `unit` and `weight` of the request determine what the shares count."""

    population: Articles = Field(description=POPULATION)
    period: date | None = Field(
        description="First day of the day, week (from Monday), month or year; null if `by` has no period."
    )
    outlet: str | None = Field(description="Null without `by=outlet`, and for articles without an outlet.")
    frame: str
    count: int = Field(description="Number of units that the model calls present.")
    uncertain: int = Field(description="Number of units about which the model is uncertain.")
    total: int = Field(description="Number of units in the cell.")
    articles: int
    raw_share: Proportion = Field(description="Share of the units that the model calls present, biased by its errors.")
    stances: dict[Stance, StanceShare] | None = Field(
        description="Expected share of each stance among the paragraphs that the model calls present. Null if it calls "
        "no paragraph present, or was trained without stances."
    )
    reliability_tier: ReliabilityTier = Field(
        description="A, B or C, from the model's F1 and the coders' agreement on the frame, both on your annotated "
        "articles; `not_validated` until enough of them are annotated."
    )


class Estimator(BaseModel):
    """How the corrected shares were computed."""

    name: str
    text: str
    literature: list[str]


class Reliability(BaseModel):
    """The figures behind the reliability tier of a frame."""

    frame: str
    reliability_tier: ReliabilityTier
    f1: float | None = Field(
        description="F1 of the model on your annotated articles if the frame is validated on them, else that of the "
        "model card, on other texts."
    )
    alpha: float | None = Field(description="Krippendorff's alpha of the coders of the same paragraphs.")
    validated: bool = Field(
        description="Whether enough paragraphs of your articles are annotated to validate the frame."
    )
    paragraphs: int = Field(description="Annotated paragraphs of your articles, drawn by the coding queue.")
    reading: str = Field(description="On what the figures were measured, in a sentence.")


class Provenance(BaseModel):
    """Where the figures of an answer come from: what was counted, by which model, and how it was corrected."""

    model_version: str
    codebook_version: int = Field(description="Version of the codebook that the model was trained with.")
    unit: Unit
    weight: Weight
    dedup: bool
    population: Articles = Field(description=POPULATION)
    operating_point: OperatingPoint | None = Field(
        description="The operating point of the decisions in `count`, `uncertain`, `raw_share`, `stances` and `pairs`; "
        "null where each article keeps the point with which it was stored."
    )
    confidence: float = Field(description="Confidence level of the intervals.")
    queried_at: datetime = Field(description="When the figures were computed, in UTC.")
    estimator: Estimator


class PrevalenceAnswer(Provenance):
    """Prevalence by cell and frame, with all rows: the answer is not split into pages."""

    width: float = Field(description="Width of the interval for which `annotations_needed` plans.")
    off_topic_articles: int | None = Field(description=OFF_TOPIC)
    unscored_articles: int = Field(
        description="Number of stored articles that this model has not scored yet; they are not counted."
    )
    undated_articles: int = Field(
        description="Number of articles counted whose date is unknown: they count on the day on which they arrived."
    )
    annotations_not_used: int = Field(
        description="Number of coded paragraphs that are left out because the model was trained on them."
    )
    reliability: list[Reliability]
    rows: list[PrevalenceRow]


class Side(Corrected, Days):
    """A side of a comparison."""

    count: int
    total: int
    articles: int
    raw_share: Proportion


class Difference(BaseModel):
    """The share of side a minus that of side b."""

    raw: float
    corrected: float | None
    low: float | None = Field(description="Lower end of the 95% interval (Newcombe 1998).")
    high: float | None


class FrameOnBothSides(BaseModel):
    """A frame on both sides."""

    frame: str
    reliability_tier: ReliabilityTier
    a: Side
    b: Side
    difference: Difference


class ComparisonAnswer(Provenance):
    """A comparison, frame by frame, of two sets of articles without common articles."""

    frames: list[FrameOnBothSides]


class FramePair(BaseModel):
    """Two frames that share paragraphs, or articles if `unit` is `article`."""

    frame: str
    other: str
    count: int = Field(description="Number of units that carry both frames.")
    paragraphs: int = Field(description="Number of paragraphs that carry both frames, whatever `unit` is.")
    share: Proportion = Field(description="Share of all units that carry both frames.")
    lift: float | None = Field(
        description="Units that carry both, divided by the number expected if the frames were independent; null if "
        "either frame never occurs."
    )


class ProfileAnswer(Provenance):
    """The framing of a set of articles: the prevalence of each frame, and the frames that share paragraphs."""

    off_topic_articles: int | None = Field(description=OFF_TOPIC)
    articles: int
    paragraphs: int = Field(description="Number of their paragraphs, also where `unit` is `article`.")
    frames: list[PrevalenceRow]
    pairs: list[FramePair]
