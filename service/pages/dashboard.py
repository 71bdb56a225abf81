"""/: prevalence over time and by outlet, frames that go together, the latest articles, the current model."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse
from sqlalchemy import Connection

from labels.agreement import RELIABLE, TENTATIVE
from service.articles.answers import listed_answer
from service.http.dependencies import UseDatabase, UseSettings, needs
from service.pages.article_view import marks
from service.pages.render import PageRoute, Site, UseSite
from service.prevalence.own_figures import own_figures
from service.schemas.fields import Articles, WholeDay
from service.schemas.prevalence import Unit
from service.store import article_list, article_lookup, prevalence
from training.estimates.prevalence import FEWEST_CODED
from training.evaluation import Figure
from training.model_card import ModelCard
from training.tiers import OwnFigures, f1_of, reliability_tier

router = APIRouter(include_in_schema=False, route_class=PageRoute)

_LATEST = 8
_Period = Literal["day", "week", "month"]
_DAYS_OF_A_WEEK = 7
# Annotations that a week needs on average before most weeks have enough of their own.
_CODED_OF_A_WEEK = 1.5 * FEWEST_CODED


@dataclass(frozen=True, slots=True)
class _Filters:
    """The filters in the address bar."""

    period: _Period
    since: Any
    until: Any
    outlet: list[str]
    frame: list[str]
    unit: Unit
    shares: Literal["corrected", "raw"]
    dedup: bool
    population: Articles | None

    def query(self, *, every_frame: bool = False, **overrides: str) -> str:
        """The parameters with which a chart asks the API for its data; `overrides` replace some of them."""
        corrected = self.shares == "corrected"
        single: dict[str, Any] = {
            "from": self.since,
            "to": self.until,
            "unit": self.unit,
            "dedup": "true" if self.dedup else None,
            "population": self.population,
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
) -> HTMLResponse:
    """The dashboard; every choice of the reader is in its address."""
    site.charts.make_soon()
    model = site.champion.current
    subject = model.card.subject if model else None
    with database.read() as connection:
        stored = article_lookup.newest_ids(connection, 1)
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
        )
        latest = _latest(site, connection, filters)
        own = own_figures(connection, model.card, site.codebook) if model else {}
    return site.page(
        "dashboard.html",
        "/",
        filters=filters,
        outlets=outlets,
        coded=coded,
        fewest_coded=FEWEST_CODED,
        reliable=RELIABLE,
        tentative=TENTATIVE,
        latest=latest,
        empty=not stored,
        subject=subject.name if subject else None,
        model=_model_figures(model.card, own) if model else None,
    )


def _period(connection: Connection, card: ModelCard, coded: int) -> _Period:
    """Weeks if most of them have enough annotations of their own to be corrected, else months."""
    days = prevalence.first_and_last_day(connection, prevalence.Population(card.version, card.frame_keys))
    weeks = 0.0 if days is None else ((days[1] - days[0]).days + 1) / _DAYS_OF_A_WEEK
    return "week" if coded >= weeks * _CODED_OF_A_WEEK else "month"


def _latest(site: Site, connection: Any, filters: _Filters) -> list[dict[str, Any]]:
    """The newest articles that pass the filters, with their frames."""
    list_filters = article_list.filters(
        outlet=filters.outlet[0] if len(filters.outlet) == 1 else None,
        since=filters.since,
        until=filters.until,
        frame=filters.frame[0] if len(filters.frame) == 1 else None,
        about="subject" if filters.population == "on_subject" else None,
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
    }
