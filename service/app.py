"""The application: settings in, a wired FastAPI application out."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from anyio import to_thread
from fastapi import FastAPI

from labels.codebook import Codebook, read_codebook
from labels.files.extraction_process import EXTRACTION
from labels.language import detect_language
from service.access.gate import Gate
from service.access.origin import CheckOrigin
from service.articles.ingest import store_articles
from service.articles.scoring_pool import ScoringPool
from service.http import openapi, problem_details
from service.http.answer_headers import CompleteAnswers
from service.http.dependencies import Services
from service.http.overload import LimitRequests, MeasureRequests
from service.http.places import FairTurns, Places
from service.http.scoring_turns import ScoringTurns
from service.jobs.run_watch import RunWatch
from service.jobs.status import WorkerStatus
from service.metrics import Metrics, product_version
from service.models.champion import Champion
from service.pages import assignments as assignments_page
from service.pages import audit as audit_page
from service.pages import codebook as codebook_page
from service.pages import coding, dashboard, desk, files, reader, render, sign_in, try_it
from service.pages import models as models_page
from service.pages.assets import ChartFiles
from service.pages.render import Site
from service.routes import (
    annotations,
    articles,
    assignments,
    audit,
    batches,
    classify,
    codebook,
    coders,
    docs,
    health,
    models,
    prevalence,
    scores,
    training_runs,
)
from service.settings import Settings
from service.store import scorings
from service.store.annotations import note_covered
from service.store.sql.database import Database
from service.store.sql.group_commit import GroupCommit
from training.registry.promotions import Promotion
from training.registry.versions import Registry

_DESCRIPTION = (
    "POST a news article, get its framing: which paragraphs carry which frame, with calibrated scores, decisions that "
    "may be uncertain, and the words that carried them. Errors are problem details (RFC 9457)."
)
_ROUTES = (
    *(
        classify,
        batches,
        articles,
        annotations,
        assignments,
        coders,
        training_runs,
        codebook,
        models,
        prevalence,
        scores,
        audit,
        health,
    ),
    *(docs, dashboard, try_it, reader, coding, desk, assignments_page),
    *(models_page, codebook_page, audit_page, sign_in, files),
)

# Threads for requests that do not score: of those that read, of those that write, and of those without a known caller,
# such as sign-in, and for the pieces of exports. None of these waits for another kind. Only a single write transaction
# is open at a time, so more threads would not write more.
_READING_THREADS = 8
_WRITING_THREADS = 4
_OTHER_THREADS = 8


def create_app(settings: Settings) -> FastAPI:
    """Builds the application. Nothing is opened before it starts."""
    services = _services(settings, read_codebook(settings.codebook))
    app = FastAPI(
        title="Media framing",
        version=product_version(),
        description=_DESCRIPTION,
        lifespan=partial(_lifespan, services),
        docs_url=None,
        redoc_url=None,
    )
    app.state.services = services
    app.state.site = Site(services.codebook, services.champion, ChartFiles(services.codebook, settings.cache_dir))
    for module in _ROUTES:
        app.include_router(module.router)
    docs.mount_assets(app)
    files.mount_static(app)
    problem_details.install(app)
    render.install(app)
    app.add_middleware(CheckOrigin, check=services.gate.check_origin, answer=render.answer_in_kind)
    app.add_middleware(
        LimitRequests,
        places=services.places,
        answer_seconds=settings.answer_seconds,
        refuse=render.answer_busy,
    )
    app.add_middleware(CompleteAnswers)
    app.add_middleware(MeasureRequests, metrics=services.metrics)
    openapi.install(app, services.codebook, services.champion)
    return app


def _services(settings: Settings, codebook: Codebook) -> Services:
    metrics = Metrics()
    registry = Registry(settings.models_location, settings.trust)
    database = Database(settings.store_url)
    worker = WorkerStatus(database, settings.data_dir, expected=settings.worker)
    metrics.watch_worker(worker.is_running)

    def note_champion(promotion: Promotion) -> None:
        with database.read() as connection:
            if scorings.is_noted_champion(connection, promotion.number, promotion.version):
                return
        with database.write() as connection:
            scorings.note_champion(connection, promotion.number, promotion.version)

    champion = Champion(registry, metrics, settings.champion_poll_seconds, note_champion)
    return Services(
        settings=settings,
        codebook=codebook,
        database=database,
        registry=registry,
        champion=champion,
        metrics=metrics,
        worker=worker,
        run_watch=RunWatch(database),
        gate=Gate(settings, database),
        scoring_pool=ScoringPool(settings),
        places=Places(settings.max_requests, settings.streams_per_key),
        scoring_turns=ScoringTurns(settings.threads, settings.scoring_seconds),
        reading_turns=FairTurns(_READING_THREADS),
        writing_turns=FairTurns(_WRITING_THREADS),
        article_writer=GroupCommit(database.write, partial(store_articles, hours=settings.idempotency_hours)),
    )


@asynccontextmanager
async def _lifespan(services: Services, _app: FastAPI) -> AsyncIterator[None]:
    # Scoring keeps the processor busy: more threads would only take memory and wait for each other.
    threads = services.settings.threads + _READING_THREADS + _WRITING_THREADS + _OTHER_THREADS
    to_thread.current_default_thread_limiter().total_tokens = threads
    services.database.migrate()
    services.gate.close_access()
    note_covered(services.database, services.codebook)
    services.champion.start()
    model = services.champion.current
    if model is not None and model.card.kind != "words":
        # Loads the detector of languages, for which the first article would wait; words often make it unnecessary.
        detect_language("No request waits for this.")
    yield
    EXTRACTION.close()
    services.scoring_pool.stop()
    services.champion.stop()
    services.gate.stop()
    services.database.close()
