"""Paragraphs that an adjudicator settles, and the progress of coders, in answers."""

from datetime import datetime
from typing import Literal, get_args

from pydantic import BaseModel, Field

from labels.annotations import Stance

# Why a paragraph waits for an adjudicator: coders differ about a frame or its stance, or a coder is unsure.
Reason = Literal["presence", "stance", "unsure"]
REASONS: tuple[Reason, ...] = get_args(Reason)


class Decision(BaseModel):
    """What a coder or an adjudicator decided about a paragraph."""

    id: str
    coder: str
    frames: dict[str, Stance]
    covered: list[str] = Field(description="The frames that the decision is about.")
    note: str
    unsure: bool
    created_at: datetime


class ParagraphToSettle(BaseModel):
    """A paragraph on which coders differ or of which a coder is unsure, with what each of them decided."""

    article_id: str | None
    paragraph: int | None
    text: str
    source: str
    title: str | None
    outlet: str | None
    published_at: datetime | None
    reasons: list[Reason]
    presence: list[str] = Field(description="The frames that some coders see and others do not.")
    stance: list[str] = Field(description="The frames that all of them see, with different stances.")
    annotations: list[Decision] = Field(description="The decisions of the coders, the oldest first.")
    settled: Decision | None = Field(description="The adjudication in force, if any.")


class DifferencesOnFrame(BaseModel):
    """Number of paragraphs in which coders differ about a frame."""

    presence: int
    stance: int


class ParagraphsToSettle(BaseModel):
    """Paragraphs for an adjudicator, oldest first; `next` is the cursor of the following page, null on the last."""

    paragraphs: list[ParagraphToSettle]
    total: int = Field(description="Number of such paragraphs on all pages.")
    by_frame: dict[str, DifferencesOnFrame] = Field(description="Of these, those in which coders differ, by frame.")
    by_reason: dict[Reason, int] = Field(description="Of these, those for each reason; a paragraph can have several.")
    next: str | None = None


class WithAdjudicated(BaseModel):
    """How the decisions of a coder compare with those of the adjudicator on the same paragraphs.

    Mostly paragraphs on which coders differ are adjudicated, so a coder is right more often on all paragraphs.
    """

    paragraphs: int = Field(description="Paragraphs that the coder coded and somebody adjudicated.")
    same: int = Field(description="Of these, those in which the coder sees the same frames as the adjudicator.")
    missed: dict[str, int] = Field(description="How often the adjudicator saw a frame that the coder did not see.")
    added: dict[str, int] = Field(description="How often the coder saw a frame that the adjudicator did not see.")


class CoderProgress(BaseModel):
    """How far a coder has come."""

    coder: str
    annotations: int = Field(description="Annotations in force.")
    last_seven_days: int = Field(description="Of these, those of the last seven days.")
    waiting: int = Field(description="Paragraphs that were drawn for the coder and wait.")
    unsure: int = Field(description="Annotations in force that the coder marked as unsure.")
    adjudications: int = Field(description="Adjudications in force by this person.")
    last_at: datetime | None = Field(description="When the newest of these annotations and adjudications was stored.")
    with_adjudicated: WithAdjudicated | None = Field(description="Null without an adjudicated paragraph of the coder.")


class Coders(BaseModel):
    """All who annotate: whoever has an annotation in force, a paragraph that waits, or a key of the role coder."""

    coders: list[CoderProgress]
