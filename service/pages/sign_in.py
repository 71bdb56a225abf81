"""/sign-in and /sign-out: a key opens a session, so that it need not be sent with each page."""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from service.access.gate import SESSION_COOKIE, address_of
from service.access.origin import refuse_other_sites
from service.access.secrets import new_token
from service.http.body import FormRequest
from service.http.dependencies import UseDatabase, UseGate, UseSettings, needs
from service.pages.render import PageRoute, Site, UseSite
from service.store import keys

# Of a form that anybody can send: a key and an address.
_MOST_BYTES = 2**14

router = APIRouter(include_in_schema=False, route_class=PageRoute)


@router.get("/sign-in")
def form(site: UseSite, next: str = "/") -> HTMLResponse:
    """The form in which a key is entered."""
    return _form(site, _own_address(next))


@router.post("/sign-in")
async def sign_in(request: Request, site: UseSite, settings: UseSettings, gate: UseGate) -> Response:
    """Opens a session for the key in the form."""
    refuse_other_sites(request)
    bounded = FormRequest(request.scope, request.receive)
    bounded.most_bytes = _MOST_BYTES
    await bounded.body()  # rejects a body that is too large before the form is parsed
    fields = await bounded.form()
    address, key = _own_address(str(fields.get("next") or "/")), str(fields.get("key") or "").strip()
    token, hours = new_token(), settings.session_hours
    if not await gate.open_session(key, address_of(request), token, hours):
        return _form(site, address, "This key is not known, has been revoked, or has expired.", 401)
    answer = RedirectResponse(address, 303)
    answer.set_cookie(
        SESSION_COOKIE,
        token,
        max_age=hours * 3600,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return answer


@router.post("/sign-out", dependencies=needs["reader"])
def sign_out(request: Request, database: UseDatabase, gate: UseGate) -> Response:
    """Ends the session."""
    token = request.cookies.get(SESSION_COOKIE)
    if token is not None:
        with database.write() as connection:
            keys.close_session(connection, [digest for digest in gate.digests_of(token) if digest is not None])
        gate.clear_cache()
    answer = RedirectResponse("/sign-in", 303)
    answer.delete_cookie(SESSION_COOKIE)
    return answer


def _form(site: Site, address: str, problem: str = "", status: int = 200) -> HTMLResponse:
    return site.page("sign_in.html", "/sign-in", status, next=address, problem=problem)


def _own_address(address: str) -> str:
    """The address if it is on this server, else that of the dashboard: no link may lead elsewhere after signing in."""
    is_own = (
        address.startswith("/") and not address.startswith(("//", "/\\")) and not any(c in address for c in "\r\n\t")
    )
    return address if is_own else "/"
