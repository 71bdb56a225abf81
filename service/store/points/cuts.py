"""What a model decides at an operating point, as SQL over its stored scores.

A stored decision follows the operating point that came with its article. The score does not depend on it, so the cuts
of another point give the decisions at that point.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, literal, not_

from labels.codebook import OTHER
from service.store.tables import scorings
from training.model_card import ModelCard
from training.scoring.operating_points import Cut, Decision, OperatingPoint

# No score reaches it.
_ABOVE_ALL = 2.0


@dataclass(frozen=True, slots=True)
class PointCuts:
    """The cuts of a model at an operating point, by frame.

    `articles` is None for a model that decides on an article by its paragraphs.
    """

    model_version: str
    operating_point: OperatingPoint
    paragraphs: Mapping[str, Cut]
    articles: Mapping[str, Cut] | None


def cuts_of(card: ModelCard, operating_point: OperatingPoint) -> PointCuts:
    """The cuts of a model at an operating point."""
    of_article = None if card.article is None else card.article.cuts[operating_point]
    return PointCuts(
        card.version,
        operating_point,
        card.cuts[operating_point],
        None if of_article is None else dict.fromkeys(card.frames, of_article),
    )


def decides(scores: Any, cuts: Mapping[str, Cut], decision: Decision) -> ColumnElement[bool]:
    """Whether this is the decision on a row of scores; `scores` are the columns of either table of scores.

    The query must join the scoring of the row: an article about something else carries no frame.
    """
    present_from = {frame: cut.present_from for frame, cut in cuts.items()}
    above_absent = _reaches(scores, {frame: cut.absent_below for frame, cut in cuts.items()})
    if decision == "absent":
        return not_(above_absent)
    present = _reaches(scores, present_from)
    return present if decision == "present" else and_(above_absent, not_(present))


def decision_on(scores: Any, cuts: Mapping[str, Cut]) -> ColumnElement[str]:
    """The decision on a row of scores, as a column."""
    return case(
        (decides(scores, cuts, "present"), literal("present")),
        (decides(scores, cuts, "absent"), literal("absent")),
        else_=literal("uncertain"),
    )


def _reaches(scores: Any, limits: Mapping[str, float | None]) -> ColumnElement[bool]:
    by_frame = {frame: _ABOVE_ALL if limit is None else limit for frame, limit in limits.items()}
    on_subject = func.coalesce(scorings.c.about, "") != OTHER
    return and_(on_subject, scores.score >= case(by_frame, value=scores.frame, else_=_ABOVE_ALL))
