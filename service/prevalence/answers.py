"""Answers about prevalence: cells, comparisons, profiles."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from itertools import combinations
from typing import Any

from sqlalchemy import Connection

from labels.wording import counted
from service.errors import require_period
from service.prevalence.estimates import Estimates, Question
from service.prevalence.own_figures import own_figures
from service.schemas.prevalence import (
    ComparisonAnswer,
    Correction,
    Difference,
    Estimator,
    FrameOnBothSides,
    FramePair,
    PrevalenceAnswer,
    PrevalenceRow,
    ProfileAnswer,
    Provenance,
    Reliability,
    Side,
)
from service.store import prevalence as store
from service.store.points import counts
from training.dataset import MIN_POSITIVE
from training.estimates.prevalence import (
    CONFIDENCE,
    FEWEST_ARTICLES,
    FEWEST_CODED,
    Share,
    difference,
)
from training.model_card import ModelCard
from training.tiers import OwnFigures, f1_of, reliability_tier

ESTIMATOR = Estimator(
    name="PPI++ for a mean, two-phase variance clustered by article, Wilson interval at the effective sample size",
    text=(
        "The mean score of all paragraphs, plus the weighted mean difference between annotation and score of the "
        "paragraphs that the coding queue drew with known probability. The score of an annotated paragraph is by a "
        "fold model that was not trained on it; where a model has none, such paragraphs are left out. Shares of "
        "articles are corrected by articles that were drawn as a whole and coded to the last "
        f"paragraph. Cells with fewer than {FEWEST_CODED} annotations, or annotations from fewer than "
        f"{FEWEST_ARTICLES} articles, have no corrected share. The articles of a cell count as a sample of what their "
        "outlets publish. `borrowed` assumes that a score means the same in all cells."
    ),
    literature=[
        "Angelopoulos, Duchi and Zrnic 2023, PPI++: Efficient Prediction-Powered Inference, arXiv:2311.01453",
        "Zrnic and Candes 2024, Cross-prediction-powered inference, PNAS 121",
        "Egami, Hinck, Stewart and Wei 2023, Using Imperfect Surrogates for Downstream Inference, arXiv:2306.04746",
        "Sarndal, Swensson and Wretman 1992, Model Assisted Survey Sampling, chapter 9",
        "Korn and Graubard 1998, Confidence intervals for proportions with small expected number of positive counts",
        "Rao and Molina 2015, Small Area Estimation, chapter 3 (borrowed)",
    ],
)


# What estimates the corrected share of a row, by its `correction`; a row without such a share has no estimator.
ESTIMATORS: Mapping[Correction, str] = {
    "annotations": ESTIMATOR.name,
    "borrowed": "synthetic: the correction of the whole population, moved by the mean score of the cell",
}


def _provenance(question: Question, card: ModelCard) -> dict[str, Any]:
    point = question.population.point
    provenance = Provenance(
        model_version=card.version,
        codebook_version=card.codebook_version,
        unit=question.unit,
        weight=question.weight,
        dedup=question.population.first_copies,
        population=question.population.articles,
        operating_point=point.operating_point if point else None,
        confidence=CONFIDENCE,
        queried_at=datetime.now(UTC),
        estimator=ESTIMATOR,
    )
    return dict(provenance)


def prevalence(connection: Connection, question: Question, card: ModelCard) -> PrevalenceAnswer:
    """The prevalence of each frame in each cell of a question."""
    own_by_frame = _own(connection, question, card)
    estimates = Estimates(connection, question, card, own_by_frame)
    return PrevalenceAnswer(
        **_provenance(question, card),
        width=question.width,
        off_topic_articles=_off_topic(connection, question, card),
        unscored_articles=store.unscored(connection, question.population),
        undated_articles=store.count_undated(connection, question.population),
        annotations_not_used=estimates.trained_on,
        reliability=[
            Reliability(
                frame=frame,
                reliability_tier=reliability_tier(own),
                f1=own.f1 if own.validated else f1_of(card, frame),
                alpha=own.alpha if own.validated else card.agreement.get(frame),
                validated=own.validated,
                paragraphs=own.paragraphs,
                reading=_reading(own, f1_of(card, frame)),
            )
            for frame, own in own_by_frame.items()
        ],
        rows=estimates.rows(),
    )


def compare(connection: Connection, a: Question, b: Question, card: ModelCard) -> ComparisonAnswer:
    """Compares side a with side b, which must not have an article in common."""
    own = _own(connection, a, card)
    sides = [Estimates(connection, question, card, own) for question in (a, b)]
    return ComparisonAnswer(
        **_provenance(a, card),
        frames=[_comparison(frame, *(side.whole(frame) for side in sides)) for frame in a.population.frames],
    )


def profile(connection: Connection, question: Question, card: ModelCard) -> ProfileAnswer:
    """The prevalence of frames in a whole population, and which of them share paragraphs."""
    estimates = Estimates(connection, question, card, _own(connection, question, card))
    rows = [estimates.whole(frame) for frame in question.population.frames]
    of_paragraphs = counts.pairs_of_paragraphs(connection, question.population)
    together = of_paragraphs
    if question.unit == "article":
        together = counts.pairs_of_articles(connection, question.population)
    return ProfileAnswer(
        **_provenance(question, card),
        off_topic_articles=_off_topic(connection, question, card),
        articles=max((row.articles for row in rows), default=0),
        paragraphs=estimates.paragraphs(),
        frames=rows,
        pairs=_pairs(rows, together, of_paragraphs),
    )


def _own(connection: Connection, question: Question, card: ModelCard) -> dict[str, OwnFigures]:
    """The figures of the frames of a question on all annotated articles."""
    own = own_figures(connection, card, question.population.known_frames)
    return {frame: own[frame] for frame in question.population.frames}


def _reading(own: OwnFigures, f1: float | None) -> str:
    """Says whether a frame is validated on the user's articles, and on what its figures were measured."""
    if own.validated:
        agreed = "" if own.alpha is not None else " How far coders agree is unknown, so the tier is C."
        return (
            f"Validated on {counted(own.paragraphs, 'annotated paragraph')} of {own.articles:,} of your articles, by "
            f"models that had not seen them.{agreed}"
        )
    on_others = "" if f1 is None else f" F1 {f1:.2f} was measured on other texts, those of the model card."
    return (
        f"Not validated on your articles: of what the coding queue drew, {counted(own.paragraphs, 'paragraph')} of "
        f"{counted(own.articles, 'article')} {'is' if own.paragraphs == 1 else 'are'} annotated, {own.carrying:,} of "
        f"them with the frame; {FEWEST_CODED}, {FEWEST_ARTICLES} and {MIN_POSITIVE} are needed.{on_others}"
    )


def _off_topic(connection: Connection, question: Question, card: ModelCard) -> int | None:
    return None if card.subject is None else store.count_off_topic(connection, question.population)


def _comparison(frame: str, a: PrevalenceRow, b: PrevalenceRow) -> FrameOnBothSides:
    first, second = _share(a), _share(b)
    corrected: tuple[float | None, float | None, float | None] = (None, None, None)
    if first is not None and second is not None:
        corrected = difference(first, second)
    return FrameOnBothSides(
        frame=frame,
        reliability_tier=a.reliability_tier,
        a=_side(a),
        b=_side(b),
        difference=Difference(
            raw=a.raw_share - b.raw_share, corrected=corrected[0], low=corrected[1], high=corrected[2]
        ),
    )


def _share(row: PrevalenceRow) -> Share | None:
    if row.corrected_share is None or row.low is None or row.high is None:
        return None
    return Share(row.corrected_share, row.low, row.high, 0.0, 0.0)


def _side(row: PrevalenceRow) -> Side:
    return Side.model_validate(row, from_attributes=True)


def _pairs(
    rows: Sequence[PrevalenceRow],
    together: Mapping[tuple[str, str], int],
    of_paragraphs: Mapping[tuple[str, str], int],
) -> list[FramePair]:
    """Each pair of the frames of a population, given how many units and paragraphs carry both."""
    pairs = []
    for first, second in combinations(rows, 2):
        pair = (min(first.frame, second.frame), max(first.frame, second.frame))
        both, expected = together.get(pair, 0), first.count * second.count
        pairs.append(
            FramePair(
                frame=first.frame,
                other=second.frame,
                count=both,
                paragraphs=of_paragraphs.get(pair, 0),
                share=both / first.total if first.total else 0.0,
                lift=both * first.total / expected if expected else None,
            )
        )
    return pairs


def without_periods(
    question: Question, since: date | None, until: date | None, outlet: str | None, side: str
) -> Question:
    """The question about another set of articles as a whole: without cells for outlets or periods.

    Raises `PeriodError` where the period ends before it begins.
    """
    require_period(since, until, f"query/{side}_to")
    outlets = None if outlet is None else [outlet]
    return replace(
        question,
        by_outlet=False,
        period=None,
        population=replace(question.population, since=since, until=until, outlets=outlets),
    )
