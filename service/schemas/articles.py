"""Articles over HTTP: what is sent, and the framing that is answered."""

from datetime import datetime
from typing import (
    Annotated,
    Any,
    NotRequired,  # pydantic asks for these before Python 3.12
)

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from labels.annotations import Stance
from labels.boilerplate import Reason
from service.schemas.fields import Moment, Name, Strict, Text, Threshold
from training.scoring.operating_points import Decision, OperatingPoint

_ONE_INPUT: dict[str, Any] = {
    "oneOf": [
        {"required": [name], "properties": {name: {"type": kind}}}
        for name, kind in (("text", "string"), ("html", "string"), ("paragraphs", "array"))
    ]
}


_EXAMPLE: dict[str, Any] = {
    "title": "After the attack on the night train",
    "text": "Opposition parties said the interior minister had ignored repeated warnings before the attack.\n\n"
    "The foreign ministry accused the neighbouring state of arming the gunmen.",
}


class ClassifyRequest(Strict):
    """An article to classify: exactly one of `text`, `html` and `paragraphs`."""

    model_config = ConfigDict(json_schema_extra={**_ONE_INPUT, "examples": [_EXAMPLE]})

    text: Text | None = Field(None, description="Plain text; paragraphs are cut at blank lines and at newlines.")
    html: Text | None = Field(None, description="A whole HTML page or a part of one; its article is extracted.")
    paragraphs: list[Text] | None = Field(None, min_length=1, description="Paragraphs that you have cut already.")
    title: Name | None = Field(None, max_length=2000, description="Headline; kept with a stored article, never scored.")
    operating_point: OperatingPoint = Field("balanced", description="Which thresholds of the model decide.")
    thresholds: dict[str, Threshold] = Field(
        default_factory=dict,
        description="Thresholds of your own, by frame. Such a frame is present from there up and never uncertain.",
    )
    explain: bool = Field(True, description="Whether to answer with the words that carried each score.")
    force_language: Annotated[str, Field(pattern=r"^[a-z]{2,3}$")] | None = Field(
        None, description="ISO 639 code of the language; skips detection and the check that the model knows it."
    )


class ArticleRequest(ClassifyRequest):
    """An article to classify and keep."""

    # Only web addresses: pages show it as a link.
    url: Annotated[str, Field(pattern=r"^https?://[^\s\x00-\x20\x7f]+$", max_length=2048)] | None = Field(
        None, description="Where the article was published (http or https)."
    )
    outlet: Name | None = Field(None, max_length=256, description="Who published it; charts group by this.")
    author: Name | None = Field(None, max_length=256)
    published_at: Moment | None = Field(None, description="ISO 8601; without a zone it is taken as UTC.")
    external_id: Name | None = Field(None, max_length=512, description="Your own id of the article.")


class ModelUsed(BaseModel):
    """Which model answered."""

    version: str
    codebook_version: int


# Hundreds of these are in one answer: dictionaries with a type, as models of their own would cost more than the scores.


class EvidenceSpan(TypedDict):
    """Words that moved a score. Weights are log-odds: positive for the frame, negative against it."""

    start: Annotated[int, Field(description="Code point offset into the article's text.")]
    end: int
    text: str
    weight: float


class ParagraphFrame(TypedDict):
    """One frame of one paragraph."""

    score: Annotated[
        float, Field(ge=0, le=1, description="Calibrated: of paragraphs scored 0.8, four in five carry the frame.")
    ]
    decision: Decision
    stance: NotRequired[
        Annotated[
            Stance,
            Field(description="Whose voice it is, where the frame is not absent: the likeliest of `stances`."),
        ]
    ]
    stances: NotRequired[
        Annotated[
            dict[Stance, float],
            Field(
                description="Calibrated scores, together 1: `advanced` by the text itself, `reported` of a source, "
                "`contested`. Absent where the frame is, and with a model that was trained without stances."
            ),
        ]
    ]
    evidence: NotRequired[
        Annotated[list[EvidenceSpan], Field(description="The weightiest words first; absent without `explain`.")]
    ]


class ParagraphAnswer(TypedDict):
    """A paragraph and its frames. `index` is its number, or its place in the list of paragraphs that you sent."""

    index: int
    start: Annotated[int, Field(description="Code point offset into the article's text.")]
    end: int
    text: str
    frames: dict[str, ParagraphFrame]


class SkippedPiece(TypedDict):
    """A piece of the article that was set aside and not scored."""

    start: int
    end: int
    text: str
    reason: Reason


class ArticleFrameAnswer(BaseModel):
    """One frame of the whole article."""

    decision: Decision
    score: float = Field(ge=0, le=1, description="The highest score of its paragraphs.")
    share: float = Field(ge=0, le=1, description="Share of the paragraphs that are present.")
    paragraphs: int = Field(ge=0, description="How many paragraphs are present.")
    stances: dict[Stance, float] | None = Field(
        None, description="Of the paragraphs that are present, the share expected of each stance."
    )


class RollUp(BaseModel):
    """The rule by which paragraphs become an article."""

    rule: str
    version: int


class ArticleSummary(BaseModel):
    """The frames of the whole article."""

    frames: dict[str, ArticleFrameAnswer]
    roll_up: RollUp


class Classified(BaseModel):
    """The framing of an article. Offsets count code points of `text` where it is given, else of what you sent."""

    model: ModelUsed
    language: str = Field(description="ISO 639 code; `und` where the text is too short to tell.")
    operating_point: OperatingPoint
    article: ArticleSummary
    paragraphs: list[ParagraphAnswer]
    skipped: list[SkippedPiece]
    text: str | None = Field(
        None, description="For HTML the extracted text; for paragraphs these joined by blank lines."
    )


class ArticleFacts(BaseModel):
    """What is known of a stored article."""

    id: str
    created_at: datetime
    title: str | None = None
    url: str | None = None
    outlet: str | None = None
    author: str | None = None
    published_at: datetime | None = None
    external_id: str | None = None


class StoredArticleAnswer(Classified, ArticleFacts):
    """A stored article with its framing; `text` is always given."""


class ListedArticle(ArticleFacts):
    """A stored article in a list, with the frames of the whole."""

    language: str
    model: ModelUsed
    article: ArticleSummary


class ArticleList(BaseModel):
    """One page of articles; `next` is the cursor of the following page, absent on the last."""

    articles: list[ListedArticle]
    next: str | None = None
