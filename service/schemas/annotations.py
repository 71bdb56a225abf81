"""Annotations, the coding queue, agreement and the codebook, in requests and answers."""

from datetime import date, datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from labels.annotations import Selection, Stance
from labels.codebook import MAX_FRAMES
from labels.exchange.annotation import HIGHEST_PARAGRAPH, LONGEST
from service.schemas.fields import ID_PATTERN, WHOLE, Name, Strict, Text
from service.store.annotations import CoderRole


class AnnotationRequest(Strict):
    """A coder's annotation of a paragraph: of a stored article, or of a `text` from a `source`."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [
                {
                    "required": ["article_id", "paragraph"],
                    "properties": {
                        "article_id": {"type": "string"},
                        "paragraph": {"type": "integer"},
                        "text": {"type": "null"},
                        "source": {"type": "null"},
                    },
                },
                {
                    "required": ["text", "source"],
                    "properties": {
                        "text": {"type": "string"},
                        "source": {"type": "string"},
                        "article_id": {"type": "null"},
                        "paragraph": {"type": "null"},
                    },
                },
            ]
        }
    )

    coder: Name = Field(max_length=LONGEST["coder"], description="The name of the coder.")
    role: CoderRole = Field(
        "coder", description="`adjudicator` settles a disagreement; the annotations of the coders are stored as before."
    )
    article_id: Annotated[str, Field(pattern=ID_PATTERN)] | None = Field(
        None, description="The id of a stored article."
    )
    paragraph: Annotated[int, Field(ge=-HIGHEST_PARAGRAPH, le=HIGHEST_PARAGRAPH), WHOLE] | None = Field(
        None, description="The `index` of a paragraph of that article; negative for a paragraph of a former version."
    )
    text: Name | None = Field(
        None, max_length=LONGEST["text"], description="The text of a paragraph that is not stored."
    )
    source: Name | None = Field(None, max_length=LONGEST["source"], description="The source of that text.")
    frames: dict[str, Stance] = Field(description="The stance of each frame that is present; empty if no frame is.")
    covered: list[Name] | None = Field(
        None,
        min_length=1,
        max_length=MAX_FRAMES,
        description="The frames that the annotation decides about, if not all of the codebook: what the coder's "
        "earlier annotation of the paragraph says of the others stays.",
    )
    note: Text = Field("", max_length=LONGEST["note"], json_schema_extra={"pattern": r"^[^\u0000]*$"})
    unsure: bool = Field(
        False,
        description="Whether the coder is unsure of this decision and wants it looked at again. The decision counts as "
        "any other. With `covered`, the mark of the earlier annotation stays too.",
    )


class AnnotationAnswer(BaseModel):
    """A stored annotation; `replaced_at` is null while it is in force."""

    id: str
    coder: str
    role: CoderRole
    article_id: str | None
    paragraph: int | None
    text: str | None
    source: str
    frames: dict[str, Stance]
    covered: list[str] = Field(
        description="The frames that the coder decided about: the annotation does not say that another frame, which "
        "came into the codebook later, is absent."
    )
    note: str
    unsure: bool = Field(description="Whether the coder asks for another look at the decision.")
    codebook_version: int
    selection: Selection = Field(
        description="Why the paragraph was coded: drawn `random`, drawn `uncertain`, or `chosen`."
    )
    inclusion_probability: float | None = Field(
        description="The probability with which the coding queue drew the paragraph; null if it was chosen."
    )
    created_at: datetime
    replaced_at: datetime | None


class AnnotationList(BaseModel):
    """Annotations; `next` is the cursor of the following page, null on the last page."""

    annotations: list[AnnotationAnswer]
    next: str | None = None


class SetAsideAnswer(BaseModel):
    """Why something in a file is not an annotation, how often, and the first places."""

    reason: str
    count: int
    first: list[str]


class ImportAnswer(BaseModel):
    """What an import stored, or with `dry_run` would store, and what it set aside."""

    annotations: int
    coders: list[str]
    of_stored_articles: int = Field(
        description="Annotations of stored paragraphs; the others are stored together with their text."
    )
    dry_run: bool
    without_frames: int = Field(description="Annotations that say that no frame is present.")
    adjudications: int = Field(description="Annotations with the role `adjudicator`.")
    by_frame: dict[str, int] = Field(description="Annotations in which each frame is present.")
    by_coder: dict[str, int]
    set_aside: int = Field(
        description="Entries of the file that hold no answer of a coder, or that a later annotation replaces."
    )
    reasons: list[SetAsideAnswer] = Field(description="What was set aside, by reason.")
    ignored_labels: dict[str, int] = Field(description="How often each label occurs that was to be ignored.")
    notes: list[str]


class CodingTask(BaseModel):
    """A paragraph to code. It comes without the model's decision, which would influence the coder."""

    article_id: str
    paragraph: int
    text: str
    title: str | None
    outlet: str | None
    selection: Selection
    inclusion_probability: float | None = Field(
        description="The probability with which it was drawn from all paragraphs that were not coded at that time; "
        "null if the coder chose it."
    )
    overlap: bool = Field(description="Whether another coder receives it too, so that agreement can be measured.")
    frames: list[str] = Field(
        description="The frames to decide about: all of the codebook, or those that the coder's annotation lacks."
    )
    assignment: str | None = Field(None, description="The id of the assignment that drew it, if any.")
    due: date | None = Field(None, description="The last day of that assignment; null if it has none.")
    gold_item: str | None = Field(
        None,
        description="The id of the gold item that it is, by which the coder trains: what the coder sees in it goes to "
        "`/v1/gold-items/{id}/answers`, and is no annotation.",
    )


class CodingQueueRequest(Strict):
    """Who wants paragraphs, and how many."""

    coder: Name = Field(max_length=LONGEST["coder"], description="The name of the coder.")
    n: Annotated[int, Field(ge=1, le=200), WHOLE] = Field(20, description="Number of paragraphs that are to wait.")
    whole: bool = Field(
        False, description="Draw articles with all their paragraphs, so that shares of articles can be corrected."
    )
    training: bool = Field(
        False,
        description="Mix in the gold items that assignments want the coder to train with. Their answers go elsewhere.",
    )


class ReturnAnswer(BaseModel):
    """What a coder returned to the pool of the coding queue."""

    coder: str
    returned: int = Field(description="Number of paragraphs that the coder had not annotated.")
    assigned: int = Field(description="Number of paragraphs that stay with the coder, because they were assigned.")


class CodingQueue(BaseModel):
    """Paragraphs for a coder; the same until they are coded, are returned, or `FRAMING_CODING_DAYS` have passed."""

    coder: str
    tasks: list[CodingTask]
    fewer_because: str | None = Field(
        None, description="Why there are fewer paragraphs than requested; null if there are as many."
    )


class AgreementFigures(BaseModel):
    """The agreement of coders on a frame or its stance. Alpha is null where it is undefined."""

    frame: str
    alpha: float | None
    interval: tuple[float, float] | None
    percent: float | None
    reading: str
    paragraphs: int


class CoderPair(BaseModel):
    """Agreement of two coders on the paragraphs that both have coded."""

    coders: tuple[str, str]
    frames: list[AgreementFigures]


class CoderAndAdjudicated(BaseModel):
    """Agreement of a coder with the adjudicated label, on the paragraphs that the coder coded and somebody settled.

    These are mostly paragraphs on which coders disagreed, so it is lower than on all paragraphs.
    """

    coder: str
    frames: list[AgreementFigures]


class Disagreement(BaseModel):
    """A paragraph in which coders see different frames; `settled_by` names the adjudicator who decided, if any."""

    article_id: str | None
    paragraph: int | None
    text: str
    annotations: dict[str, dict[str, Stance]] = Field(description="Frames and stances by coder.")
    settled_by: str | None


class AgreementAnswer(BaseModel):
    """Agreement of the coders with stored annotations."""

    coders: list[str]
    paragraphs: int = Field(description="Paragraphs that at least two coders have coded.")
    frames: list[AgreementFigures]
    stance: list[AgreementFigures] = Field(
        description="Agreement on the stance of a frame, where both coders see the frame."
    )
    pairs: list[CoderPair]
    with_adjudicated: list[CoderAndAdjudicated] = Field(
        description="Agreement of each coder with the adjudicated label; only of coders with a settled paragraph."
    )
    disagreements: list[Disagreement]


class FrameAnswer(BaseModel):
    """A frame of the codebook."""

    key: str
    title: str
    definition: str
    include: list[str]
    exclude: list[str]
    colour: str


class CaseAnswer(BaseModel):
    """A settled case: a rule that answers a question of coders, and the frames that it concerns."""

    title: str
    rule: str
    frames: list[str]


class CodebookAnswer(BaseModel):
    """The codebook: the definition of each frame."""

    name: str
    version: int
    frames: list[FrameAnswer]
    cases: list[CaseAnswer] = Field(description="Settled cases, numbered from 1 in this order.")
