"""Assignments and gold items, in requests and answers."""

from datetime import date, datetime
from typing import Annotated

from pydantic import BaseModel, Field

from labels.annotations import Stance
from labels.exchange.annotation import HIGHEST_PARAGRAPH, LONGEST
from service.schemas.fields import ID_PATTERN, WHOLE, Name, Strict, Text, WholeDay

MAX_CODERS = 50
MAX_UNITS = 5000
MAX_TRAINING = 200

_Day = Annotated[WholeDay, Field(strict=False)]
_Coder = Annotated[Name, Field(max_length=LONGEST["coder"])]
_Note = Annotated[Text, Field(max_length=2000, json_schema_extra={"pattern": r"^[^\u0000]*$"})]


class AssignmentRequest(Strict):
    """Who is to annotate how many paragraphs of which articles, and until when."""

    coders: list[_Coder] = Field(min_length=1, max_length=MAX_CODERS, description="The names of the coders.")
    n: Annotated[int, Field(ge=0, le=MAX_UNITS), WHOLE] = Field(
        description="Number of paragraphs or, with `whole`, of articles, for all coders together."
    )
    whole: bool = Field(
        False, description="Draw articles with all their paragraphs, so that shares of articles can be corrected."
    )
    coders_each: Annotated[int, Field(ge=1, le=MAX_CODERS), WHOLE] = Field(
        1, description="How many of the coders receive each paragraph; from 2 on, their agreement can be measured."
    )
    outlets: list[Annotated[Text, Field(max_length=256)]] | None = Field(
        None,
        min_length=1,
        max_length=1000,
        description="Only articles of these outlets; an empty name stands for articles without an outlet.",
    )
    since: _Day | None = Field(
        None, alias="from", description="Only articles from this day on: that of publication, else of arrival."
    )
    until: _Day | None = Field(None, alias="to", description="Only articles up to this day, which is included.")
    due: _Day | None = Field(
        None,
        description="The last day for the coders, in UTC; null: the paragraphs wait until the assignment is ended.",
    )
    training: Annotated[int, Field(ge=0, le=MAX_TRAINING), WHOLE] = Field(
        0, description="Number of gold items that are mixed into the queue of each coder, to train with."
    )
    note: _Note = Field("", description="What the coders should know; the coding page shows it.")


class AssignmentChange(Strict):
    """Another last day of an assignment; null takes its last day away."""

    due: _Day | None


class CoderShare(BaseModel):
    """How far a coder is with an assignment."""

    coder: str
    paragraphs: int = Field(description="Paragraphs that the coder received.")
    annotated: int
    returned: int = Field(
        description="Paragraphs that went back to the pool, because the time or the assignment ended."
    )
    waiting: int = Field(description="Paragraphs that the coder has still to annotate.")
    training_left: int = Field(description="Gold items that the coder has still to answer.")


class AssignmentAnswer(BaseModel):
    """An assignment; `ended_at` is null until an admin ends it. A key of the role coder sees its own share only."""

    id: str
    coders: list[CoderShare]
    note: str
    outlets: list[str] | None
    since: date | None = Field(alias="from")
    until: date | None = Field(alias="to")
    whole: bool
    coders_each: int
    drawn: int = Field(description="Number of paragraphs or, with `whole`, of articles that were drawn.")
    pool: int = Field(description="Number of those that they were drawn from.")
    inclusion_probability: float | None = Field(
        description="The probability with which each of the pool was drawn; null if nothing was drawn."
    )
    fewer_because: str | None = Field(
        None, description="Why fewer were drawn than requested; null if as many were drawn, and in later answers."
    )
    training: int
    due: date | None
    created_by: str
    created_at: datetime
    ended_at: datetime | None


class AssignmentList(BaseModel):
    """Assignments, newest first; `next` is the cursor of the following page, null on the last page."""

    assignments: list[AssignmentAnswer]
    next: str | None = None


class AssignmentEnd(BaseModel):
    """What became of an assignment that was ended."""

    id: str
    returned: int = Field(description="Paragraphs without an annotation that went back to the pool, by coder received.")


class AssignmentSupply(BaseModel):
    """What an assignment could draw from."""

    paragraphs: int = Field(description="Paragraphs that nobody has received or annotated.")
    articles: int = Field(description="Articles that were not drawn as a whole.")
    gold_items: int = Field(description="Gold items that coders can train with.")


class GoldItemRequest(Strict):
    """A settled paragraph of a stored article, by which coders are to train."""

    article_id: Annotated[str, Field(pattern=ID_PATTERN)]
    paragraph: Annotated[int, Field(ge=0, le=HIGHEST_PARAGRAPH), WHOLE] = Field(
        description="The `index` of a paragraph of that article."
    )
    explanation: _Note = Field(
        "", description="What coders read after they have answered, beside the note of the adjudicator."
    )


class GoldItemAnswer(BaseModel):
    """A gold item. `frames` is the adjudicated label, null while no adjudication is in force."""

    id: str
    article_id: str
    paragraph: int
    text: str
    frames: dict[str, Stance] | None
    note: str = Field(description="The note of the adjudicator.")
    explanation: str
    answers: int = Field(description="Number of coders who have answered.")
    right: int = Field(description="Number of these who saw the adjudicated frames and no other.")
    created_by: str
    created_at: datetime


class GoldItemList(BaseModel):
    """Gold items in use, newest first; `next` is the cursor of the following page, null on the last page."""

    gold_items: list[GoldItemAnswer]
    next: str | None = None


class GoldAnswerRequest(Strict):
    """What a coder answers to a gold item."""

    coder: _Coder
    frames: dict[str, Stance] = Field(description="The stance of each frame that is present; empty if no frame is.")


class GoldFrame(BaseModel):
    """A frame that the coder or the adjudicator sees in a gold item; null: it is absent."""

    frame: str
    yours: Stance | None
    adjudicated: Stance | None
    right: bool = Field(description="Whether both see the frame; a different stance is not wrong.")


class GoldScoreOfFrame(BaseModel):
    """How often a coder decided on a frame as the adjudicator."""

    frame: str
    answered: int
    right: int
    missed: int = Field(description="Items with the frame in which the coder did not see it.")
    false_alarms: int = Field(description="Items without the frame in which the coder saw it.")


class GoldScore(BaseModel):
    """What a coder has answered to gold items, against today's adjudicated labels. Each first answer counts."""

    coder: str
    answered: int
    right: int = Field(description="Items in which the coder saw the adjudicated frames and no other.")
    frames: list[GoldScoreOfFrame]
    stances: int = Field(description="Frames seen by both of which both specified the stance.")
    stances_right: int


class GoldScoreList(BaseModel):
    """The scores of coders who have answered gold items, by name."""

    scores: list[GoldScore]


class GoldFeedback(BaseModel):
    """How an answer compares with the adjudicated label, and why that was decided."""

    id: str
    coder: str
    counted: bool = Field(description="False if the coder had answered before: the feedback is then on that answer.")
    right: bool = Field(description="Whether the coder saw the adjudicated frames and no other.")
    frames: list[GoldFrame] = Field(description="The frames that the coder or the adjudicator sees.")
    note: str = Field(description="The note of the adjudicator.")
    explanation: str
    score: GoldScore
