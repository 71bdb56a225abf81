"""Requests and answers about articles and their framing."""

from datetime import datetime
from typing import (
    Annotated,
    Any,
    Literal,
    NotRequired,
    Self,
)

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict  # pydantic requires it before Python 3.12

from labels.annotations import Stance
from labels.boilerplate import SkipReason
from labels.paragraphs import Cut
from service.schemas.fields import Moment, Name, Strict, Text, Threshold
from service.store.removals import Removal
from training.scoring.operating_points import Decision, OperatingPoint

_SINGLE_INPUT: dict[str, Any] = {
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

    model_config = ConfigDict(json_schema_extra={**_SINGLE_INPUT, "examples": [_EXAMPLE]})

    text: Text | None = Field(
        None,
        description="Plain text; it is split into paragraphs at blank lines and at newlines, and without any of these "
        "after some sentences.",
    )
    html: Text | None = Field(None, description="An HTML page or a part of it; the article is extracted from it.")
    paragraphs: list[Text] | None = Field(None, min_length=1, description="The paragraphs, already split.")
    title: Name | None = Field(None, max_length=2000, description="Headline; stored with the article, never scored.")
    operating_point: OperatingPoint = Field("balanced", description="The set of the model's thresholds that decides.")
    thresholds: dict[str, Threshold] = Field(
        default_factory=dict,
        description="Your thresholds, by frame, for the scores of paragraphs and of the article. From its threshold "
        "on, a frame is present; it is never uncertain.",
    )
    explain: bool = Field(True, description="Whether the answer has the evidence for each score.")
    force_language: Annotated[str, Field(pattern=r"^[a-z]{2,3}$")] | None = Field(
        None, description="ISO 639 code of the language; skips its detection and the check that the model supports it."
    )


class ArticleRequest(ClassifyRequest):
    """An article: exactly one of `text`, `html` and `paragraphs`, and what is known of it.

    What only classifies accepts url, outlet, author, published_at and external_id too, and has no use for them.
    """

    # Only web addresses, because pages show it as a link.
    url: Annotated[str, Field(pattern=r"^https?://[^\s\x00-\x20\x7f]+$", max_length=2048)] | None = Field(
        None, description="Where the article was published (http or https)."
    )
    outlet: Name | None = Field(None, max_length=256, description="Publisher of the article, by which charts group.")
    author: Name | None = Field(None, max_length=256)
    published_at: Moment | None = Field(None, description="ISO 8601; a time without a zone is in UTC.")
    external_id: Name | None = Field(None, max_length=512, description="Your id of the article.")


class ModelUsed(BaseModel):
    """The model that classified the article."""

    version: str
    codebook_version: int


# Typed dictionaries: an answer has hundreds of these objects, and as models they would take longer than the scoring.


class Span(TypedDict):
    """A piece of the text."""

    start: Annotated[int, Field(description="Code point offset into the article's text.")]
    end: int


class EvidenceSpan(Span):
    """A word that moved a score. The weight is in log-odds: positive for the frame, negative against it."""

    text: str
    weight: Annotated[float, Field(description="What all places of the word in the paragraph add together.")]
    repeats: NotRequired[
        Annotated[list[Span], Field(description="The further places of a word that occurs several times.")]
    ]


class ParagraphFrame(TypedDict):
    """A frame of a paragraph."""

    score: Annotated[
        float,
        Field(
            ge=0, le=1, description="Calibrated: of the paragraphs with a score of 0.8, four in five carry the frame."
        ),
    ]
    decision: Decision
    stance: NotRequired[
        Annotated[
            Stance,
            Field(description="The most probable of `stances`; missing if the frame is absent."),
        ]
    ]
    stances: NotRequired[
        Annotated[
            dict[Stance, float],
            Field(
                description="Calibrated scores that sum to 1: `advanced` by the text itself, `reported` from a source, "
                "`contested`. Missing if the frame is absent or the model was trained without stances."
            ),
        ]
    ]
    evidence: NotRequired[
        Annotated[
            list[EvidenceSpan],
            Field(description="The words with the largest weights first; missing without `explain`."),
        ]
    ]


class ParagraphAnswer(TypedDict):
    """A paragraph and its frames. `index` is its number, or its position in the list `paragraphs` of the request."""

    index: int
    start: Annotated[int, Field(description="Code point offset into the article's text.")]
    end: int
    text: str
    frames: dict[str, ParagraphFrame]


class SkippedPiece(TypedDict):
    """A piece of the article that is not a paragraph and was not scored."""

    start: int
    end: int
    text: str
    reason: SkipReason


class ArticleFrameAnswer(BaseModel):
    """A frame of the whole article."""

    decision: Decision
    score: float = Field(
        ge=0,
        le=1,
        description="Calibrated: how probable it is that a coder finds the frame in the article. Of a model whose card "
        "has no `article`: the highest score of its paragraphs.",
    )
    share: float = Field(ge=0, le=1, description="Share of the paragraphs in which the frame is present.")
    paragraphs: int = Field(ge=0, description="Number of paragraphs in which the frame is present.")
    stances: dict[Stance, float] | None = Field(
        None, description="Expected share of each stance among the paragraphs in which the frame is present."
    )


class RollUp(BaseModel):
    """The rule by which the frames of an article follow from the scores of its paragraphs."""

    rule: str
    version: int


class ArticleSummary(BaseModel):
    """What the whole article is about, and its frames."""

    about: str | None = Field(
        None,
        description="The subject of the codebook, `political violence`, or `other` if the article is about something "
        "else: no frame is then present. Missing for a model that cannot tell.",
    )
    about_score: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Score of the subject, calibrated on as many articles about it as about something else.",
    )
    frames: dict[str, ArticleFrameAnswer]
    roll_up: RollUp


class Classified(BaseModel):
    """The framing of an article. Offsets count code points of `text` if the answer has it, else of the request."""

    model: ModelUsed
    language: str = Field(description="ISO 639 code; `und` if the text is too short to detect the language.")
    operating_point: OperatingPoint
    article: ArticleSummary
    cut: Cut = Field(
        description="Where the paragraphs end: at `lines`, or, in a text without line breaks, after some `sentences`."
    )
    headings_scored: bool | None = Field(
        None,
        description="True if more than a third of the text looks like headings, so that none of it was taken for "
        "headings and all of it was scored; else missing.",
    )
    paragraphs: list[ParagraphAnswer]
    skipped: list[SkippedPiece]
    text: str | None = Field(
        None, description="For `html` the extracted text; for `paragraphs` these, joined by blank lines."
    )


class ArticleFacts(BaseModel):
    """Facts about a stored article."""

    id: str
    created_at: datetime
    title: str | None = None
    url: str | None = None
    outlet: str | None = None
    author: str | None = None
    published_at: datetime | None = None
    external_id: str | None = None


class StoredArticleAnswer(Classified, ArticleFacts):
    """A stored article with its framing; `text` is never null."""


class FormerParagraph(BaseModel):
    """A paragraph of a former version."""

    index: int
    start: int
    end: int
    text: str


class FormerVersionAnswer(BaseModel):
    """A text that was replaced, with what was known of it; version 1 is the oldest."""

    version: int
    replaced_at: datetime
    title: str | None
    url: str | None
    outlet: str | None
    author: str | None
    published_at: datetime | None
    external_id: str | None
    language: str
    text: str
    paragraphs: list[FormerParagraph]


class FormerVersions(BaseModel):
    """The former versions of an article, oldest first; empty if its text was never replaced."""

    versions: list[FormerVersionAnswer]


class RemovalAnswer(BaseModel):
    """A deleted or purged article: its text is `erased`, or `left` says what still has bytes of it."""

    article_id: str
    state: Literal["erasing", "erased"]
    removed_at: datetime
    erased_at: datetime | None = Field(description="When every file was free of the text; null until then.")
    left: str | None = Field(description="What still has bytes of the text, and why; the worker tries again.")

    @classmethod
    def of(cls, removal: Removal) -> Self:
        return cls(
            article_id=removal.article_id,
            state="erasing" if removal.erased_at is None else "erased",
            removed_at=removal.removed_at,
            erased_at=removal.erased_at,
            left=removal.obstacle,
        )


class ListedArticle(ArticleFacts):
    """A stored article in a list, with the frames of the whole article."""

    language: str
    model: ModelUsed
    article: ArticleSummary


class ArticleList(BaseModel):
    """A page of articles; `next` is the cursor of the following page, missing on the last."""

    articles: list[ListedArticle]
    next: str | None = None
