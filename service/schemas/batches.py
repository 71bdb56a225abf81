"""Lines of the JSON Lines routes: requests and answers."""

from pydantic import BaseModel, Field

from service.schemas.articles import Classified, ClassifyRequest, StoredArticleAnswer
from service.schemas.fields import Name
from service.schemas.problems import Problem


class ClassifyLine(ClassifyRequest):
    """An article to classify, with your id, which the answer repeats."""

    external_id: Name | None = Field(None, max_length=512)


class ClassifiedLine(BaseModel):
    """The framing of the article in a line (counted from 1), or the problem with that line."""

    line: int
    external_id: str | None = None
    status: int
    answer: Classified | None = None
    problem: Problem | None = None


class ArticleLine(BaseModel):
    """The stored article of a line, only its id if it was stored before (status 200), or the problem with that line."""

    line: int
    external_id: str | None = None
    status: int
    id: str | None = None
    answer: StoredArticleAnswer | None = None
    problem: Problem | None = None
