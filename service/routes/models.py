"""/v1/models: model versions, their figures and cards."""

import json
from typing import Annotated

from fastapi import APIRouter, Header, Path, Query, Response

from service.answers import champion_version, model_cards, model_list, promotion_answer
from service.body import StrictJsonRoute
from service.routes import Responses, problems
from service.schemas.fields import Moment
from service.schemas.models import (
    CardAnswer,
    HistoryAnswer,
    ModelList,
    PromoteRequest,
    PromotionAnswer,
    RescoringAnswer,
    RollbackRequest,
)
from service.state import State
from service.store import articles
from training.card import card_to_json
from training.card_markdown import card_to_markdown

router = APIRouter(prefix="/v1/models", tags=["models"], route_class=StrictJsonRoute)

_CARD: Responses = {
    200: {
        "description": "The card, as JSON or, by Accept, as Markdown",
        "model": CardAnswer,
        "content": {"text/markdown": {"schema": {"type": "string"}}},
    }
}


@router.get("")
def listing(state: State) -> ModelList:
    """All model versions with their figures, the newest first."""
    return model_list(state.registry, *model_cards(state.registry))


@router.get("/history", responses=problems(422, 503))
def history(
    state: State,
    at: Annotated[Moment | None, Query(description="Which model was champion at this time?")] = None,
) -> HistoryAnswer:
    """Who promoted which model when and why, newest first."""
    promotions = [promotion_answer(promotion) for promotion in reversed(state.registry.history())]
    if at is not None:
        promotions = [promotion for promotion in promotions if promotion.at <= at][:1]
    return HistoryAnswer(promotions=promotions)


@router.get("/rescoring", responses=problems(503))
def rescoring(state: State) -> RescoringAnswer:
    """How many stored articles are scored by the champion; the worker scores the others after a promotion."""
    version = champion_version(state.registry)
    with state.database.read() as connection:
        scored, total = articles.count_scored(connection, version or "")
    return RescoringAnswer(version=version, scored=scored, articles=total)


@router.post("/{version:version}/promote", responses=problems(400, 404, 409, 413, 422, 503))
def promote(
    version: Annotated[str, Path(pattern=r"^v[1-9][0-9]{0,8}$")], request: PromoteRequest, state: State
) -> PromotionAnswer:
    """Makes a version champion; all processes take it up within seconds. 409 where its verdict is against it."""
    promotion = state.registry.promote(version, by=request.by, reason=request.reason, force=request.force)
    state.champion.refresh()
    return promotion_answer(promotion)


@router.post("/rollback", responses=problems(400, 409, 413, 422, 503))
def rollback(request: RollbackRequest, state: State) -> PromotionAnswer:
    """Makes the champion before the present one champion again."""
    promotion = state.registry.roll_back(by=request.by, reason=request.reason)
    state.champion.refresh()
    return promotion_answer(promotion)


@router.get("/{version:model}", response_model=CardAnswer, responses={**_CARD, **problems(404, 422, 503)})
def get(
    version: Annotated[
        str, Path(pattern=r"^(champion|v[1-9][0-9]{0,8})$", description="A version such as v1, or `champion`.")
    ],
    state: State,
    accept: Annotated[str, Header(include_in_schema=False)] = "application/json",
) -> Response:
    """The card of a model: data, figures, thresholds, limits. `Accept: text/markdown` gives it to read."""
    wanted = state.registry.champion().version if version == "champion" else version
    card = state.registry.card(wanted)
    if "text/markdown" in accept:
        return Response(card_to_markdown(card), media_type="text/markdown")
    content = {**json.loads(card_to_json(card)), "champion": card.version == champion_version(state.registry)}
    return Response(json.dumps(content, ensure_ascii=False), media_type="application/json")
