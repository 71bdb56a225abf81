"""Lines of the JSON Lines routes: requests and answers."""

from typing import Literal

from pydantic import BaseModel

from service.schemas.articles import Classified, StoredArticleAnswer
from service.schemas.problems import Problem


class ClassifiedLine(BaseModel):
    """The framing of the article in a line (counted from 1), or the problem with that line."""

    line: int
    external_id: str | None = None
    status: int
    answer: Classified | None = None
    problem: Problem | None = None


class ArticleLine(BaseModel):
    """The stored article of a line, only its id if it was stored before (status 200), or the problem with that line.

    `replaced` is true where the text of a stored article was replaced.
    """

    line: int
    external_id: str | None = None
    status: int
    id: str | None = None
    replaced: Literal[True] | None = None
    answer: StoredArticleAnswer | None = None
    problem: Problem | None = None
