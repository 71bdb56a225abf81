"""/docs: the API as Swagger UI, with files from an installed package and not from another server."""

from fastapi import APIRouter, FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

_ASSETS = "/docs/assets"
# The package that has Swagger UI in its folder `static`; nothing else in it is used.
_PACKAGE = "fastapi_offline"

router = APIRouter(include_in_schema=False)


def mount_assets(app: FastAPI) -> None:
    """Serves the files of Swagger UI."""
    app.mount(_ASSETS, StaticFiles(packages=[(_PACKAGE, "static")]), name="docs-assets")


@router.get("/docs")
def docs() -> HTMLResponse:
    """The OpenAPI document as a page."""
    return get_swagger_ui_html(
        openapi_url="/openapi.json",
        title="Media framing API",
        swagger_js_url=f"{_ASSETS}/swagger-ui-bundle.js",
        swagger_css_url=f"{_ASSETS}/swagger-ui.css",
        swagger_favicon_url=f"{_ASSETS}/favicon.png",
    )
