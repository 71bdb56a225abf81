"""The role that a route needs, declared beside it; it stands in the OpenAPI document as the scope of the key."""

from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from typing import Annotated, Any, cast

from fastapi import Request, Response, Security
from fastapi.openapi.models import HTTPBearer
from fastapi.routing import APIRoute
from fastapi.security.base import SecurityBase

from service.access.gate import Gate
from service.errors import ForbiddenError
from service.store.callers import LOCAL, Caller, Role

_ADMITTED = "framing.caller"

present_caller: ContextVar[Caller] = ContextVar("present_caller", default=LOCAL)
"""Who asked for the page that is being made."""


class KeyScheme(SecurityBase):
    """A key as a bearer token, or the session of a page."""

    scheme_name = "key"
    model = HTTPBearer(description="A key made by `framing keys create`. Without any key the server needs none.")

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

needs: dict[Role, list[Any]] = {role: [_needs(role)] for role in ("reader", "submitter", "coder", "admin")}
"""`dependencies` of a route that need not know who asks."""


async def _admitted(request: Request, role: Role) -> Caller:
    known = request.scope.get(_ADMITTED)
    if known is None:
        gate = cast(Gate, request.app.state.services.gate)
        known = request.scope[_ADMITTED] = await gate.admit(request)
        present_caller.set(known)
    caller = cast(Caller, known)
    if not caller.may(role):
        raise ForbiddenError(f"This needs a key of the role {role}; yours has the role {caller.role}.")
    return caller


class GuardedRoute(APIRoute):
    """A route that finds out who asks before it reads the body."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()
        roles = [one.call.role for one in self.dependant.dependencies if isinstance(one.call, KeyScheme)]

        async def guarded(request: Request) -> Response:
            for role in roles:
                await _admitted(request, role)
            return await handler(request)

        return guarded
