"""/sign-in and /sign-out: a key opens a session, so that it need not be given with each page."""

from anyio import to_thread
from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from service.access.gate import SESSION_COOKIE, address_of, refuse_other_sites
from service.access.needs import needs
from service.access.secrets import digest_of, new_token
from service.http.body import StrictJsonRequest
from service.http.dependencies import Services, State
from service.pages.render import PageRoute, page
from service.store import keys

router = APIRouter(include_in_schema=False, route_class=PageRoute)


@router.get("/sign-in")
def form(state: State, next: str = "/") -> HTMLResponse:
    return _form(state, _own_address(next))


@router.post("/sign-in")
async def sign_in(request: Request, state: State) -> Response:
    """Opens a session for the key of the form."""
    refuse_other_sites(request)
    own = StrictJsonRequest(request.scope, request.receive)
    await own.body()
    given = await own.form()
    address, shown = _own_address(str(given.get("next") or "/")), str(given.get("key") or "").strip()
    token, hours = new_token(), state.settings.session_hours
    if not await to_thread.run_sync(state.gate.open_session, shown, address_of(request), digest_of(token), hours):
        return _form(state, address, "This key is not known, was revoked, or has expired.", 401)
    answer = RedirectResponse(address, 303)
    answer.set_cookie(
        SESSION_COOKIE,
        token,
        max_age=state.settings.session_hours * 3600,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return answer


@router.post("/sign-out", dependencies=needs["reader"])
def sign_out(request: Request, state: State) -> Response:
    """Ends the session."""
    token = request.cookies.get(SESSION_COOKIE)
    if token is not None:
        with state.database.write() as connection:
            keys.close_session(connection, digest_of(token))
        state.gate.forget()
    answer = RedirectResponse("/sign-in", 303)
    answer.delete_cookie(SESSION_COOKIE)
    return answer


def _form(state: Services, address: str, problem: str = "", status: int = 200) -> HTMLResponse:
    return page(state, "sign_in.html", "/sign-in", status, next=address, problem=problem)


def _own_address(address: str) -> str:
    """An address of this server only: nobody is sent elsewhere after signing in."""
    own = address.startswith("/") and not address.startswith(("//", "/\\")) and not any(c in address for c in "\r\n\t")
    return address if own else "/"
