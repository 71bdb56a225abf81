"""/v1/models: model versions, their figures and cards, promotion and rollback."""

import json
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Header, Path, Query, Response

from service.http.body import StrictJsonRoute
from service.http.dependencies import Admin, Reader, UseChampion, UseCodebook, UseDatabase, UseModel, UseRegistry, needs
from service.http.paging import NumberCursor, read_number_cursor
from service.http.responses import Responses, guarded
from service.models.answers import card_for, champion_version, model_cards, model_list, promotion_answer
from service.models.changes import Comparison, compare
from service.prevalence.own_figures import weeks
from service.schemas.changes import ChangesAnswer
from service.schemas.fields import VERSION_OR_CHAMPION_PATTERN, VERSION_PATTERN, Moment
from service.schemas.models import (
    CardAnswer,
    HistoryAnswer,
    ModelList,
    PromoteRequest,
    PromotionAnswer,
    RescoringAnswer,
    RollbackRequest,
    WeeksAnswer,
)
from service.store import unscored
from service.store.audit import note_promotion
from service.store.callers import Caller
from service.store.sql.database import Database
from training.registry.card import card_to_json
from training.registry.promotions import Promotion
from training.reports.card import card_to_markdown
from training.scoring.operating_points import OperatingPoint

router = APIRouter(prefix="/v1/models", tags=["models"], route_class=StrictJsonRoute)

_CARD: Responses = {
    200: {
        "description": "The card, as JSON or, by Accept, as Markdown",
        "model": CardAnswer,
        "content": {"text/markdown": {"schema": {"type": "string"}}},
    }
}


@router.get("", responses=guarded(503))
def listing(registry: UseRegistry, caller: Reader) -> ModelList:
    """All model versions with their figures, newest first; the names of coders are for admins."""
    return model_list(registry, *model_cards(registry, caller))


@router.get("/history", dependencies=needs["reader"], responses=guarded(422, 503))
def history(
    registry: UseRegistry,
    at: Annotated[Moment | None, Query(description="Only the promotion that was in force at this time.")] = None,
) -> HistoryAnswer:
    """The promotions and rollbacks, newest first: who, which model, when, and why."""
    promotions = [promotion_answer(promotion) for promotion in reversed(registry.history())]
    if at is not None:
        promotions = [promotion for promotion in promotions if promotion.at <= at][:1]
    return HistoryAnswer(promotions=promotions)


@router.get("/weeks", dependencies=needs["reader"], responses=guarded(503))
def by_week(model: UseModel, database: UseDatabase, codebook: UseCodebook) -> WeeksAnswer:
    """The champion against the annotations of drawn paragraphs, by the week that their articles are from.

    A decline is said only where chance does not explain it over all weeks at once (permutation test of the maximum).
    """
    with database.read() as connection:
        return weeks(connection, model.card, codebook)


@router.get("/rescoring", dependencies=needs["reader"], responses=guarded(503))
def rescoring(registry: UseRegistry, database: UseDatabase) -> RescoringAnswer:
    """Number of stored articles scored by the champion; after a promotion the worker rescores the others."""
    version = champion_version(registry)
    with database.read() as connection:
        scored, total = unscored.count_scored(connection, version or "")
        left = unscored.seconds_left(connection, version, datetime.now(UTC)) if version and scored < total else None
    return RescoringAnswer(version=version, scored=scored, articles=total, seconds_left=left)


@router.post("/{version:version}/promote", responses=guarded(400, 404, 409, 413, 422, 503))
def promote(
    version: Annotated[str, Path(pattern=VERSION_PATTERN)],
    request: PromoteRequest,
    registry: UseRegistry,
    database: UseDatabase,
    champion: UseChampion,
    caller: Admin,
) -> PromotionAnswer:
    """Makes a version champion; all processes load it within seconds. 409 if the verdict on the version is negative."""
    by = _promoter(caller, request.by)
    promotion = registry.promote(version, by=by, reason=request.reason, force=request.force)
    _log(database, caller, promotion)
    champion.refresh()
    return promotion_answer(promotion)


@router.post("/rollback", responses=guarded(400, 409, 413, 422, 503))
def rollback(
    request: RollbackRequest, registry: UseRegistry, database: UseDatabase, champion: UseChampion, caller: Admin
) -> PromotionAnswer:
    """Returns to the previous champion."""
    promotion = registry.roll_back(by=_promoter(caller, request.by), reason=request.reason)
    _log(database, caller, promotion)
    champion.refresh()
    return promotion_answer(promotion)


def _promoter(caller: Caller, by: str) -> str:
    """The name of the caller's key; without a key, the name in the request."""
    return by if caller.key_id is None else caller.name


def _log(database: Database, caller: Caller, promotion: Promotion) -> None:
    with database.write() as connection:
        note_promotion(connection, caller, promotion)


@router.get("/{version:version}/changes", dependencies=needs["admin"], responses=guarded(404, 409, 422, 503))
def changes(
    version: Annotated[str, Path(pattern=VERSION_PATTERN)],
    registry: UseRegistry,
    database: UseDatabase,
    champion: UseModel,
    operating_point: OperatingPoint = "balanced",
    paragraphs: Annotated[
        int, Query(ge=1, le=2000, description="Stop once this many paragraphs of whole articles were compared.")
    ] = 500,
    examples: Annotated[int, Query(ge=0, le=100, description="Most examples for each frame.")] = 5,
    cursor: NumberCursor = None,
) -> ChangesAnswer:
    """What would change if the version replaced the champion: decisions on the newest stored paragraphs that flip.

    An answer takes a few seconds at most, however slow the models are: the articles that it does not reach are at
    `next`. For admins, who may promote: both models score the paragraphs for each answer.
    """
    wanted = Comparison(paragraphs, read_number_cursor(cursor), operating_point, examples)
    return compare(database, champion, registry.load(version), wanted)


@router.get(
    "/{version:model}",
    response_model=CardAnswer,
    responses={**_CARD, **guarded(404, 422, 503)},
)
def get(
    version: Annotated[
        str, Path(pattern=VERSION_OR_CHAMPION_PATTERN, description="A version such as v1, or `champion`.")
    ],
    registry: UseRegistry,
    caller: Reader,
    accept: Annotated[str, Header(include_in_schema=False)] = "application/json",
) -> Response:
    """The card of a model: data, figures, thresholds, limits; with `Accept: text/markdown` as a document.

    The names of coders are for admins.
    """
    card = card_for(registry.card(registry.champion().version if version == "champion" else version), caller)
    if "text/markdown" in accept:
        return Response(card_to_markdown(card), media_type="text/markdown")
    content = {
        **json.loads(card_to_json(card)),
        "kind": card.kind,
        "champion": card.version == champion_version(registry),
    }
    return Response(json.dumps(content, ensure_ascii=False), media_type="application/json")
