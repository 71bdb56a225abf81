"""/assets: scripts, styles, charts and Vega. Everything comes from this machine."""

from typing import Annotated

from fastapi import APIRouter, FastAPI, Path
from fastapi.responses import FileResponse, JSONResponse, Response
from starlette.staticfiles import StaticFiles

from service.http.dependencies import State
from service.http.problem_details import NotFoundError
from service.pages.render import frame_styles

router = APIRouter(prefix="/assets", include_in_schema=False)

_CHECK_EACH_TIME = {"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}


def mount_static(app: FastAPI) -> None:
    """Serves our own scripts and styles."""
    app.mount("/static", StaticFiles(packages=[("service.pages", "static")]), name="static")


@router.get("/frames.css")
def frames(state: State) -> Response:
    styles = frame_styles([frame.colour for frame in state.codebook.frames])
    return Response(styles, media_type="text/css", headers=_CHECK_EACH_TIME)


@router.get("/vega.js")
def vega(state: State) -> Response:
    return FileResponse(state.charts.bundle(), media_type="text/javascript", headers=_CHECK_EACH_TIME)


@router.get("/charts/{name}.json")
def chart(name: Annotated[str, Path(pattern="^[a-z]{1,20}$")], state: State) -> Response:
    found = state.charts.chart(name)
    if found is None:
        raise NotFoundError(f"There is no chart '{name}'.")
    return JSONResponse(found, headers=_CHECK_EACH_TIME)
