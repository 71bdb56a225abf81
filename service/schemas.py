"""What travels over HTTP. Pydantic lives here and nowhere below."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from labels.annotations import Stance
from labels.boilerplate import Reason
from service.store.annotations import Role, Selection
from service.store.training_runs import State as RunState
from training.operating_points import Decision, OperatingPoint

_NOT_BLANK = r"^[^\u0000]*[^\s\u0000][^\u0000]*$"


def _no_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("must not contain the character NUL")
    return text


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be blank")
    return _no_nul(text)


def _iso_text(value: Any) -> Any:
    """Pydantic would also read bare numbers, as seconds since 1970."""
    if not isinstance(value, str) or "-" not in value[1:]:
        raise ValueError("must be an ISO 8601 date or time")
    return value


def _whole(value: Any) -> Any:
    """JSON has one kind of number: 3.0 is the whole number 3."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _in_utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("lies outside the years 1 to 9999 in UTC") from None


def _day_in_utc(day: date | datetime) -> date | datetime:
    return _in_utc(day) if isinstance(day, datetime) else day


# The patterns are for readers of the OpenAPI document; the validators check, in linear time.
Text = Annotated[str, AfterValidator(_no_nul), Field(json_schema_extra={"pattern": _NOT_BLANK})]
Name = Annotated[str, AfterValidator(_not_blank), Field(min_length=1, json_schema_extra={"pattern": _NOT_BLANK})]
Moment = Annotated[datetime, Field(strict=False), BeforeValidator(_iso_text), AfterValidator(_in_utc)]
Whole = Annotated[int, BeforeValidator(_whole)]
Threshold = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Day = Annotated[date | datetime, BeforeValidator(_iso_text), AfterValidator(_day_in_utc)]


def start_of(day: date | datetime) -> datetime:
    """The first moment that a date or time means."""
    return day if isinstance(day, datetime) else datetime.combine(day, time(), UTC)


def end_of(day: date | datetime) -> datetime:
    """The first moment after the day, or the time itself."""
    if isinstance(day, datetime):
        return day
    return datetime.max.replace(tzinfo=UTC) if day == date.max else start_of(day + timedelta(days=1))


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


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


class ClassifyRequest(_Strict):
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


class EvidenceSpan(BaseModel):
    """Words that moved a score. Weights are log-odds: positive for the frame, negative against it."""

    start: int = Field(description="Code point offset into the article's text.")
    end: int
    text: str
    weight: float


class ParagraphFrame(BaseModel):
    """One frame of one paragraph."""

    score: float = Field(ge=0, le=1, description="Calibrated: of paragraphs scored 0.8, four in five carry the frame.")
    decision: Decision
    evidence: list[EvidenceSpan] | None = Field(
        None, description="The weightiest words first; absent without `explain`."
    )


class ParagraphAnswer(BaseModel):
    """A paragraph and its frames. `index` is its number, or its place in the list of paragraphs that you sent."""

    index: int
    start: int = Field(description="Code point offset into the article's text.")
    end: int
    text: str
    frames: dict[str, ParagraphFrame]


class SkippedPiece(BaseModel):
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


class AnnotationRequest(_Strict):
    """One coder's code of one paragraph: of a stored article, or of a `text` from a `source`."""

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

    coder: Name = Field(max_length=128, description="Who coded.")
    role: Role = Field("coder", description="`adjudicator` settles a disagreement; the coders' codes stay beside it.")
    article_id: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")] | None = Field(None, description="A stored article.")
    paragraph: Annotated[Whole, Field(ge=0, le=1_000_000)] | None = Field(None, description="`index` of its paragraph.")
    text: Name | None = Field(None, max_length=100_000, description="A paragraph that is not stored.")
    source: Name | None = Field(None, max_length=256, description="Where that text is from.")
    frames: dict[str, Stance] = Field(description="Stance of each frame that is present; empty where none is.")
    note: Text = Field("", max_length=10_000, json_schema_extra={"pattern": r"^[^\u0000]*$"})


class AnnotationAnswer(BaseModel):
    """A stored code. `replaced_at` is null while it is in force."""

    id: str
    coder: str
    role: Role
    article_id: str | None
    paragraph: int | None
    text: str | None
    source: str
    frames: dict[str, Stance]
    note: str
    codebook_version: int
    selection: Selection = Field(description="How the paragraph came to be coded.")
    inclusion_probability: float | None = Field(description="Of being drawn, where the coding queue drew it.")
    created_at: datetime
    replaced_at: datetime | None


class AnnotationList(BaseModel):
    """Annotations; `next` is the cursor of the following page, null on the last."""

    annotations: list[AnnotationAnswer]
    next: str | None = None


class ImportAnswer(BaseModel):
    """What an import stored, or with `dry_run` would store."""

    codes: int
    coders: list[str]
    of_stored_articles: int = Field(description="Codes of paragraphs that are stored; the others keep their own text.")
    dry_run: bool


class CodingTask(BaseModel):
    """A paragraph to code. What the model thinks of it is not told."""

    article_id: str
    paragraph: int
    text: str
    title: str | None
    outlet: str | None
    selection: Selection
    inclusion_probability: float = Field(description="Of being drawn from all that nobody had coded then.")
    overlap: bool = Field(description="Another coder has it too, so that agreement can be measured.")


class CodingQueue(BaseModel):
    """Paragraphs for one coder; the same until they are coded."""

    coder: str
    tasks: list[CodingTask]


class AgreementFigures(BaseModel):
    """How far coders agree on one thing. Alpha is null where it is undefined."""

    frame: str
    alpha: float | None
    interval: tuple[float, float] | None
    percent: float | None
    reading: str
    paragraphs: int


class CoderPair(BaseModel):
    """Agreement of two coders on the paragraphs that both coded."""

    coders: tuple[str, str]
    frames: list[AgreementFigures]


class Disagreement(BaseModel):
    """A paragraph on whose frames coders differ; `settled_by` names an adjudicator who decided."""

    article_id: str | None
    paragraph: int | None
    text: str
    codes: dict[str, dict[str, Stance]]
    settled_by: str | None


class AgreementAnswer(BaseModel):
    """Agreement of the coders whose annotations are stored."""

    coders: list[str]
    paragraphs: int = Field(description="Paragraphs that at least two coders coded.")
    frames: list[AgreementFigures]
    stance: list[AgreementFigures] = Field(description="Agreement on the stance where both give the frame.")
    pairs: list[CoderPair]
    disagreements: list[Disagreement]


class HyperparametersRequest(_Strict):
    """What may be tuned; left out, the default holds."""

    regularisation: Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)] | None = None
    min_df: Annotated[Whole, Field(ge=1, le=100)] | None = None
    ngrams: Annotated[Whole, Field(ge=1, le=3)] | None = None


class TrainingRunRequest(_Strict):
    """What to train on and how; everything may be left out."""

    note: Text = Field("", max_length=2000, json_schema_extra={"pattern": r"^[^\u0000]*$"})
    seed: Annotated[Whole, Field(ge=0, le=2**31 - 1)] | None = Field(
        None, description="Same data and seed, same scores."
    )
    hyperparameters: HyperparametersRequest = Field(default_factory=HyperparametersRequest)
    include_corpus: bool = Field(True, description="Whether to train on the corpus of the settings too.")
    coders: list[Name] | None = Field(None, min_length=1, max_length=1000, description="Only these coders' codes.")


class TrainingRunAnswer(BaseModel):
    """A training run. `verdict` and `label_diff` are there once their steps are done."""

    id: str
    state: RunState
    step: str
    progress: float = Field(ge=0, le=1)
    request: dict[str, Any]
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    annotations: int | None = Field(description="Paragraphs in the snapshot that it trains on.")
    annotations_digest: str | None
    version: str | None
    verdict: dict[str, Any] | None = Field(description="Whether to promote, the reason, and figures of both models.")
    label_diff: dict[str, Any] | None = Field(description="Stored paragraphs whose decisions would change, by frame.")
    promoted: bool | None
    error: str | None
    log: list[str]


class TrainingRunList(BaseModel):
    """One page of runs; `next` is the cursor of the following page, null on the last."""

    training_runs: list[TrainingRunAnswer]
    next: str | None = None


class PromoteRequest(_Strict):
    """Why a version should be champion, and who says so."""

    reason: Name = Field(max_length=2000)
    by: Name = Field("api", max_length=128)
    force: bool = Field(False, description="Overrule a verdict against it; this is kept in the history.")


class RollbackRequest(_Strict):
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


class FrameAnswer(BaseModel):
    """A frame of the codebook."""

    key: str
    title: str
    definition: str
    include: list[str]
    exclude: list[str]
    colour: str


class CodebookAnswer(BaseModel):
    """The codebook: what each frame means."""

    name: str
    version: int
    frames: list[FrameAnswer]


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


class Health(BaseModel):
    """The service is up, or ready."""

    status: Literal["ok"]


class FieldError(BaseModel):
    """What is wrong with one field. The pointer is a JSON pointer into the body, or `query/…`, `path/…`, `header/…`."""

    pointer: str
    detail: str


class Problem(BaseModel):
    """Problem details (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    errors: list[FieldError] | None = None
