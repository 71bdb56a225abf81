"""Rows of scores as the domain's decisions, and back."""

from typing import Any

from labels.annotations import SPECIFIED_STANCES
from training.scoring.classification import ArticleFrame, FrameDecision, Stances

_NONE = (None,) * len(SPECIFIED_STANCES)


def frame_decision(row: Any) -> FrameDecision:
    """A row of `paragraph_scores`."""
    return FrameDecision(row.score, row.decision, None, _stances(row))


def article_frame(row: Any) -> ArticleFrame:
    """A row of `article_scores`."""
    return ArticleFrame(
        row.score, row.decision, row.share, row.paragraphs, row.uncertain, row.mean_score, _stances(row)
    )


def stance_values(found: Stances | None) -> tuple[float | None, ...]:
    """The columns of stances, which are the last ones of either table."""
    return found or _NONE


def _stances(row: Any) -> Stances | None:
    return None if row.advanced is None else (row.advanced, row.reported, row.contested)
