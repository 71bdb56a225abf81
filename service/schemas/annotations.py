"""Codes, the coding queue, agreement and the codebook over HTTP."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from labels.annotations import Stance
from service.schemas.fields import WHOLE, Name, Strict, Text
from service.store.annotations import Role, Selection


class AnnotationRequest(Strict):
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
    paragraph: Annotated[int, Field(ge=0, le=1_000_000), WHOLE] | None = Field(
        None, description="`index` of its paragraph."
    )
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
