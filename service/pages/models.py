"""/models: versions and their figures, training runs, promote and roll back."""

from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from service.access.needs import needs
from service.http.dependencies import State
from service.models.answers import model_cards, model_list, promotion_answer, training_run_answer
from service.pages.render import PageRoute, page, titles
from service.store import annotations, training_runs
from training.registry.card import ModelCard

router = APIRouter(include_in_schema=False, route_class=PageRoute)

_RUNS = 10


@router.get("/models", dependencies=needs["reader"])
def models(state: State) -> HTMLResponse:
    """Model versions, the runs that made them, and who promoted which when and why."""
    state.charts.make_soon()
    with state.database.read() as connection:
        runs, _ = training_runs.listing(connection, None, _RUNS)
        newest = training_runs.newest(connection)
        new_codes = annotations.count_since(connection, newest.created_at if newest else None)
    known, damaged = model_cards(state.registry)
    found = model_list(state.registry, known, damaged)
    cards = {card.version: card for card in known}
    named = titles(state)
    return page(
        state,
        "models.html",
        "/models",
        found=found,
        cards=cards,
        runs=[training_run_answer(run) for run in runs],
        new_codes=new_codes,
        history=[promotion_answer(promotion) for promotion in reversed(state.registry.history())],
        titles=named,
        versions=_figures(cards),
        reliability=_reliability(cards.get(found.champion or ""), named),
        policy=state.settings.promotion,
    )


def _figures(cards: dict[str, ModelCard]) -> list[dict[str, Any]]:
    """Macro F1 of each version, as the chart reads it."""
    return [
        {"version": version, "how": how, "value": figure.value, "low": figure.low, "high": figure.high}
        for version, card in sorted(cards.items(), key=lambda item: int(item[0][1:]))
        for how, evaluation in (("held-out articles", card.held_out), ("sources left out", card.left_out))
        if evaluation is not None
        for figure in (evaluation.macro.f1,)
    ]


def _reliability(card: ModelCard | None, named: Any) -> list[dict[str, Any]]:
    """The bins of the champion's reliability diagram."""
    if card is None:
        return []
    return [
        {
            "title": named.get(figures.frame, figures.frame),
            "mean_score": row.mean_score,
            "share": row.share,
            "paragraphs": row.paragraphs,
        }
        for figures in card.left_out.frames
        for row in figures.reliability
        if row.paragraphs
    ]
