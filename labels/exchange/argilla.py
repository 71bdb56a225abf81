"""Argilla datasets as rows of the Hugging Face export: flat columns of responses, their users and their status."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from labels.codebook import Codebook
from labels.exchange.code import (
    UNKNOWN_CODER,
    Code,
    RowError,
    Rows,
    by_unit,
    facts_of,
    json_lines,
    require_frames,
    require_object,
    require_text,
    write_lines,
)

_QUESTION = "frames"
_SHARED = ("source", "article_id", "paragraph")
_OWN = ("stances", "note", "selection", "inclusion_probability", "codebook_version", "created_at")


def write(codes: Sequence[Code], _codebook: Codebook) -> bytes:
    """One row a paragraph, with a list entry a coder in each column of responses."""
    return write_lines(
        {
            "text": unit[0].text,
            f"{_QUESTION}.responses": [list(code.frames) for code in unit],
            f"{_QUESTION}.responses.users": [code.coder for code in unit],
            f"{_QUESTION}.responses.status": ["submitted"] * len(unit),
            "metadata": {name: unit[0].facts[name] for name in _SHARED},
            **{f"{name}.responses": [{"stances": dict(c.frames), **c.facts}[name] for c in unit] for name in _OWN},
        }
        for unit in by_unit(codes)
    )


def read(data: bytes, codebook: Codebook) -> list[Code]:
    """Reads rows with a question `frames`, else the first there is; drafts and discarded responses are left out."""
    what = "The Argilla file"
    return Rows(what).each(json_lines(data, what), lambda row: _codes(require_object(row), codebook))


def _codes(row: Mapping[str, Any], codebook: Codebook) -> Iterator[Code]:
    question = _question(row)
    responses = _column(row, f"{question}.responses", None)
    users = _column(row, f"{question}.responses.users", len(responses))
    statuses = _column(row, f"{question}.responses.status", len(responses))
    own = {name: _column(row, f"{name}.responses", len(responses)) for name in _OWN}
    shared = row["metadata"] if isinstance(row.get("metadata"), dict) else {}
    text = require_text(row)
    for place, response in enumerate(responses):
        if statuses[place] in (None, "submitted"):
            facts = {name: values[place] for name, values in own.items()}
            stances = facts.pop("stances")
            yield Code(
                coder=str(users[place] or UNKNOWN_CODER),
                text=text,
                frames=require_frames(response, codebook, stances if isinstance(stances, dict) else {}),
                **facts_of({**shared, **facts}, "argilla"),
            )


def _question(row: Mapping[str, Any]) -> str:
    users = [name.removesuffix(".responses.users") for name in row if name.endswith(".responses.users")]
    if _QUESTION in users or not users:
        return _QUESTION
    return users[0]


def _column(row: Mapping[str, Any], name: str, length: int | None) -> list[Any]:
    values = row.get(name)
    if values is None:
        if length is None:
            raise RowError(f"'{name}' is missing")
        return [None] * length
    if not isinstance(values, list) or (length is not None and len(values) != length):
        raise RowError(f"'{name}' must be a list with one entry a response")
    return values
