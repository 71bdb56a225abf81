"""What routes depend on: the caller, with the role that the route needs, and the parts of the service that it uses.

The role of a route appears in the OpenAPI document as the scope of the key. The functions are `async`,
because FastAPI would run sync dependencies in a thread pool, which takes longer than the functions do.
"""

from collections.abc import Callable, Coroutine, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from inspect import iscoroutinefunction
from typing import Annotated, Any, cast

from fastapi import Depends, Header, Request, Response, Security
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import get_flat_params
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.models import HTTPBearer
from fastapi.params import Query
from fastapi.responses import StreamingResponse
from fastapi.routing import APIRoute
from fastapi.security.base import SecurityBase

from labels.codebook import Codebook
from service.access.gate import Gate
from service.access.origin import SAFE_METHODS
from service.articles.ingest import Receipt, Submission
from service.articles.scoring_pool import ScoringPool
from service.errors import ForbiddenError
from service.http.places import FairTurns, Places, place_of
from service.http.scoring_turns import ScoringTurns
from service.jobs.run_watch import RunWatch
from service.jobs.status import WorkerStatus
from service.metrics import Metrics
from service.models.champion import Champion
from service.settings import Settings
from service.store.callers import INCLUDING, LOCAL, Caller, Role
from service.store.sql.database import Database
from service.store.sql.group_commit import GroupCommit
from training.registry.versions import Registry
from training.scoring.frame_model import FrameModel

_ADMITTED = "framing.caller"

# The caller for whom a page is being made.
current_caller: ContextVar[Caller] = ContextVar("current_caller", default=LOCAL)


@dataclass(frozen=True, slots=True)
class Services:
    """The parts of a running service, made once per process by `create_app`."""

    settings: Settings
    codebook: Codebook
    database: Database
    registry: Registry
    champion: Champion
    metrics: Metrics
    worker: WorkerStatus
    run_watch: RunWatch
    gate: Gate
    scoring_pool: ScoringPool
    places: Places
    scoring_turns: ScoringTurns
    reading_turns: FairTurns
    writing_turns: FairTurns
    article_writer: GroupCommit[Submission, Receipt]


def services_of(request: Request) -> Services:
    """The parts of the service that answers a request."""
    return cast(Services, request.app.state.services)


# -- callers ----------------------------------------------------------------------------------------------------------


class KeyScheme(SecurityBase):
    """A key as a bearer token, or the session of a page."""

    scheme_name = "key"
    model = HTTPBearer(description="A key made by `framing keys create`. A server without any key needs none.")

    def __init__(self, role: Role) -> None:
        self.role = role

    async def __call__(self, request: Request) -> Caller:
        return await _admitted(request, self.role)


def _needs(role: Role) -> Any:
    return Security(KeyScheme(role), scopes=[role])


Reader = Annotated[Caller, _needs("reader")]
Submitter = Annotated[Caller, _needs("submitter")]
Coder = Annotated[Caller, _needs("coder")]
Admin = Annotated[Caller, _needs("admin")]

# For requests that must not be executed twice.
IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=255,
        pattern=r"^[\x21-\x7e]+$",
        description="A request that is sent again under the same key is executed only once.",
    ),
]

# For `dependencies=` of a route that does not use the caller.
needs: dict[Role, list[Any]] = {role: [_needs(role)] for role in ("reader", "submitter", "coder", "admin")}


async def _admitted(request: Request, role: Role) -> Caller:
    caller: Caller | None = request.scope.get(_ADMITTED)
    if caller is None:
        caller = await services_of(request).gate.admit(request)
        place_of(request.scope).admit(caller)
        request.scope[_ADMITTED] = caller
        current_caller.set(caller)
    if caller.role not in INCLUDING[role]:
        raise ForbiddenError(f"This needs a key of the role {role}; yours has the role {caller.role}.")
    return caller


class GuardedRoute(APIRoute):
    """A route that identifies the caller before it reads the body, and waits for its turn to score, write or read.

    It scores if it depends on the champion's model. Under /v1 it also refuses parameters that it does not know.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()
        roles = [scheme.call.role for scheme in self.dependant.dependencies if isinstance(scheme.call, KeyScheme)]
        parts = [dependency.call for dependency in self.dependant.dependencies]
        # An async route works in threads that it starts itself, for which it waits for turns itself.
        takes_turns = bool(roles) and not iscoroutinefunction(self.endpoint)
        scores = takes_turns and (_model in parts or _model_if_any in parts)
        stores = _article_writer.dependency in parts
        known = _query_parameters(self.dependant) if self.path_format.startswith("/v1/") else None

        async def guarded(request: Request) -> Response:
            for role in roles:
                await _admitted(request, role)
            if b"%00" in request.scope["query_string"] or "\0" in request.scope["path"]:
                _refuse_nul(request)
            if known is not None and request.scope["query_string"]:
                _require_known(request, known)
            if not takes_turns:
                return await handler(request)
            if self.body_field is not None:
                await request.body()
            services = services_of(request)
            if scores:
                turn = services.scoring_turns.turn(request.receive, stores=stores)
            elif request.method in SAFE_METHODS:
                turn = services.reading_turns.turn()
            else:
                turn = services.writing_turns.turn()
            async with turn:
                response = await handler(request)
            if isinstance(response, StreamingResponse):
                place_of(request.scope).open_stream()
            return response

        return guarded


def _query_parameters(dependant: Dependant) -> tuple[str, ...]:
    return tuple(param.alias for param in get_flat_params(dependant) if isinstance(param.field_info, Query))


def _require_known(request: Request, known: Sequence[str]) -> None:
    """Raises `RequestValidationError` for parameters that would be ignored."""
    allowed = f"those of this address are {', '.join(known)}" if known else "this address has none"
    unknown = [name for name in dict.fromkeys(request.query_params) if name not in known]
    if unknown:
        raise RequestValidationError(
            [
                {"loc": ("query", name), "type": "extra_forbidden", "msg": f"There is no such parameter; {allowed}."}
                for name in unknown
            ]
        )


def _refuse_nul(request: Request) -> None:
    """Raises `RequestValidationError` for the character NUL, which PostgreSQL cannot even look for."""
    places = {"query": request.query_params.multi_items(), "path": request.path_params.items()}
    faults = [
        {"loc": (place, name), "type": "string_pattern_mismatch", "msg": "must not contain the character NUL"}
        for place, values in places.items()
        for name, value in values
        if "\0" in str(value)
    ]
    if faults:
        raise RequestValidationError(faults)


# -- parts of the service ---------------------------------------------------------------------------------------------


def _part(name: str) -> Any:
    """A dependency on a part of the service, by its name in `Services`."""

    async def part(request: Request) -> Any:
        return getattr(services_of(request), name)

    return Depends(part)


async def _model(request: Request) -> FrameModel:
    # As `Champion.model`, which would add a module to the path of every POST.
    champion = services_of(request).champion
    return champion.current or champion.model()


async def _model_if_any(request: Request) -> FrameModel | None:
    return services_of(request).champion.current


_article_writer = _part("article_writer")

UseSettings = Annotated[Settings, _part("settings")]
UseCodebook = Annotated[Codebook, _part("codebook")]
UseDatabase = Annotated[Database, _part("database")]
UseRegistry = Annotated[Registry, _part("registry")]
UseChampion = Annotated[Champion, _part("champion")]
# The champion's model, which a request reads once, so that no answer mixes two versions.
UseModel = Annotated[FrameModel, Depends(_model)]
UseModelIfAny = Annotated[FrameModel | None, Depends(_model_if_any)]
UseMetrics = Annotated[Metrics, _part("metrics")]
UseWorker = Annotated[WorkerStatus, _part("worker")]
UseRunWatch = Annotated[RunWatch, _part("run_watch")]
UseGate = Annotated[Gate, _part("gate")]
UsePlaces = Annotated[Places, _part("places")]
UseScoringPool = Annotated[ScoringPool, _part("scoring_pool")]
UseScoringTurns = Annotated[ScoringTurns, _part("scoring_turns")]
UseArticleWriter = Annotated[GroupCommit[Submission, Receipt], _article_writer]
