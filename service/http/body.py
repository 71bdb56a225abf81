"""Request bodies: bounded, UTF-8, strict JSON; where an article is sent, also a form with a file.

FastAPI's own `max_body_size` is not used, because it answers in plain text instead of problem details.
"""

import asyncio
import codecs
import json
import re
from collections.abc import AsyncIterator, Mapping
from typing import Any

from anyio import to_thread
from fastapi import Request
from python_multipart.multipart import parse_options_header
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.types import Scope

from labels.errors import ArchiveError, FileError, FramingError
from labels.exchange.strict_json import MAX_DEPTH
from labels.files.json_records import has_half_character
from service.articles.uploads import Upload, read_upload
from service.http.dependencies import GuardedRoute, services_of
from service.http.places import place_of
from service.settings import Settings

_LINES = "framing.json_lines"
_FORM = "framing.form_headers"
_FORM_TYPE = b"multipart/form-data"
_MOST_FIELDS = 20
_MOST_NAMES = 1000
# Lists and objects of a body, or lines of JSON Lines: several times those of the largest list of annotations.
_MOST_PARTS = 50_000
# A JSON string, also an unfinished one; what stands in it is no structure.
_STRING = re.compile(r'"(?:[^"\\]++|\\[\s\S])*+"?')
_BRACKET = re.compile(r"[\[\]{}]")
# Other encodings can take very long to read, or give halves of characters.
_FORM_ENCODINGS = ("utf-8", "ascii", "iso8859-1", "cp1252")
# Fields of an article that are no text; in a form they are written as JSON.
_AS_JSON = ("explain", "thresholds", "paragraphs")
ENCODING_HEADER = "Framing-Encoding"
SCANNED_HEADER = "Framing-Pages-Without-Text"
_LINES_TYPES = (b"application/x-ndjson", b"application/jsonl", b"application/jsonlines")

# As `openapi_extra` of a `StrictJsonRoute`: the route also reads a form, as the article in its file.
FORM: dict[str, Any] = {
    "requestBody": {
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {
                            "type": "string",
                            "format": "binary",
                            "description": "The article as text, HTML, JSON, PDF or Word (.docx), also packed as gzip "
                            "or zip. Other fields of the form are those of the JSON body, which describe it.",
                        }
                    },
                }
            }
        }
    }
}


class BodyError(FramingError):
    """The body is not JSON in UTF-8 as defined by RFC 8259."""


class UploadError(BodyError):
    """The uploaded file is no article that can be read."""

    field = "file"


class BodyTooLargeError(BodyError):
    """The body is longer than the service accepts."""


class BodyTimeoutError(BodyError):
    """The body arrives more slowly than the service waits."""


async def in_time(scope: Scope, chunks: AsyncIterator[bytes], settings: Settings) -> AsyncIterator[bytes]:
    """Yields the pieces of a body; raises `BodyTimeoutError` once the service has waited for its client too long.

    Whatever arrives restores some of the time, so a body of any length may arrive over a slow link. Only the time
    counts during which the service waits.
    """
    seconds, rate = settings.body_seconds, settings.body_bytes_per_second
    place, clock, left = place_of(scope), asyncio.get_running_loop().time, settings.body_seconds
    while True:
        began = clock()
        try:
            async with place.waiting(left, body=True):
                chunk = await anext(chunks, None)
        except TimeoutError:
            raise BodyTimeoutError(
                f"The body arrived too slowly: for {seconds:g} seconds less than {rate:,} bytes a second came."
            ) from None
        if chunk is None:
            return
        left = min(seconds, left - (clock() - began) + len(chunk) / rate)
        yield chunk


class StrictJsonRequest(Request):
    """A request whose JSON is strict: UTF-8 only, no NaN, no duplicate names, no lone surrogates, not too deep."""

    # The largest body in bytes, where it is not that of the settings.
    most_bytes: int | None = None

    async def body(self) -> bytes:
        """Reads the body; raises `BodyTooLargeError` as soon as it is too large, or `BodyTimeoutError`."""
        if not hasattr(self, "_body"):
            settings = services_of(self).settings
            limit = self.most_bytes or settings.max_body_mib * 2**20
            declared = self.headers.get("content-length", "0")
            size, chunks = int(declared) if declared.isdigit() else 0, []
            received = 0
            if size <= limit:
                async for chunk in in_time(self.scope, aiter(self.stream()), settings):
                    chunks.append(chunk)
                    received += len(chunk)
                    if received > limit:
                        break
            if max(size, received) > limit:
                raise BodyTooLargeError(f"The body is larger than {_shown(limit)}.")
            self._body = b"".join(chunks)
        return self._body

    async def json(self) -> Any:
        """Parses the body; a list for JSON Lines, and for a form the fields of the article in its file.

        Raises `BodyError` or `json.JSONDecodeError`.
        """
        if not hasattr(self, "_json"):
            body = await self.body()
            if _FORM in self.scope:
                self._json = await self._form_fields(body)
            elif self.scope.get(_LINES):
                self._json = _parse_lines(body)
            else:
                self._json = parse_json(body)
        return self._json

    async def _form_fields(self, body: bytes) -> dict[str, Any]:
        """The fields of a form, and those of the article in its file, which the others override."""
        form_request = Request({**self.scope, "headers": self.scope[_FORM]}, self.receive)
        form_request._body = body
        require_simple_form(form_request.headers, body)
        limit = services_of(self).settings.max_body_mib * 2**20
        try:
            form = await form_request.form(max_files=1, max_fields=_MOST_FIELDS, max_part_size=limit)
        except (HTTPException, MultiPartException) as error:
            reason = getattr(error, "detail", None) or getattr(error, "message", "")
            raise BodyError(f"The form cannot be read: {reason} Send one file in each request.") from error
        fields: dict[str, Any] = {}
        try:
            for name, value in form.multi_items():
                if isinstance(value, UploadFile):
                    upload = await self._upload(value, limit)
                    fields = {**upload.fields, **fields}
                    self.scope[ENCODING_HEADER] = upload.encoding
                    self.scope[SCANNED_HEADER] = ", ".join(map(str, upload.scanned))
                elif value:
                    fields[name] = parse_json(value.encode()) if name in _AS_JSON else value
        finally:
            await form.close()
        return fields

    async def _upload(self, file: UploadFile, limit: int) -> Upload:
        content = await file.read()
        try:
            return await to_thread.run_sync(read_upload, file.filename or "", content, limit)
        except (FileError, ArchiveError) as error:
            raise UploadError(f"{file.filename or 'The file'}: {error}") from error


class FormRequest(StrictJsonRequest):
    """A request from the form of a page."""

    async def body(self) -> bytes:
        """Reads the form, which takes no longer to parse than one that a page sends; raises `BodyError`."""
        body = await super().body()
        require_simple_form(self.headers, body)
        return body


def require_simple_form(headers: Mapping[str, str], body: bytes) -> None:
    """Raises `BodyError` for a form that would take long to parse, or whose text could not be stored."""
    kind, parameters = parse_options_header(headers.get("content-type"))
    if kind != _FORM_TYPE and body.count(b"&") + body.count(b";") > _MOST_FIELDS:
        raise BodyError(f"The form has more than {_MOST_FIELDS} fields.")
    encoding = parameters.get(b"charset", b"utf-8").decode("latin-1")
    try:
        is_known = codecs.lookup(encoding).name in _FORM_ENCODINGS
    except (LookupError, ValueError):
        is_known = False
    if not is_known:
        raise BodyError("The form is in an encoding that is not accepted; send it in UTF-8.")


def _shown(size: int) -> str:
    return f"{size // 2**20} MiB" if size >= 2**20 else f"{size // 2**10} KiB"


class StrictJsonRoute(GuardedRoute):
    """A route that reads its body with `StrictJsonRequest`; JSON Lines are read as a JSON list.

    With `FORM`, a form with a file is read as the article in the file; the answer then names the encoding, and the
    pages without text.
    """

    def get_route_handler(self) -> Any:
        handler = super().get_route_handler()
        reads_forms = self.openapi_extra == FORM

        async def strict(request: Request) -> Any:
            strict_request = StrictJsonRequest(_as_json(request.scope, reads_forms=reads_forms), request.receive)
            response = await handler(strict_request)
            for header in (ENCODING_HEADER, SCANNED_HEADER):
                if value := strict_request.scope.get(header):
                    response.headers[header] = value
            return response

        return strict


def _as_json(scope: Scope, *, reads_forms: bool) -> Scope:
    """Marks a request with JSON Lines or a form, and declares its body as JSON, the only type that FastAPI parses."""
    headers = dict(scope["headers"])
    kind = headers.get(b"content-type", b"").split(b";")[0].strip().lower()
    if kind in _LINES_TYPES:
        mark = {_LINES: True}
    elif kind == _FORM_TYPE and reads_forms:
        mark = {_FORM: scope["headers"]}
    else:
        return scope
    headers[b"content-type"] = b"application/json"
    return {**scope, "headers": list(headers.items()), **mark}


def parse_json(body: bytes) -> Any:
    """Parses strict JSON; raises `BodyError`, or `json.JSONDecodeError` for bad syntax."""
    try:
        # A byte order mark may be passed over (RFC 8259, section 8.1), and programs of Windows write it.
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BodyError("The body is not valid UTF-8.") from None
    _require_plain(text)
    try:
        content = json.loads(text, parse_constant=_no_constant, object_pairs_hook=_no_duplicates)
    except json.JSONDecodeError:
        raise
    except ValueError as error:
        raise BodyError(f"The body is not valid JSON: {error}.") from error
    if "\\u" in text and has_half_character(text, content):
        raise BodyError("The body contains a lone surrogate (half of an escaped character).")
    return content


def _parse_lines(body: bytes) -> list[Any]:
    """Parses JSON Lines; raises `BodyError`, or `json.JSONDecodeError` for bad syntax."""
    lines = [line for line in body.splitlines() if line.strip()]
    if len(lines) > _MOST_PARTS:
        raise BodyError(f"The body has more than {_MOST_PARTS:,} lines.")
    return [parse_json(line) for line in lines]


def _require_plain(text: str) -> None:
    """Raises `BodyError` for JSON that is nested too deep or has too many parts, before it is parsed.

    Parsing and checking hold up all other requests of the process, by a microsecond for each list and object.
    """
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return
    structure = _STRING.sub("", text)
    if sum(map(structure.count, "[]{}")) > 2 * _MOST_PARTS:
        raise BodyError(f"The body has more than {_MOST_PARTS:,} lists and objects.")
    depth = 0
    for bracket in _BRACKET.findall(structure):
        depth += 1 if bracket in "[{" else -1
        if depth > MAX_DEPTH:
            raise BodyError(f"The body is nested deeper than {MAX_DEPTH} levels.")


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(pairs) > _MOST_NAMES:  # each that is unknown would become a sentence of the answer
        raise ValueError(f"an object has more than {_MOST_NAMES:,} names")
    content = dict(pairs)
    if len(content) < len(pairs):
        raise ValueError("a name occurs twice in an object")
    return content
