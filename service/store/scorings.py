"""Scorings: the decisions of a model on a stored article. Each model scores an article at most once."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, delete, insert, select

from labels.annotations import SPECIFIED_STANCES
from labels.paragraphs import Paragraph, SplitArticle
from service.store import daily
from service.store.decisions import article_frame, frame_decision
from service.store.sql.insertion import Rows, in_order, insert_all
from service.store.tables import article_scores, articles, champion, paragraph_scores, scorings
from training.scoring.classification import ArticleFrame, Classification, CrossScores, FrameDecision
from training.scoring.operating_points import OperatingPoint
from training.scoring.subject import About

_NO_STANCES = (None,) * len(SPECIFIED_STANCES)
_NO_CROSS_SCORES = (None,) * len(CrossScores._fields)


@dataclass(frozen=True, slots=True)
class Scoring:
    """The classification of an article by a model."""

    model_version: str
    codebook_version: int
    operating_point: OperatingPoint
    classification: Classification

    @property
    def off_topic(self) -> bool:
        """Whether the model says that the article is about something else than the subject of the codebook."""
        return self.classification.about is not None and self.classification.about.other


@dataclass(frozen=True, slots=True)
class NewScoring:
    """A scoring to add to an article, made at `scored_at`; `place` is its cell in the daily sums.

    `fold` is the fold of the article, which says which fold model has not seen it.
    """

    article_number: int
    fold: int
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
    """Adds scorings of different articles under new numbers, and adds them to the daily sums.

    The rows of `beside` are inserted first, in the same statement; the scorings may refer to them.
    """
    numbered = list(zip(numbers, new, strict=True))
    scored = [(number, scoring, _left_out(scoring)) for number, scoring in numbered]
    rows = {
        scorings: [_row(number, scoring) for number, scoring in numbered],
        paragraph_scores: [
            (
                *(number, paragraph.index, key, frame.score, frame.decision, *(frame.stances or _NO_STANCES)),
                left_out[key][place] if left_out else None,
            )
            for number, scoring, left_out in scored
            for place, (paragraph, frames) in enumerate(_of_paragraphs(scoring))
            for key, frame in frames.items()
        ],
        article_scores: [
            (
                *(number, key, frame.score, frame.decision, frame.share),
                *(frame.paragraphs, frame.uncertain, frame.mean_score, *(frame.stances or _NO_STANCES)),
                *(frame.cross or _NO_CROSS_SCORES),
            )
            for number, scoring, _ in scored
            for key, frame in _of_article(scoring).items()
        ],
    }
    insert_all(connection, {**(beside or {}), **rows})
    daily.count_scorings(connection, map(_contribution, new))


def _of_paragraphs(new: NewScoring) -> Iterable[tuple[Paragraph, Mapping[str, FrameDecision]]]:
    return zip(new.split.paragraphs, new.scoring.classification.paragraphs, strict=True)


def _left_out(new: NewScoring) -> dict[str, list[float]] | None:
    """The score of each paragraph, by frame, by the fold model that has not seen the article; None if there is none."""
    folds = new.scoring.classification.folds
    return None if folds is None else folds.left_out(new.fold)


def _of_article(new: NewScoring) -> Mapping[str, ArticleFrame]:
    """The frames of the article with the scores of the fold models, if there are any."""
    classification = new.scoring.classification
    if classification.folds is None:
        return classification.article
    cross = classification.folds.crossed(new.fold)
    return {key: replace(frame, cross=cross[key]) for key, frame in classification.article.items()}


def _row(number: int, new: NewScoring) -> tuple[Any, ...]:
    about = new.scoring.classification.about
    return in_order(
        scorings,
        {
            "number": number,
            "article_number": new.article_number,
            "model_version": new.scoring.model_version,
            "codebook_version": new.scoring.codebook_version,
            "operating_point": new.scoring.operating_point,
            "scored_at": new.scored_at,
            "paragraphs": len(new.split.paragraphs),
            "about": about.name if about else None,
            "about_score": about.score if about else None,
        },
    )


def _contribution(new: NewScoring) -> daily.Contribution:
    classification = new.scoring.classification
    together = [
        [key for key, frame in frames.items() if frame.decision == "present"] for frames in classification.paragraphs
    ]
    return daily.Contribution(new.place, len(new.split.paragraphs), _of_article(new), together)


def note_champion(connection: Connection, promotion: int, version: str) -> None:
    """Sets the version whose scores the SQL views show. The registry decides which model is the champion."""
    connection.execute(delete(champion))
    connection.execute(insert(champion), {"number": 1, "promotion": promotion, "version": version})


def is_noted_champion(connection: Connection, promotion: int, version: str) -> bool:
    """Whether `note_champion` would change nothing."""
    noted = connection.execute(select(champion.c.promotion, champion.c.version)).first()
    return noted is not None and (noted.promotion, noted.version) == (promotion, version)


# The model of a scoring, its codebook, the operating point of its decisions, and what it says the article is about.
SCORING_FACTS = (
    scorings.c.model_version,
    scorings.c.codebook_version,
    scorings.c.operating_point,
    scorings.c.about,
    scorings.c.about_score,
)


def about_in(row: Any) -> About | None:
    """What the article is about, in a row with `SCORING_FACTS`; None where the model could not tell."""
    return None if row.about is None else About(row.about, row.about_score)


def shown_scoring(model_version: str | None) -> ColumnElement[int]:
    """The number of the article's scoring by `model_version` if it exists, else of its newest scoring."""
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
    """The decisions of a scoring, by frame, on each paragraph in order."""
    decisions: dict[int, dict[str, FrameDecision]] = {paragraph.index: {} for paragraph in split.paragraphs}
    for row in connection.execute(select(paragraph_scores).where(paragraph_scores.c.scoring_number == scoring_number)):
        decisions[row.paragraph][row.frame] = frame_decision(row)
    return tuple(decisions.values())


def article_frames(connection: Connection, scoring_numbers: Sequence[int]) -> dict[int, dict[str, ArticleFrame]]:
    """The decisions of scorings on whole articles, by scoring number and frame."""
    decisions: dict[int, dict[str, ArticleFrame]] = {number: {} for number in scoring_numbers}
    for row in connection.execute(select(article_scores).where(article_scores.c.scoring_number.in_(scoring_numbers))):
        decisions[row.scoring_number][row.frame] = article_frame(row)
    return decisions
