"""/docs: the API's own pages (Swagger UI from the installed package, nothing from elsewhere)."""

from fastapi import APIRouter, FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

_ASSETS = "/docs/assets"
_FILES = "fastapi_offline"
"""The package whose `static` folder has Swagger UI; nothing else of it is used."""

router = APIRouter(include_in_schema=False)


def mount_assets(app: FastAPI) -> None:
    """Serves Swagger UI's files."""
    app.mount(_ASSETS, StaticFiles(packages=[(_FILES, "static")]), name="docs-assets")


@router.get("/docs")
def docs() -> HTMLResponse:
    return get_swagger_ui_html(
        openapi_url="/openapi.json",
        title="Media framing API",
        swagger_js_url=f"{_ASSETS}/swagger-ui-bundle.js",
        swagger_css_url=f"{_ASSETS}/swagger-ui.css",
        swagger_favicon_url=f"{_ASSETS}/favicon.png",
    )
