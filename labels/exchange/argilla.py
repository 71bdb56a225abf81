"""Argilla datasets as rows of the Hugging Face export: flat columns of responses, their users and their status."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from labels.codebook import Codebook
from labels.exchange.annotation import UNKNOWN_CODER, ExchangedAnnotation, by_paragraph
from labels.exchange.parsing import (
    RowError,
    checked_metadata,
    json_lines,
    read_rows,
    require_frames,
    require_object,
    require_text,
    write_lines,
)

_FILE = "The Argilla file"
_QUESTION = "frames"
# Fields that all annotations of a paragraph share, and fields that each annotation has.
_SHARED = ("source", "article_id", "paragraph")
_OWN = ("stances", "note", "selection", "inclusion_probability", "codebook_version", "created_at")


def write(annotations: Sequence[ExchangedAnnotation], _codebook: Codebook) -> bytes:
    """Writes a row per paragraph, with an entry per coder in each column of responses."""
    return write_lines(
        {
            "text": group[0].text,
            f"{_QUESTION}.responses": [list(annotation.frames) for annotation in group],
            f"{_QUESTION}.responses.users": [annotation.coder for annotation in group],
            f"{_QUESTION}.responses.status": ["submitted"] * len(group),
            "metadata": {name: group[0].metadata[name] for name in _SHARED},
            **{f"{name}.responses": [{"stances": dict(a.frames), **a.metadata}[name] for a in group] for name in _OWN},
        }
        for group in by_paragraph(annotations)
    )


def read(data: bytes, codebook: Codebook) -> list[ExchangedAnnotation]:
    """Reads the responses to the question `frames`, else to the first; ignores drafts and discarded responses."""
    return read_rows(_FILE, json_lines(data, _FILE), lambda row: _annotations(require_object(row), codebook))


def _annotations(row: Mapping[str, Any], codebook: Codebook) -> Iterator[ExchangedAnnotation]:
    question = _question(row)
    responses = _column(row, f"{question}.responses", None)
    users = _column(row, f"{question}.responses.users", len(responses))
    statuses = _column(row, f"{question}.responses.status", len(responses))
    own = {name: _column(row, f"{name}.responses", len(responses)) for name in _OWN}
    shared = row["metadata"] if isinstance(row.get("metadata"), dict) else {}
    text = require_text(row)
    for number, response in enumerate(responses):
        if statuses[number] in (None, "submitted"):
            metadata = {name: values[number] for name, values in own.items()}
            stances = metadata.pop("stances")
            yield ExchangedAnnotation(
                coder=str(users[number] or UNKNOWN_CODER),
                text=text,
                frames=require_frames(response, codebook, stances if isinstance(stances, dict) else {}),
                **checked_metadata({**shared, **metadata}, "argilla"),
            )


def _question(row: Mapping[str, Any]) -> str:
    questions = [name.removesuffix(".responses.users") for name in row if name.endswith(".responses.users")]
    if _QUESTION in questions or not questions:
        return _QUESTION
    return questions[0]


def _column(row: Mapping[str, Any], name: str, length: int | None) -> list[Any]:
    """Returns the values of a column; without `length` the column is required."""
    values = row.get(name)
    if values is None:
        if length is None:
            raise RowError(f"'{name}' is missing")
        return [None] * length
    if not isinstance(values, list) or (length is not None and len(values) != length):
        raise RowError(f"'{name}' must be a list with an entry per response")
    return values
