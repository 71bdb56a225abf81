"""/: prevalence over time and by outlet, frames that go together, latest articles, the model in use."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse

from service.access.needs import needs
from service.articles.answers import listed_article
from service.http.dependencies import Services, State
from service.pages.article_view import marks
from service.pages.render import PageRoute, page, places, titles
from service.schemas.fields import WholeDay, end_of, start_of
from service.store import article_list, articles, prevalence
from training.evaluation import Figure
from training.prevalence import FEWEST_CODES
from training.tiers import f1_of, reliability_tier

router = APIRouter(include_in_schema=False, route_class=PageRoute)

_LATEST = 8


@dataclass(frozen=True, slots=True)
class _Filters:
    """What the address bar asks for."""

    period: Literal["day", "week", "month"]
    since: Any
    until: Any
    outlet: list[str]
    frame: list[str]
    unit: Literal["paragraph", "article"]
    shares: Literal["corrected", "raw"]
    dedup: bool

    def query(self, *, every_frame: bool = False, **more: str) -> str:
        """The parameters of the API for a chart; `more` overrules them."""
        corrected = self.shares == "corrected"
        single: dict[str, Any] = {
            "from": self.since,
            "to": self.until,
            "unit": self.unit,
            "dedup": "true" if self.dedup else None,
            "correct": None if corrected else "false",
            "borrow": "true" if corrected else None,
            **more,
        }
        # An empty `by` asks for no cells; left out it would ask for weeks.
        pairs = [(name, value) for name, value in single.items() if name == "by" or value not in (None, "")]
        pairs += [("outlet", outlet) for outlet in self.outlet] + [
            ("frame", frame) for frame in self.frame if not every_frame
        ]
        return urlencode(pairs)


@router.get("/", dependencies=needs["reader"])
def dashboard(
    state: State,
    period: Literal["day", "week", "month"] = "week",
    since: Annotated[WholeDay | Literal[""] | None, Query(alias="from")] = None,
    until: Annotated[WholeDay | Literal[""] | None, Query(alias="to")] = None,
    outlet: Annotated[list[str] | None, Query(max_length=100)] = None,
    frame: Annotated[list[str] | None, Query(max_length=50)] = None,
    unit: Literal["paragraph", "article"] = "paragraph",
    shares: Literal["corrected", "raw"] | None = None,
    dedup: bool = False,
) -> HTMLResponse:
    """The dashboard; every choice stands in its address."""
    state.charts.make_soon()
    version = state.champion.version()
    with state.database.read() as connection:
        stored = articles.newest_ids(connection, 1)
        outlets = prevalence.outlets(connection)
        codes = prevalence.count_drawn_codes(connection)
        frames = [key for key in frame or [] if key]
        filters = _Filters(
            period=period,
            since=since or None,
            until=until or None,
            outlet=[name for name in outlet or [] if name],
            frame=frames,
            unit=unit,
            shares=shares or ("corrected" if codes >= FEWEST_CODES and unit == "paragraph" else "raw"),
            dedup=dedup,
        )
        latest = _latest(state, connection, filters)
    return page(
        state,
        "dashboard.html",
        "/",
        filters=filters,
        outlets=outlets,
        codes=codes,
        enough_codes=FEWEST_CODES,
        latest=latest,
        empty=not stored,
        model=_model(state) if version else None,
        titles=titles(state),
    )


def _latest(state: Services, connection: Any, filters: _Filters) -> list[dict[str, Any]]:
    asked = article_list.Filters(
        outlet=filters.outlet[0] if len(filters.outlet) == 1 else None,
        since=start_of(filters.since) if filters.since else None,
        until=end_of(filters.until) if filters.until else None,
        frame=filters.frame[0] if len(filters.frame) == 1 else None,
    )
    found, _ = article_list.newest(connection, asked, None, _LATEST, state.champion.version())
    named, placed = titles(state), places(state)
    listed = [listed_article(article) for article in found]
    return [
        {
            "article": article,
            "marks": [m for m in marks(article.article.frames, named, placed) if m.decision == "present"],
        }
        for article in listed
    ]


def _model(state: Services) -> dict[str, Any]:
    card = state.champion.model().card
    judged = card.held_out or card.left_out
    macro: Figure = judged.macro.f1
    tiers = [
        (card.frames[f], reliability_tier(card, f), f1_of(card, f), card.agreement.get(f)) for f in card.frame_keys
    ]
    return {"version": card.version, "created_at": card.created_at[:10], "macro_f1": macro, "tiers": tiers}
