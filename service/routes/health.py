"""Whether the service lives, is ready, and how it fares."""

from fastapi import APIRouter, Response

from service.access.needs import needs
from service.http.dependencies import State
from service.routes import guarded, problems
from service.schemas.problems import Health

router = APIRouter(tags=["health"])


@router.get("/livez")
async def livez() -> Health:
    """The process answers."""
    return Health(status="ok")


@router.get("/readyz", responses=problems(503))
def readyz(state: State) -> Health:
    """A champion is loaded and the database is reachable and migrated."""
    state.champion.model()
    state.database.ping()
    return Health(status="ok")


@router.get(
    "/metrics",
    dependencies=needs["reader"],
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}}, **guarded(503)},
)
def metrics(state: State) -> Response:
    """Prometheus metrics."""
    return Response(state.metrics.exposition(), media_type="text/plain; version=0.0.4; charset=utf-8")
