"""/models: versions and their figures, training runs, promote and roll back."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from service.http.dependencies import Reader, UseDatabase, UseRegistry, UseSettings
from service.models.answers import model_cards, model_list, promotion_answer, training_run_answer
from service.pages.render import PageRoute, UseSite
from service.prevalence.own_figures import weeks
from service.store import annotations, training_runs
from training.model_card import ModelCard
from training.registry.provenance import texts_of

router = APIRouter(include_in_schema=False, route_class=PageRoute)

_RUNS = 10


@router.get("/models")
def models(
    site: UseSite, database: UseDatabase, registry: UseRegistry, settings: UseSettings, caller: Reader
) -> HTMLResponse:
    """Model versions, the runs that trained them, and the history of promotions."""
    site.charts.make_soon()
    with database.read() as connection:
        runs, _ = training_runs.listing(connection, None, _RUNS)
        newest = training_runs.newest(connection)
        new_annotations = annotations.count_since(connection, newest.created_at if newest else None)
        champion = site.champion.current
        by_week = weeks(connection, champion.card, site.codebook) if champion else None
    readable, damaged = model_cards(registry, caller)
    model_answers = model_list(registry, readable, damaged)
    cards = {card.version: card for card in readable}
    return site.page(
        "models.html",
        "/models",
        models=sorted(model_answers.models, key=lambda model: not model.champion),  # then as before, newest first
        damaged=model_answers.damaged,
        cards=cards,
        runs=[training_run_answer(run, caller) for run in runs],
        new_annotations=new_annotations,
        history=[promotion_answer(promotion) for promotion in reversed(registry.history())],
        version_rows=version_rows(cards),
        reliability_rows=_reliability_rows(cards.get(model_answers.champion or ""), site.titles),
        policy=settings.promotion,
        by_week=by_week,
    )


def version_rows(cards: Mapping[str, ModelCard]) -> list[dict[str, Any]]:
    """Macro F1 of each version and what it was measured on, as rows of its chart.

    `short` is the colour: as many paragraphs left out in the same way are the same texts.
    """
    return [
        {
            "version": version,
            "short": f"{evaluation.in_short}, {evaluation.paragraphs:,} paragraphs",
            "how": f"{evaluation.how}; {texts_of(card, evaluation.how)}",
            "value": figure.value,
            "low": figure.low,
            "high": figure.high,
        }
        for version, card in sorted(cards.items(), key=lambda item: int(item[0][1:]))
        for evaluation in (card.held_out, card.left_out)
        if evaluation is not None
        for figure in (evaluation.macro.f1,)
    ]


def _reliability_rows(card: ModelCard | None, titles: Mapping[str, str]) -> list[dict[str, Any]]:
    """The bins of the champion's reliability diagram, as rows of its chart."""
    if card is None:
        return []
    return [
        {
            "title": titles.get(figures.frame, figures.frame),
            "mean_score": score_bin.mean_score,
            "share": score_bin.share,
            "paragraphs": score_bin.paragraphs,
        }
        for figures in card.left_out.frames
        for score_bin in figures.reliability
        if score_bin.paragraphs
    ]
