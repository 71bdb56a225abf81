"""The articles that a question about prevalence, scores or regressions is about."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from labels.codebook import Codebook
from service.errors import NoSubjectError, require_frames, require_period
from service.schemas.fields import Articles
from service.settings import Settings
from service.store.points.cuts import cuts_of
from service.store.prevalence import Population
from training.model_card import ModelCard
from training.scoring.operating_points import OperatingPoint


@dataclass(frozen=True, slots=True)
class ScoredPopulation:
    """The population that a request is about, and the card of the model that scored it."""

    population: Population
    card: ModelCard


@dataclass(frozen=True, slots=True)
class Selected:
    """Which frames and articles the caller wants: all where nothing is said; `since` and `until` are included."""

    frames: Sequence[str] | None = None
    since: date | None = None
    until: date | None = None
    outlets: Sequence[str] | None = None
    first_copies: bool = False
    articles: Articles | None = None
    # None: the point with which each article was stored.
    operating_point: OperatingPoint | None = None

    def __post_init__(self) -> None:
        """Raises `PeriodError` where the period ends before it begins."""
        require_period(self.since, self.until)


def scored_population(selected: Selected, card: ModelCard, codebook: Codebook, settings: Settings) -> ScoredPopulation:
    """The population of a selection; raises `UnknownFrameError` or `NoSubjectError`."""
    require_frames(selected.frames or (), card.frame_keys, "query/frame")
    population = Population(
        card.version,
        tuple(frame for frame in card.frame_keys if not selected.frames or frame in selected.frames),
        selected.since,
        selected.until,
        selected.outlets,
        selected.first_copies,
        counts_on_subject(selected.articles, settings, card),
        codebook.under_keys(card.frame_keys),
        None if selected.operating_point is None else cuts_of(card, selected.operating_point),
    )
    return ScoredPopulation(population, card)


def counts_on_subject(wanted: Articles | None, settings: Settings, card: ModelCard) -> bool:
    """Whether only articles on the subject count: as the caller wants, else by the settings as far as the model can.

    Raises `NoSubjectError` if the caller wants it of a model that cannot tell.
    """
    if wanted == "on_subject" and card.subject is None:
        raise NoSubjectError(card.version)
    return card.subject is not None and (wanted or settings.population) == "on_subject"
