"""Articles in files: text, HTML, JSON, JSON Lines and folders of them, as `framing score` takes them."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from labels.errors import FramingError
from service.schemas.articles import ArticleRequest

STDIN = "-"
_HTML = {".html", ".htm", ".xhtml"}
_LINES = {".jsonl", ".ndjson"}
_KINDS = {".txt", ".text", ".md", ".json", *_HTML, *_LINES}


class SubmissionError(FramingError):
    """A file cannot be read as articles."""


def read_submissions(paths: list[str]) -> Iterator[tuple[str, ArticleRequest]]:
    """Name and article of every submission, in order; raises `SubmissionError`."""
    for path in paths:
        if path == STDIN:
            yield "standard input", _request(STDIN, {"text": sys.stdin.read()})
        else:
            yield from _read(Path(path))


def _read(path: Path) -> Iterator[tuple[str, ArticleRequest]]:
    if path.is_dir():
        for file in sorted(path.rglob("*")):
            if file.suffix.lower() in _KINDS and file.is_file():
                yield from _read(file)
        return
    try:
        content = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SubmissionError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError:
        raise SubmissionError(f"{path} is not UTF-8 text.") from None
    if path.suffix.lower() in _LINES:
        for number, line in enumerate(content.splitlines(), 1):
            if line.strip():
                name = f"{path} line {number}"
                yield name, _request(name, _object(name, line))
    elif path.suffix.lower() == ".json":
        yield str(path), _request(str(path), _object(str(path), content))
    else:
        yield str(path), _request(str(path), {"html" if path.suffix.lower() in _HTML else "text": content})


def _object(name: str, line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError as error:
        raise SubmissionError(f"{name} is not JSON.") from error


def _request(name: str, fields: Any) -> ArticleRequest:
    try:
        return ArticleRequest.model_validate(fields)
    except ValidationError as error:
        faults = "; ".join(f"{'/'.join(map(str, e['loc'])) or 'the line'}: {e['msg']}" for e in error.errors()[:3])
        raise SubmissionError(f"{name} is not an article: {faults}.") from error
