"""The OpenAPI document: FastAPI's, with the frames of the model in use where a frame is asked for."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from service.http import problem_details
from service.http.dependencies import Services
from service.schemas.problems import Problem
from training.errors import NoChampionError


def install(app: FastAPI, services: Services) -> None:
    """Has the application answer with the document; it is made again only when a model of other frames is in use."""

    # FastAPI takes a tenth of a second for it, which whoever asks in turn, or by a wrong method, must not cost others.
    @lru_cache(maxsize=1)
    def document(frames: tuple[str, ...]) -> dict[str, Any]:
        return _document(app, services.codebook.keys, frames)

    app.openapi = lambda: document(_frames_in_use(services))  # type: ignore[method-assign]


def _frames_in_use(services: Services) -> tuple[str, ...]:
    try:
        return services.champion.model().card.frame_keys
    except NoChampionError:
        return ()


def _document(app: FastAPI, codes: Sequence[str], frames: Sequence[str]) -> dict[str, Any]:
    document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    schemas = document["components"]["schemas"]
    schemas[Problem.__name__] = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(schemas[Problem.__name__].pop("$defs", {}))
    _describe_invalid_requests(document)
    _summarise_by_description(document)
    if frames:
        _name_all_frames(document, codes, frames)
    return document


def _name_all_frames(document: dict[str, Any], codes: Sequence[str], frames: Sequence[str]) -> None:
    """Codes are of the codebook's frames; scores and thresholds of the model's."""
    schemas = document["components"]["schemas"]
    schemas["AnnotationRequest"]["properties"]["frames"]["propertyNames"] = {"enum": list(codes)}
    for name in ("ClassifyRequest", "ArticleRequest"):
        schemas[name]["properties"]["thresholds"]["propertyNames"] = {"enum": list(frames)}
    for path in document["paths"].values():
        for parameter in path.get("get", {}).get("parameters", ()):
            if parameter["name"] == "frame":
                _name_frames(parameter["schema"], list(frames))


def _name_frames(schema: dict[str, Any], frames: list[str]) -> None:
    """Says which frames a parameter takes, be it one or a list."""
    for kind in schema.get("anyOf", [schema]):
        if kind.get("type") == "array":
            kind["items"] = {"type": "string", "enum": frames}
        elif kind.get("type") == "string":
            kind["enum"] = frames


def _summarise_by_description(document: dict[str, Any]) -> None:
    """The first sentence of a route's description says more than the name of its function."""
    for path in document["paths"].values():
        for operation in path.values():
            operation["summary"] = operation["description"].split(".")[0].split("\n")[0]


def _describe_invalid_requests(document: dict[str, Any]) -> None:
    """FastAPI documents its own shape of validation errors, which this service never answers with."""
    document["components"]["schemas"].pop("HTTPValidationError", None)
    document["components"]["schemas"].pop("ValidationError", None)
    content = {problem_details.MEDIA_TYPE: {"schema": {"$ref": f"#/components/schemas/{Problem.__name__}"}}}
    for path in document["paths"].values():
        for operation in path.values():
            if "422" in operation["responses"]:
                operation["responses"]["422"]["content"] = content
