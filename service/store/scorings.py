"""What models said of stored articles: one scoring an article and model, the newest shown unless a model is named."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, insert, select

from labels.paragraphs import SplitArticle
from service.store import daily
from service.store.decisions import article_frame, frame_decision, stance_columns
from service.store.tables import article_scores, articles, paragraph_scores, scorings
from training.classification import ArticleFrame, Classification, FrameDecision
from training.operating_points import OperatingPoint


@dataclass(frozen=True, slots=True)
class Scoring:
    """One model's reading of an article."""

    model_version: str
    codebook_version: int
    operating_point: OperatingPoint
    classification: Classification


def add_scoring(
    connection: Connection, number: int, split: SplitArticle, scoring: Scoring, now: datetime, place: daily.Place
) -> None:
    """Adds a scoring of an article, made at `now`, and counts it for its day and outlet."""
    scoring_number = connection.execute(
        insert(scorings).returning(scorings.c.number),
        {
            "article_number": number,
            "model_version": scoring.model_version,
            "codebook_version": scoring.codebook_version,
            "operating_point": scoring.operating_point,
            "scored_at": now,
            "paragraphs": len(split.paragraphs),
        },
    ).scalar_one()
    connection.execute(
        insert(paragraph_scores),
        [
            {
                "scoring_number": scoring_number,
                "paragraph": paragraph.index,
                "frame": frame,
                "score": found.score,
                "decision": found.decision,
                **stance_columns(found.stances),
            }
            for paragraph, frames in zip(split.paragraphs, scoring.classification.paragraphs, strict=True)
            for frame, found in frames.items()
        ],
    )
    connection.execute(
        insert(article_scores),
        [
            {
                "scoring_number": scoring_number,
                "frame": frame,
                "score": found.score,
                "decision": found.decision,
                "share": found.share,
                "paragraphs": found.paragraphs,
                "uncertain": found.uncertain,
                "mean_score": found.mean_score,
                **stance_columns(found.stances),
            }
            for frame, found in scoring.classification.article.items()
        ],
    )
    found = scoring.classification
    together = [[f for f, one in frames.items() if one.decision == "present"] for frames in found.paragraphs]
    daily.count_scoring(connection, place, len(split.paragraphs), found.article, together)


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
