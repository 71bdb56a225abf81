"""Probes and metrics: whether the process answers, whether the service is ready, and its figures."""

from anyio import to_thread
from fastapi import APIRouter, Response

from service.http.dependencies import UseChampion, UseDatabase, UseMetrics, UsePlaces, UseWorker, needs
from service.http.responses import problems
from service.schemas.problems import Health, Readiness

router = APIRouter(tags=["health"])


@router.get("/livez")
async def livez() -> Health:
    """The process answers."""
    return Health(status="ok")


@router.get("/readyz", responses=problems(503))
async def readyz(champion: UseChampion, database: UseDatabase, worker: UseWorker, places: UsePlaces) -> Readiness:
    """A champion is loaded and the database is reachable and migrated; the answer also reports the worker."""
    champion.model()

    def describe() -> str:
        database.ping()
        return worker.describe()

    # In threads of its own, since those of other requests may all be waiting for something.
    return Readiness(status="ok", worker=await to_thread.run_sync(describe, limiter=places.health_threads))


@router.get(
    "/metrics",
    dependencies=needs["reader"],
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}}, **problems(401, 403, 421, 429, 503)},
)
def metrics(metrics: UseMetrics) -> Response:
    """Prometheus metrics."""
    return Response(metrics.exposition(), media_type="text/plain; version=0.0.4; charset=utf-8")
