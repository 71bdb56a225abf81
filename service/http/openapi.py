"""The OpenAPI document: FastAPI's, with the frames of the current model wherever a frame can be named."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from labels.codebook import Codebook
from service.http import problem_details
from service.models.champion import Champion
from service.schemas.problems import Problem


def install(app: FastAPI, codebook: Codebook, champion: Champion) -> None:
    """Makes the application answer with this document, which is built again only for a model with other frames."""

    # FastAPI takes a tenth of a second to build it: no request should wait for that twice.
    @lru_cache(maxsize=1)
    def document(frames: tuple[str, ...]) -> dict[str, Any]:
        return _document(app, codebook.keys, frames)

    def current() -> dict[str, Any]:
        model = champion.current
        return document(() if model is None else model.frames)

    app.openapi = current  # type: ignore[method-assign]


def _document(app: FastAPI, codebook_frames: Sequence[str], frames: Sequence[str]) -> dict[str, Any]:
    document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    schemas = document["components"]["schemas"]
    schemas[Problem.__name__] = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(schemas[Problem.__name__].pop("$defs", {}))
    _describe_invalid_requests(document)
    _summarise_by_description(document)
    if frames:
        _name_all_frames(document, codebook_frames, frames)
    return document


def _name_all_frames(document: dict[str, Any], codebook_frames: Sequence[str], frames: Sequence[str]) -> None:
    """Annotations have the codebook's frames; scores and thresholds have the model's."""
    schemas = document["components"]["schemas"]
    for request in ("AnnotationRequest", "GoldAnswerRequest"):
        schemas[request]["properties"]["frames"]["propertyNames"] = {"enum": list(codebook_frames)}
    of_lists = schemas["AnnotationRequest"]["properties"]["covered"]["anyOf"]
    next(kind for kind in of_lists if kind["type"] == "array")["items"] = {"enum": list(codebook_frames)}
    schemas["ArticleRequest"]["properties"]["thresholds"]["propertyNames"] = {"enum": list(frames)}
    for path in document["paths"].values():
        for parameter in path.get("get", {}).get("parameters", ()):
            if parameter["name"] == "frame":
                _name_frames(parameter["schema"], list(frames))


def _name_frames(schema: dict[str, Any], frames: list[str]) -> None:
    """Lists the frames that a parameter accepts, whether that is a frame or a list of them."""
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
    """Replaces FastAPI's own shape of validation errors, which this service never answers with."""
    document["components"]["schemas"].pop("HTTPValidationError", None)
    document["components"]["schemas"].pop("ValidationError", None)
    content = {problem_details.MEDIA_TYPE: {"schema": {"$ref": f"#/components/schemas/{Problem.__name__}"}}}
    for path in document["paths"].values():
        for operation in path.values():
            if "422" in operation["responses"]:
                operation["responses"]["422"]["content"] = content
