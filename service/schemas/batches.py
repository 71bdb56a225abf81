"""JSON Lines over HTTP: what a line asks for, and what a line answers."""

from pydantic import BaseModel, Field

from service.schemas.articles import Classified, ClassifyRequest, StoredArticleAnswer
from service.schemas.fields import Name
from service.schemas.problems import Problem


class ClassifyLine(ClassifyRequest):
    """An article to classify, with an id of your own that comes back with the answer."""

    external_id: Name | None = Field(None, max_length=512)


class ClassifiedLine(BaseModel):
    """The framing of the article of a line (counted from 1), or what is wrong with it."""

    line: int
    external_id: str | None = None
    status: int
    answer: Classified | None = None
    problem: Problem | None = None


class ArticleLine(BaseModel):
    """The stored article of a line, its id alone where it was stored before (status 200), or what is wrong with it."""

    line: int
    external_id: str | None = None
    status: int
    id: str | None = None
    answer: StoredArticleAnswer | None = None
    problem: Problem | None = None
