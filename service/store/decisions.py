"""Reads decisions from rows of scores."""

from typing import Any

from training.scoring.classification import ArticleFrame, FrameDecision, Stances


def frame_decision(row: Any) -> FrameDecision:
    """The decision in a row of `paragraph_scores`."""
    return FrameDecision(row.score, row.decision, None, _stances(row))


def article_frame(row: Any) -> ArticleFrame:
    """The decision in a row of `article_scores`."""
    return ArticleFrame(
        row.score, row.decision, row.share, row.paragraphs, row.uncertain, row.mean_score, _stances(row)
    )


def _stances(row: Any) -> Stances | None:
    return None if row.advanced is None else (row.advanced, row.reported, row.contested)
