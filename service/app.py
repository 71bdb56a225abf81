"""The application: settings in, a wired FastAPI application out. Wiring only."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from anyio import to_thread
from fastapi import FastAPI

from labels.codebook import read_codebook
from service.access.gate import Gate
from service.articles.ingest import submit_all
from service.articles.scoring_pool import Helpers
from service.http import openapi, problem_details
from service.http.dependencies import Services
from service.http.overload import LimitRequests
from service.metrics import MeasureRequests, Metrics, product_version
from service.models.champion import Champion
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
from service.settings import Settings
from service.store import champion as noted
from service.store.sql.database import Database
from service.store.sql.group_commit import GroupCommit
from training.registry.versions import Promotion, Registry

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
        helpers=Helpers(settings),
        submissions=GroupCommit(database.write, partial(submit_all, hours=settings.idempotency_hours)),
    )

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        # Scoring is work for the processor: more threads than these would only take memory and wait for each other.
        to_thread.current_default_thread_limiter().total_tokens = settings.threads
        services.database.migrate()
        services.champion.start()
        yield
        services.helpers.stop()
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
    problem_details.install(app)
    app.add_middleware(LimitRequests, most=settings.max_requests, answer_seconds=settings.answer_seconds)
    app.add_middleware(MeasureRequests, metrics=metrics)
    openapi.install(app, services)
    return app
