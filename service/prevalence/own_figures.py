"""How good the champion is on a user's own articles: by frame, for reliability tiers, and week by week.

Measured on the paragraphs that the coding queue drew and that are annotated, weighted by the inverse of the probability
with which they came to be annotated, and scored by models that have not seen their articles.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from labels.agreement import agreement
from labels.codebook import Codebook
from service.prevalence.periods import first_day_of
from service.prevalence.trained_on import is_trained_on
from service.schemas.models import WeekAnswer, WeeksAnswer
from service.store import annotations, prevalence
from service.store.prevalence import DrawnParagraph, Population
from training.dataset import fold_of
from training.estimates.weeks import Week, weekly
from training.model_card import ModelCard
from training.tiers import OwnFigures

# Hits, false alarms and misses.
_COUNTS = 3


@dataclass(frozen=True, slots=True)
class _Compared:
    """A paragraph's frames on which the coders decided: whether they see each, and whether the model does."""

    paragraph: DrawnParagraph
    frames: Mapping[str, tuple[bool, bool]]

    def counts(self, frame: str) -> NDArray[np.float64]:
        """Weighted hits, false alarms and misses on a frame, (3,)."""
        coded, present = self.frames[frame]
        marks = (coded and present, present and not coded, coded and not present)
        return np.array(marks, dtype=float) * self.paragraph.inclusion.weight


def own_figures(connection: Connection, card: ModelCard, codebook: Codebook) -> dict[str, OwnFigures]:
    """The figures of each frame of a model on all annotated articles, and the agreement of their coders."""
    codebook = codebook.under_keys(card.frame_keys)
    compared = _compared(connection, card, codebook)
    coded = annotations.coded_paragraphs(connection, codebook, adjudicated=False) if compared else ()
    alphas = {result.frame: result.alpha for result in agreement(coded, codebook, resamples=1)}
    return {frame: _figures(frame, compared, alphas.get(frame)) for frame in card.frame_keys}


def weeks(connection: Connection, card: ModelCard, codebook: Codebook) -> WeeksAnswer:
    """The champion against annotations, by the week that the annotated articles are from."""
    compared = _compared(connection, card, codebook.under_keys(card.frame_keys))
    by_article: dict[str, NDArray[np.float64]] = defaultdict(lambda: np.zeros(_COUNTS))
    starts: dict[str, date] = {}
    paragraphs: dict[date, int] = defaultdict(int)
    for entry in compared:
        start = first_day_of(entry.paragraph.day, "week")
        starts[entry.paragraph.article_id] = start
        paragraphs[start] += 1
        by_article[entry.paragraph.article_id] += sum(map(entry.counts, entry.frames), np.zeros(_COUNTS))
    counts = np.array([by_article[article] for article in starts]).reshape(-1, _COUNTS)
    whole, figures = weekly(list(starts.values()), counts)
    return WeeksAnswer(
        version=card.version,
        paragraphs=len(compared),
        articles=len(starts),
        f1=whole,
        declined=any(week.declined for week in figures),
        reading=_reading(figures),
        weeks=[
            WeekAnswer(
                week=week.start,
                paragraphs=paragraphs[week.start],
                articles=week.articles,
                f1=week.f1,
                lowest_by_chance=week.lowest,
                declined=week.declined,
            )
            for week in figures
        ],
    )


def _reading(figures: Sequence[Week]) -> str:
    measured = [week for week in figures if week.f1 is not None]
    if len(measured) <= 1:
        return "There are too few annotations of drawn paragraphs to compare weeks: it takes those of two weeks."
    declined = [f"{week.start:%Y-%m-%d}" for week in figures if week.declined]
    if not declined:
        return "In no week does the model agree less with the coders than chance explains over all weeks at once."
    return (
        f"In the week{'' if len(declined) == 1 else 's'} from {', '.join(declined)} the model agrees less with the "
        "coders than chance explains over all weeks at once: look at these articles, and train again with their "
        "annotations."
    )


def _figures(frame: str, compared: Sequence[_Compared], alpha: float | None) -> OwnFigures:
    own = [entry for entry in compared if frame in entry.frames]
    hits, false_alarms, misses = sum((entry.counts(frame) for entry in own), np.zeros(_COUNTS)).tolist()
    total = 2 * hits + false_alarms + misses
    return OwnFigures(
        paragraphs=len(own),
        articles=len({entry.paragraph.article_id for entry in own}),
        carrying=sum(entry.frames[frame][0] for entry in own),
        f1=2 * hits / total if total else None,
        alpha=alpha,
    )


def _compared(connection: Connection, card: ModelCard, codebook: Codebook) -> list[_Compared]:
    population = Population(card.version, card.frame_keys, codebook=codebook)
    drawn = prevalence.drawn_paragraphs(connection, population)
    unseen = [paragraph for paragraph in drawn if not is_trained_on(card, paragraph)]
    compared = [_Compared(paragraph, _decisions(card, paragraph)) for paragraph in unseen]
    return [entry for entry in compared if entry.frames]


def _decisions(card: ModelCard, paragraph: DrawnParagraph) -> dict[str, tuple[bool, bool]]:
    """Whether coders and model see each frame; frames on which the coders are tied are left out."""
    thresholds = _thresholds(card, paragraph.article_id)
    return {
        frame: (share > 0.5, threshold is not None and paragraph.scores[frame] >= threshold)
        for frame, share in paragraph.annotated.items()
        if frame in paragraph.scores and share != 0.5
        for threshold in [thresholds[frame]]
    }


def _thresholds(card: ModelCard, article: str) -> Mapping[str, float | None]:
    """The balanced thresholds that an article is judged at: of a model with fold models, those of its fold."""
    if card.folds is not None:
        return card.folds.thresholds[fold_of(article)]
    return {frame: cut.threshold for frame, cut in card.cuts["balanced"].items()}
