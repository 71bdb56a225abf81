"""doccano: JSONL, JSON and CSV of text classification, and the zip of them that doccano exports.

A row has `text`, `label` and metadata as further columns. An export has a file per coder, named after the coder, or
`all`. doccano writes the same `"label": []` for an example that nobody has labelled and for a coded text without
frames, so such a row is set aside, unless it has the column `stances`, which `write` adds to every annotation.
"""

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from labels.annotations import Stance
from labels.codebook import Codebook
from labels.errors import FileError
from labels.exchange import strict_json
from labels.exchange.annotation import UNKNOWN_CODER, ExchangedAnnotation
from labels.exchange.cells import read_table, require_cells, with_numbers
from labels.exchange.frame_labels import FrameLabels, NotCodedError, RowError
from labels.exchange.options import ReadingOptions
from labels.exchange.parsing import (
    checked_metadata,
    is_table,
    json_rows,
    read_annotations,
    require_coder,
    require_object,
    require_text,
    unzipped,
    write_lines,
)
from labels.exchange.reading import Reading
from labels.files.json_records import is_unicode

_FILE = "The doccano file"
_LABELS = ("label", "labels", "cats")
# The names of files that hold the labels of several coders.
_NOT_A_CODER = ("all", "unknown")
_BETWEEN_LABELS = "#"


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of a file; `joined` if it is a table, in which several labels share a cell, and the file's own coder."""

    fields: Any
    joined: bool
    coder: str


def write(annotations: Sequence[ExchangedAnnotation], _codebook: Codebook) -> bytes:
    """Writes a line per coder and paragraph; doccano preserves the columns that it does not know."""
    return write_lines(
        {"text": a.text, "label": list(a.frames), "coder": a.coder, "stances": dict(a.frames), **a.metadata}
        for a in annotations
    )


def read(data: bytes, codebook: Codebook, options: ReadingOptions) -> Reading:
    """Reads frames from `label`, `labels` or `cats`, the coder from the file's name, else from `coder`, `username`."""
    labels = FrameLabels(codebook, options)

    def annotation(row: _Row) -> Iterator[ExchangedAnnotation]:
        fields = require_cells(row.fields) if row.joined else require_object(row.fields)
        text = require_text(fields, options)
        file_coder = "" if options.coder_field else row.coder
        for answer, user in _answers(fields, row.joined, options, labels):
            yield ExchangedAnnotation(
                coder=file_coder or user or require_coder(fields, options, ("coder", "username")) or UNKNOWN_CODER,
                text=text,
                frames=_frames(fields, answer, labels),
                **checked_metadata(with_numbers(fields) if row.joined else fields, "doccano"),
            )

    return read_annotations(_FILE, _rows(data, options), annotation, labels)


def _rows(data: bytes, options: ReadingOptions) -> Iterator[tuple[str, _Row]]:
    """Yields the rows of all files."""
    files = unzipped(data, _FILE)
    for name, content in files:
        stem = PurePosixPath(name).stem
        coder = "" if stem in _NOT_A_CODER else stem
        joined = is_table(name, content)
        rows = read_table(content, _FILE, (options.text_field or "text",)) if joined else json_rows(content, _FILE)
        for where, fields in rows:
            yield f"{name}, {where}" if len(files) > 1 else where, _Row(fields, joined, coder)


def _answers(
    row: Mapping[str, Any], joined: bool, options: ReadingOptions, labels: FrameLabels
) -> Iterator[tuple[Any, str]]:
    """Yields each answer in a row, and the coder where the answer itself names a coder."""
    names = [options.question] if options.question else [name for name in _LABELS if name in row]
    if not names and isinstance(row.get("annotations"), list):
        yield from _by_user(row["annotations"])
        return
    if not names or names[0] not in row:
        raise NotCodedError(f"it has no '{names[0] if names else _LABELS[0]}'")
    answer = row[names[0]]
    if joined:
        answer = [answer] if labels.knows(answer) else [label for label in answer.split(_BETWEEN_LABELS) if label]
    yield answer, ""


def _by_user(annotations: list[Any]) -> Iterator[tuple[list[Any], str]]:
    """The answers in the list `annotations` of old exports, whose labels are numbers."""
    by_user: dict[str, list[Any]] = {}
    for annotation in annotations:
        if not isinstance(annotation, dict) or "label" not in annotation:
            raise RowError("'annotations' must be a list of objects with a 'label'")
        if "start_offset" in annotation:
            raise NotCodedError("its labels are of words, not of the text")
        by_user.setdefault(str(annotation.get("user", "")), []).append(annotation["label"])
    if not by_user:
        raise NotCodedError("nobody has labelled it")
    for user, answer in by_user.items():
        yield answer, user


def _frames(row: Mapping[str, Any], answer: Any, labels: FrameLabels) -> Mapping[str, Stance]:
    stances = _stances(row.get("stances"))
    if isinstance(answer, list) and any(isinstance(label, list | dict) for label in answer):
        raise NotCodedError("its labels are of words, not of the text")
    if answer in (None, []) and stances != {}:
        return labels.empty("it has no label, which doccano also writes for what nobody has labelled")
    return labels.frames(answer or [], stances)


def _stances(value: Any) -> dict[str, Any] | None:
    """The stances that `write` added, which doccano's CSV turns into the Python notation of a dictionary."""
    if isinstance(value, str) and value.strip():
        try:
            value = strict_json.loads(value)
        except FileError:
            value = _in_python(value)
    if value in (None, ""):
        return None
    if not isinstance(value, dict):
        raise RowError("'stances' must be an object of frame and stance")
    return value


def _in_python(text: str) -> Any:
    """A dictionary in the notation of Python."""
    try:
        value = ast.literal_eval(text)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        raise RowError("'stances' must be an object") from None
    if not (isinstance(value, dict) and all(isinstance(part, str) for part in (*value, *value.values()))):
        raise RowError("'stances' must be an object of frame and stance")
    if not is_unicode(value):
        raise RowError("'stances' contains half of a character")
    return value
