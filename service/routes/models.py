"""/v1/models: model versions, their figures and cards."""

import json
from typing import Annotated

from fastapi import APIRouter, Header, Path, Response

from service.answers import champion_version, model_list
from service.routes import Responses, problems
from service.schemas import CardAnswer, ModelList
from service.state import State
from training.card import card_to_json
from training.card_markdown import card_to_markdown

router = APIRouter(prefix="/v1/models", tags=["models"])

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
    return model_list(state.registry)


@router.get("/{version}", response_model=CardAnswer, responses={**_CARD, **problems(404, 422, 503)})
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
