"""Reads decisions from rows of scores."""

from typing import Any

from training.scoring.classification import ArticleFrame, CrossScores, FrameDecision, Stances


def frame_decision(row: Any) -> FrameDecision:
    """The decision in a row of `paragraph_scores`."""
    return FrameDecision(row.score, row.decision, None, _stances(row))


def article_frame(row: Any) -> ArticleFrame:
    """The decision in a row of `article_scores`."""
    return ArticleFrame(
        row.score, row.decision, row.share, row.paragraphs, row.uncertain, row.mean_score, _stances(row), _cross(row)
    )


def _cross(row: Any) -> CrossScores | None:
    if row.cross_score is None:
        return None
    return CrossScores(row.cross_mean_score, row.cross_score, row.left_out_mean_score, row.left_out_score)


def _stances(row: Any) -> Stances | None:
    return None if row.advanced is None else (row.advanced, row.reported, row.contested)
