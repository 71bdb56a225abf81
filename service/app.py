"""The application: settings in, a wired FastAPI application out. Wiring only."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from anyio import to_thread
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from labels.codebook import read_codebook
from service import problems
from service.access.gate import Gate
from service.champion import Champion
from service.metrics import MeasureRequests, Metrics, product_version
from service.overload import LimitRequests
from service.pages import audit as pages_of_audit
from service.pages import codebook as pages_of_codebook
from service.pages import coding, dashboard, files, reader, sign_in, try_it
from service.pages import models as pages_of_models
from service.pages.assets import ChartFiles
from service.routes import (
    annotations,
    articles,
    audit,
    batches,
    classify,
    codebook,
    docs,
    health,
    models,
    prevalence,
    scores,
    training_runs,
)
from service.schemas.problems import Problem
from service.settings import Settings
from service.state import Services
from service.store import champion as noted
from service.store.database import Database
from training.errors import NoChampionError
from training.registry import Promotion, Registry

_DESCRIPTION = (
    "POST a news article, get its framing: which paragraphs carry which frame, with calibrated scores, decisions that "
    "may be uncertain, and the words that carried them. Errors are problem details (RFC 9457)."
)


def create_app(settings: Settings) -> FastAPI:
    """Builds the application. Nothing is opened before it starts."""
    metrics = Metrics()
    registry = Registry(settings.models_location)
    database = Database(settings.store_url)
    codebook_ = read_codebook(settings.codebook)

    def announce(promotion: Promotion) -> None:
        with database.write() as connection:
            noted.note(connection, promotion.number, promotion.version)

    services = Services(
        settings=settings,
        codebook=codebook_,
        database=database,
        registry=registry,
        champion=Champion(registry, metrics, settings.champion_poll_seconds, announce),
        metrics=metrics,
        charts=ChartFiles(codebook_, settings.cache_dir),
        gate=Gate(settings, database),
    )

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        # Scoring is work for the processor: more threads than these would only take memory and wait for each other.
        to_thread.current_default_thread_limiter().total_tokens = settings.threads
        services.database.migrate()
        services.champion.start()
        yield
        services.champion.stop()
        services.database.close()

    app = FastAPI(
        title="Media framing",
        version=product_version(),
        description=_DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    app.state.services = services
    for module in (
        classify,
        batches,
        articles,
        annotations,
        training_runs,
        codebook,
        models,
        prevalence,
        scores,
        audit,
        health,
        docs,
    ):
        app.include_router(module.router)
    for module in (
        dashboard,
        try_it,
        reader,
        coding,
        pages_of_models,
        pages_of_codebook,
        pages_of_audit,
        sign_in,
        files,
    ):
        app.include_router(module.router)
    docs.mount_assets(app)
    files.mount_static(app)
    problems.install(app)
    app.add_middleware(LimitRequests, most=settings.max_requests, answer_seconds=settings.answer_seconds)
    app.add_middleware(MeasureRequests, metrics=metrics)
    app.openapi = lambda: _openapi(app, services)  # type: ignore[method-assign]
    return app


def _openapi(app: FastAPI, services: Services) -> dict[str, Any]:
    """The OpenAPI document, with the frames of the model in use where a frame is asked for."""
    document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    schemas = document["components"]["schemas"]
    schemas[Problem.__name__] = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(schemas[Problem.__name__].pop("$defs", {}))
    _describe_invalid_requests(document)
    _summarise_by_description(document)
    try:
        frames = list(services.champion.model().card.frame_keys)
    except NoChampionError:
        return document
    schemas["AnnotationRequest"]["properties"]["frames"]["propertyNames"] = {"enum": list(services.codebook.keys)}
    for name in ("ClassifyRequest", "ArticleRequest"):
        schemas[name]["properties"]["thresholds"]["propertyNames"] = {"enum": frames}
    for path in document["paths"].values():
        for parameter in path.get("get", {}).get("parameters", ()):
            if parameter["name"] == "frame":
                _name_frames(parameter["schema"], frames)
    return document


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
    content = {problems.MEDIA_TYPE: {"schema": {"$ref": f"#/components/schemas/{Problem.__name__}"}}}
    for path in document["paths"].values():
        for operation in path.values():
            if "422" in operation["responses"]:
                operation["responses"]["422"]["content"] = content
