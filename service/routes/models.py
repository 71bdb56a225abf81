"""/v1/models: model versions, their figures and cards."""

import json
from typing import Annotated

from fastapi import APIRouter, Header, Path, Query, Response

from service.access.needs import Admin, needs
from service.http.body import StrictJsonRoute
from service.http.dependencies import Services, State
from service.models.answers import champion_version, model_cards, model_list, promotion_answer
from service.routes import Responses, guarded
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
from service.store import unscored
from service.store.audit import note_promotion
from service.store.callers import Caller
from training.registry.card import card_to_json
from training.registry.versions import Promotion
from training.reports.card import card_to_markdown

router = APIRouter(prefix="/v1/models", tags=["models"], route_class=StrictJsonRoute)

_CARD: Responses = {
    200: {
        "description": "The card, as JSON or, by Accept, as Markdown",
        "model": CardAnswer,
        "content": {"text/markdown": {"schema": {"type": "string"}}},
    }
}


@router.get("", dependencies=needs["reader"], responses=guarded(503))
def listing(state: State) -> ModelList:
    """All model versions with their figures, the newest first."""
    return model_list(state.registry, *model_cards(state.registry))


@router.get("/history", dependencies=needs["reader"], responses=guarded(422, 503))
def history(
    state: State,
    at: Annotated[Moment | None, Query(description="Which model was champion at this time?")] = None,
) -> HistoryAnswer:
    """Who promoted which model when and why, newest first."""
    promotions = [promotion_answer(promotion) for promotion in reversed(state.registry.history())]
    if at is not None:
        promotions = [promotion for promotion in promotions if promotion.at <= at][:1]
    return HistoryAnswer(promotions=promotions)


@router.get("/rescoring", dependencies=needs["reader"], responses=guarded(503))
def rescoring(state: State) -> RescoringAnswer:
    """How many stored articles are scored by the champion; the worker scores the others after a promotion."""
    version = champion_version(state.registry)
    with state.database.read() as connection:
        scored, total = unscored.count_scored(connection, version or "")
    return RescoringAnswer(version=version, scored=scored, articles=total)


@router.post("/{version:version}/promote", responses=guarded(400, 404, 409, 413, 422, 503))
def promote(
    version: Annotated[str, Path(pattern=r"^v[1-9][0-9]{0,8}$")],
    request: PromoteRequest,
    state: State,
    caller: Admin,
) -> PromotionAnswer:
    """Makes a version champion; all processes take it up within seconds. 409 where its verdict is against it."""
    by = _who(caller, request.by)
    promotion = state.registry.promote(version, by=by, reason=request.reason, force=request.force)
    _note(state, caller, promotion)
    return promotion_answer(promotion)


@router.post("/rollback", responses=guarded(400, 409, 413, 422, 503))
def rollback(request: RollbackRequest, state: State, caller: Admin) -> PromotionAnswer:
    """Makes the champion before the present one champion again."""
    promotion = state.registry.roll_back(by=_who(caller, request.by), reason=request.reason)
    _note(state, caller, promotion)
    return promotion_answer(promotion)


def _who(caller: Caller, said: str) -> str:
    """The name of the key; without keys what the request says."""
    return said if caller.key_id is None else caller.name


def _note(state: Services, caller: Caller, promotion: Promotion) -> None:
    with state.database.write() as connection:
        note_promotion(connection, caller, promotion)
    state.champion.refresh()


@router.get(
    "/{version:model}",
    dependencies=needs["reader"],
    response_model=CardAnswer,
    responses={**_CARD, **guarded(404, 422, 503)},
)
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
