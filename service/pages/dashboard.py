"""/: prevalence over time and by outlet, frames that go together, the latest articles, the current model."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse
from sqlalchemy import Connection

from labels.agreement import RELIABLE, TENTATIVE
from labels.codebook import Codebook
from service.articles.answers import listed_answer
from service.http.dependencies import UseDatabase, UseSettings, needs
from service.pages.article_view import marks
from service.pages.render import PageRoute, Site, UseSite, day_in_words
from service.prevalence.own_figures import own_figures
from service.prevalence.population import Selected, scored_population
from service.schemas.fields import Articles, WholeDay
from service.schemas.prevalence import Unit
from service.settings import Settings
from service.store import article_list, article_lookup, prevalence
from service.store.points.cuts import cuts_of
from training.estimates.prevalence import FEWEST_CODED
from training.evaluation import Figure
from training.model_card import ModelCard
from training.scoring.operating_points import OperatingPoint
from training.tiers import OwnFigures, f1_of, reliability_tier

router = APIRouter(include_in_schema=False, route_class=PageRoute)

_LATEST = 8
_Period = Literal["day", "week", "month"]
_DAYS_OF_A_WEEK = 7
# Annotations that a week needs on average before most weeks have enough of their own.
_CODED_OF_A_WEEK = 1.5 * FEWEST_CODED


@dataclass(frozen=True, slots=True)
class _Filters:
    """The filters in the address bar. Without an operating point, each article keeps that of its scoring."""

    period: _Period
    since: date | None
    until: date | None
    outlet: Sequence[str]
    frame: Sequence[str]
    unit: Unit
    shares: Literal["corrected", "raw"]
    dedup: bool
    population: Articles | None
    operating_point: OperatingPoint | None

    def selected(self) -> Selected:
        """The articles and frames that pass; raises `PeriodError`."""
        return Selected(
            self.frame, self.since, self.until, self.outlet or None, self.dedup, self.population, self.operating_point
        )

    def articles(self) -> str:
        """The address of the list of the same articles."""
        pairs: list[tuple[str, Any]] = [("from", self.since), ("to", self.until)]
        pairs += [("about", "subject" if self.population == "on_subject" else None)]
        pairs += [("dedup", "true" if self.dedup else None), ("operating_point", self.operating_point)]
        pairs += [("outlet", outlet) for outlet in self.outlet] + [("frame", frame) for frame in self.frame]
        chosen = [(name, value) for name, value in pairs if value]
        return f"/articles?{urlencode(chosen)}" if chosen else "/articles"

    def query(self, *, every_frame: bool = False, **overrides: str) -> str:
        """The parameters with which a chart asks the API for its data; `overrides` replace some of them."""
        corrected = self.shares == "corrected"
        single: dict[str, Any] = {
            "from": self.since,
            "to": self.until,
            "unit": self.unit,
            "dedup": "true" if self.dedup else None,
            "population": self.population,
            "operating_point": self.operating_point,
            "correct": None if corrected else "false",
            "borrow": "true" if corrected else None,
            **overrides,
        }
        # An empty `by` asks for a single cell; without `by` the API would answer by week.
        pairs = [(name, value) for name, value in single.items() if name == "by" or value not in (None, "")]
        pairs += [("outlet", outlet) for outlet in self.outlet] + [
            ("frame", frame) for frame in self.frame if not every_frame
        ]
        return urlencode(pairs)


@router.get("/", dependencies=needs["reader"])
def dashboard(
    site: UseSite,
    database: UseDatabase,
    settings: UseSettings,
    period: _Period | None = None,
    since: Annotated[WholeDay | Literal[""] | None, Query(alias="from")] = None,
    until: Annotated[WholeDay | Literal[""] | None, Query(alias="to")] = None,
    outlet: Annotated[list[str] | None, Query(max_length=100)] = None,
    frame: Annotated[list[str] | None, Query(max_length=50)] = None,
    unit: Unit = "paragraph",
    shares: Literal["corrected", "raw"] | None = None,
    dedup: bool = False,
    articles: Annotated[Articles | Literal[""] | None, Query(alias="population")] = None,
    operating_point: OperatingPoint | Literal[""] | None = None,
) -> HTMLResponse:
    """The dashboard; every choice of the reader is in its address."""
    site.charts.make_soon()
    model = site.champion.current
    subject = model.card.subject if model else None
    with database.read() as connection:
        outlets = prevalence.outlets(connection)
        coded = prevalence.count_drawn_paragraphs(connection)
        frames = [key for key in frame or [] if key]
        shown = shares or ("corrected" if coded >= FEWEST_CODED and unit == "paragraph" else "raw")
        filters = _Filters(
            period=period or (_period(connection, model.card, coded) if model and shown == "corrected" else "week"),
            since=since or None,
            until=until or None,
            outlet=[name for name in outlet or [] if name],
            frame=frames,
            unit=unit,
            shares=shown,
            dedup=dedup,
            # A model that cannot tell counts all articles, whatever the address of the page says.
            population=(articles or settings.population) if subject else None,
            operating_point=operating_point or None,
        )
        faults = faults_of(filters.since, filters.until, filters.frame, model.card.frame_keys if model else ())
        latest = [] if faults else _latest(site, connection, filters)
        own = own_figures(connection, model.card, site.codebook) if model else {}
        obstacle = _Obstacle("no_model")
        if model:
            obstacle = _obstacle(connection, filters, faults, model.card, site.codebook, settings)
    return site.page(
        "dashboard.html",
        "/",
        422 if faults else 200,
        filters=filters,
        faults=faults,
        obstacle=obstacle,
        outlets=choices({name: name for name in outlets}, filters.outlet),
        choosable=choices({key: site.titles[key] for key in model.card.frame_keys} if model else {}, filters.frame),
        coded=coded,
        fewest_coded=FEWEST_CODED,
        reliable=RELIABLE,
        tentative=TENTATIVE,
        latest=latest,
        subject=subject.name if subject else None,
        model=_model_figures(model.card, own) if model else None,
    )


def _period(connection: Connection, card: ModelCard, coded: int) -> _Period:
    """Weeks if most of them have enough annotations of their own to be corrected, else months."""
    days = prevalence.first_and_last_day(connection, prevalence.Population(card.version, card.frame_keys))
    weeks = 0.0 if days is None else ((days[1] - days[0]).days + 1) / _DAYS_OF_A_WEEK
    return "week" if coded >= weeks * _CODED_OF_A_WEEK else "month"


def choices(known: Mapping[str, str], chosen: Sequence[str]) -> list[tuple[str, str]]:
    """The values and labels that a filter offers: the known ones, and any other that the address chose."""
    return [*known.items(), *((value, value) for value in dict.fromkeys(chosen) if value not in known)]


def faults_of(
    since: date | None, until: date | None, frames: Sequence[str], known: Collection[str]
) -> Mapping[str, str]:
    """A sentence for each filter that cannot be used, by the name of its field; `known` is empty without a model."""
    faults = {}
    if since is not None and until is not None and until < since:
        days = f"{day_in_words(until)}, is before the first, {day_in_words(since)}"
        faults["to"] = f"The last day, {days}. Exchange the two days, or clear either of them."
    unknown = [frame for frame in frames if known and frame not in known]
    if unknown:
        names = ", ".join(f"“{frame}”" for frame in unknown)
        faults["frame"] = f"The current model has no frame {names}. Choose from the list of frames."
    return faults


@dataclass(frozen=True, slots=True)
class _Obstacle:
    """Why there is nothing to draw; `days` are those of the articles that pass no filter, where there are some."""

    reason: Literal["", "no_model", "faults", "nothing_stored", "not_scored", "nothing_passes"] = ""
    days: tuple[date, date] | None = None


def _obstacle(
    connection: Connection,
    filters: _Filters,
    faults: Mapping[str, str],
    card: ModelCard,
    codebook: Codebook,
    settings: Settings,
) -> _Obstacle:
    if faults:
        return _Obstacle("faults")
    passing = scored_population(filters.selected(), card, codebook, settings).population
    if prevalence.first_and_last_day(connection, passing):
        return _Obstacle()
    if not article_lookup.newest_ids(connection, 1):
        return _Obstacle("nothing_stored")
    days = prevalence.first_and_last_day(connection, prevalence.Population(card.version, card.frame_keys))
    return _Obstacle("nothing_passes" if days else "not_scored", days)


def _latest(site: Site, connection: Connection, filters: _Filters) -> list[dict[str, Any]]:
    """The newest articles that pass the filters, with their frames."""
    model = site.champion.current
    list_filters = article_list.filters(
        filters.outlet,
        filters.since,
        filters.until,
        filters.frame,
        about="subject" if filters.population == "on_subject" else None,
        point=cuts_of(model.card, filters.operating_point) if model and filters.operating_point else None,
        first_copies=filters.dedup,
    )
    articles, _ = article_list.newest(connection, list_filters, None, _LATEST, site.champion.version())
    names = site.frame_names
    return [
        {"article": article, "marks": marks(article.article.frames, names)} for article in map(listed_answer, articles)
    ]


def _model_figures(card: ModelCard, own: Mapping[str, OwnFigures]) -> dict[str, Any]:
    evaluation = card.held_out or card.left_out
    macro_f1: Figure = evaluation.macro.f1
    reliability = [
        (
            card.frames[frame],
            reliability_tier(figures),
            figures.f1 if figures.validated else f1_of(card, frame),
            figures.alpha if figures.validated else card.agreement.get(frame),
        )
        for frame, figures in own.items()
    ]
    return {
        "version": card.version,
        "created_at": card.created_at[:10],
        "macro_f1": macro_f1,
        "reliability": reliability,
        "has_stances": bool(card.stances),
    }
