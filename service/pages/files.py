"""/static and /assets: scripts, styles, charts and Vega. The pages load nothing from other servers."""

from typing import Annotated

from fastapi import APIRouter, FastAPI, Path
from fastapi.responses import FileResponse, JSONResponse, Response
from starlette.staticfiles import StaticFiles

from service.errors import NotFoundError
from service.pages import palette
from service.pages.render import UseSite

router = APIRouter(prefix="/assets", include_in_schema=False)

_REVALIDATE = {"Cache-Control": "no-cache"}


def mount_static(app: FastAPI) -> None:
    """Serves the scripts and styles of this package."""
    app.mount("/static", StaticFiles(packages=[("service.pages", "static")]), name="static")


@router.get("/frames.css")
def frames(site: UseSite) -> Response:
    """The colours of frames, stances and series in both themes, as a style sheet."""
    styles = palette.styles(list(site.codebook.colours.values()))
    return Response(styles, media_type="text/css", headers=_REVALIDATE)


@router.get("/vega.js")
def vega(site: UseSite) -> Response:
    """Vega, which draws the charts."""
    return FileResponse(site.charts.bundle(), media_type="text/javascript", headers=_REVALIDATE)


@router.get("/charts/{name}.json")
def chart(name: Annotated[str, Path(pattern="^[a-z-]{1,30}$")], site: UseSite) -> Response:
    """A chart as a Vega-Lite specification."""
    specification = site.charts.chart(name)
    if specification is None:
        raise NotFoundError(f"There is no chart '{name}'.")
    return JSONResponse(specification, headers=_REVALIDATE)
