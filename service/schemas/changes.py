"""The answer about what a promotion would change."""

from datetime import datetime

from pydantic import BaseModel, Field

from training.scoring.operating_points import Decision, OperatingPoint


class ChangedParagraph(BaseModel):
    """A paragraph about which the two models decide differently, with the article that it is from."""

    article_id: str
    title: str | None
    outlet: str | None
    published_at: datetime | None
    paragraph: int
    text: str = Field(description="Its first 400 characters.")
    before: Decision = Field(description="The champion's decision.")
    after: Decision = Field(description="The decision of the version.")
    champion_score: float
    version_score: float


class DecisionChange(BaseModel):
    """Number of paragraphs whose decision changes from `before` to `after`."""

    before: Decision
    after: Decision
    paragraphs: int


class FrameChange(BaseModel):
    """What would change about a frame."""

    frame: str
    present_before: int = Field(description="Paragraphs in which the champion says that the frame is present.")
    present_after: int = Field(description="Paragraphs in which the version says so.")
    changes: list[DecisionChange] = Field(description="The most frequent change first.")
    examples: list[ChangedParagraph] = Field(
        description="Paragraphs that change: first those in which the frame comes to be present or no longer is, the "
        "newest articles first."
    )


class ChangesAnswer(BaseModel):
    """What would change if a version replaced the champion: their decisions on stored paragraphs, newest first.

    To compare more, ask again with `next` as `cursor` and add up the counts.
    """

    champion: str
    version: str
    operating_point: OperatingPoint
    articles: int = Field(description="Number of articles that were compared, each as a whole.")
    paragraphs: int = Field(description="Number of their paragraphs.")
    changed_paragraphs: int = Field(description="Number of paragraphs with another decision on any frame.")
    left_out: int = Field(description="Number of articles that were too long to compare with an encoder in time.")
    frames: list[FrameChange] = Field(description="The frames that both models have.")
    only_champion: list[str] = Field(description="Frames that only the champion has.")
    only_version: list[str] = Field(description="Frames that only the version has.")
    next: str | None = Field(
        None, description="Cursor of the articles that are older than those compared; null if there are none."
    )
