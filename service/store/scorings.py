"""What models said of stored articles: one scoring an article and model, the newest shown unless a model is named."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, select

from labels.paragraphs import SplitArticle
from service.store import daily
from service.store.decisions import article_frame, frame_decision, stance_values
from service.store.sql.insertion import Rows, in_order, insert_all
from service.store.tables import article_scores, articles, paragraph_scores, scorings
from training.scoring.classification import ArticleFrame, Classification, FrameDecision
from training.scoring.operating_points import OperatingPoint


@dataclass(frozen=True, slots=True)
class Scoring:
    """One model's reading of an article."""

    model_version: str
    codebook_version: int
    operating_point: OperatingPoint
    classification: Classification


@dataclass(frozen=True, slots=True)
class NewScoring:
    """A scoring of a stored article, made at `scored_at`, and where it counts."""

    article_number: int
    split: SplitArticle
    scoring: Scoring
    scored_at: datetime
    place: daily.Place


def add_scorings(
    connection: Connection,
    numbers: Sequence[int],
    new: Sequence[NewScoring],
    *,
    beside: Mapping[Table, Rows] | None = None,
) -> None:
    """Adds scorings, of different articles, under new numbers, and counts each for its day and outlet.

    Rows `beside` them, in tables that they may refer to, are inserted before them, in the same statement.
    """
    numbered = list(zip(numbers, new, strict=True))
    scored = [(number, one.split.paragraphs, one.scoring.classification) for number, one in numbered]
    rows = {
        scorings: [_row(number, one) for number, one in numbered],
        paragraph_scores: [
            (number, paragraph.index, frame, found.score, found.decision, *stance_values(found.stances))
            for number, paragraphs, classification in scored
            for paragraph, frames in zip(paragraphs, classification.paragraphs, strict=True)
            for frame, found in frames.items()
        ],
        article_scores: [
            (
                *(number, frame, found.score, found.decision, found.share),
                *(found.paragraphs, found.uncertain, found.mean_score, *stance_values(found.stances)),
            )
            for number, _, classification in scored
            for frame, found in classification.article.items()
        ],
    }
    insert_all(connection, {**(beside or {}), **rows})
    daily.count_scorings(connection, map(_counted, new))


def _row(number: int, one: NewScoring) -> tuple[Any, ...]:
    return in_order(
        scorings,
        {
            "number": number,
            "article_number": one.article_number,
            "model_version": one.scoring.model_version,
            "codebook_version": one.scoring.codebook_version,
            "operating_point": one.scoring.operating_point,
            "scored_at": one.scored_at,
            "paragraphs": len(one.split.paragraphs),
        },
    )


def _counted(one: NewScoring) -> daily.Counted:
    found = one.scoring.classification
    together = [[f for f, one in frames.items() if one.decision == "present"] for frames in found.paragraphs]
    return daily.Counted(one.place, len(one.split.paragraphs), found.article, together)


SCORING_FACTS = (scorings.c.model_version, scorings.c.codebook_version, scorings.c.operating_point)
"""Columns that say which model scored, and how it decided."""


def shown_scoring(model_version: str | None) -> ColumnElement[int]:
    """The scoring by `model_version` where there is one, else the newest."""
    candidates = scorings.alias("candidates")
    return (
        select(candidates.c.number)
        .where(candidates.c.article_number == articles.c.number)
        .order_by((candidates.c.model_version == model_version).desc(), candidates.c.number.desc())
        .limit(1)
        .correlate(articles)
        .scalar_subquery()
    )


def paragraph_frames(
    connection: Connection, scoring_number: int, split: SplitArticle
) -> tuple[Mapping[str, FrameDecision], ...]:
    """The decisions of a scoring on each paragraph, in order."""
    found: dict[int, dict[str, FrameDecision]] = {paragraph.index: {} for paragraph in split.paragraphs}
    for row in connection.execute(select(paragraph_scores).where(paragraph_scores.c.scoring_number == scoring_number)):
        found[row.paragraph][row.frame] = frame_decision(row)
    return tuple(found.values())


def article_frames(connection: Connection, scoring_numbers: Sequence[int]) -> dict[int, dict[str, ArticleFrame]]:
    """The decisions of scorings on whole articles, by number."""
    found: dict[int, dict[str, ArticleFrame]] = {number: {} for number in scoring_numbers}
    for row in connection.execute(select(article_scores).where(article_scores.c.scoring_number.in_(scoring_numbers))):
        found[row.scoring_number][row.frame] = article_frame(row)
    return found
