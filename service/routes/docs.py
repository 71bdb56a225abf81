"""/docs: the API as Swagger UI, with files from an installed package and not from another server."""

import base64
import hashlib
import re

from fastapi import APIRouter, FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

_ASSETS = "/docs/assets"
# The package that has Swagger UI in its folder `static`; nothing else in it is used.
_PACKAGE = "fastapi_offline"

# The page comes from a library, without our navigation.
_WAY_BACK = b'<p style="margin:0;padding:12px 20px;font:16px system-ui,sans-serif"><a href="/">Media framing</a></p>'

# The script in the page, which starts Swagger UI.
_OWN_SCRIPT = re.compile(rb"<script>(.*?)</script>", re.DOTALL)

router = APIRouter(include_in_schema=False)


def mount_assets(app: FastAPI) -> None:
    """Serves the files of Swagger UI."""
    app.mount(_ASSETS, StaticFiles(packages=[(_PACKAGE, "static")]), name="docs-assets")


@router.get("/docs")
def docs() -> HTMLResponse:
    """The OpenAPI document as a page, which runs no other scripts than these and reaches no other server."""
    page = get_swagger_ui_html(
        openapi_url="/openapi.json",
        title="Media framing API",
        swagger_js_url=f"{_ASSETS}/swagger-ui-bundle.js",
        swagger_css_url=f"{_ASSETS}/swagger-ui.css",
        swagger_favicon_url="/static/icon.svg",
    )
    page = HTMLResponse(bytes(page.body).replace(b"<body>", b"<body>" + _WAY_BACK, 1))
    digests = (hashlib.sha256(script).digest() for script in _OWN_SCRIPT.findall(bytes(page.body)))
    scripts = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
    page.headers["Content-Security-Policy"] = (
        f"default-src 'none'; script-src 'self' {scripts}; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return page
