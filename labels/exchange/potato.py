"""Potato: its exports JSONL, CSV and TSV, and the zip of such a file with the file of items that Potato was given.

A row is an item and a coder, with the labels of each annotation scheme. The exports of Potato 2 hold no texts, so they
are taken from the items. An item of which a scheme has no label may not have been answered, and is set aside.
"""

import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import PurePosixPath
from typing import Any

from labels.annotations import Stance
from labels.codebook import Codebook
from labels.errors import ExchangeError, FileError
from labels.exchange import strict_json
from labels.exchange.annotation import OF_PARAGRAPH, UNKNOWN_CODER, ExchangedAnnotation, by_paragraph
from labels.exchange.cells import read_table, require_cells, with_numbers
from labels.exchange.frame_labels import FrameLabels, NotCodedError, RowError, chosen_question, name_of
from labels.exchange.options import ReadingOptions, spelled
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

_FILE = "The Potato file"
_FRAMES = "frames"
_IDS, _CODERS = ("instance_id", "id"), ("user_id", "user")
# How the columns of tables are called: schema and label, in Potato 1 and in Potato 2.
_IN_COLUMNS = (":::", ".")
_UNTICKED = (None, False, "", "false", "False", "None")


@dataclass(frozen=True, slots=True)
class _Answers:
    """The ticked labels of each scheme in a row, and the row itself with its item and the coder of its folder."""

    row: Mapping[str, Any]
    item: Mapping[str, Any] | None
    labels: Mapping[str, Sequence[str]]
    coder: str


def write(annotations: Sequence[ExchangedAnnotation], _codebook: Codebook) -> bytes:
    """Writes a zip of the items, which Potato can be given, and of the annotations as Potato 2 exports them."""
    items, rows = [], []
    for number, group in enumerate(by_paragraph(annotations), 1):
        items.append({"id": f"{number}", "text": group[0].text, **group[0].of_paragraph})
        for annotation in group:
            own = {name: value for name, value in annotation.metadata.items() if name not in OF_PARAGRAPH}
            labels = {_FRAMES: dict.fromkeys(annotation.frames, True)}
            row = {"instance_id": f"{number}", "user_id": annotation.coder, "labels": labels, "spans": {}, "links": {}}
            rows.append({**row, "stances": dict(annotation.frames), **own})
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("items.jsonl", write_lines(items))
        archive.writestr("annotations.jsonl", write_lines(rows))
    return buffer.getvalue()


def read(data: bytes, codebook: Codebook, options: ReadingOptions) -> Reading:
    """Reads the labels of the scheme about frames; the texts are those of the items, else `displayed_text`."""
    labels = FrameLabels(codebook, options)
    items, answers = _items_and_answers(data, options)
    questions: dict[str, set[str]] = {}
    for _, entry in answers:
        for scheme, ticked in entry.labels.items() if isinstance(entry, _Answers) else ():
            questions.setdefault(scheme, set()).update(ticked)
    question = chosen_question(questions, _FRAMES, labels, options, _FILE)
    return read_annotations(
        _FILE, answers, lambda entry: _annotation(entry, question, bool(items), labels, options), labels
    )


def _items_and_answers(
    data: bytes, options: ReadingOptions
) -> tuple[dict[str, Mapping[str, Any]], list[tuple[str, _Answers | RowError]]]:
    """Tells the files of items from those of annotations, and returns the items by id, and the answers."""
    files = [(name, _rows(name, content)) for name, content in unzipped(data, _FILE)]
    if options.items is not None:
        files += [(name or "items", _rows(name, content)) for name, content in unzipped(options.items, "The items")]
    items: dict[str, Mapping[str, Any]] = {}
    coded: list[tuple[str, str, Any]] = []
    for name, rows in files:
        if any(isinstance(row, dict) and _has_labels(row) for _, row in rows):
            folder = PurePosixPath(name).parent.name
            coded += [(f"{name}, {where}" if len(files) > 1 and name else where, folder, row) for where, row in rows]
        else:
            items |= {_identifier(row): row for _, row in rows if isinstance(row, dict)}
    if not coded:
        raise ExchangeError(_FILE, ["it has no annotations of Potato, which have labels of annotation schemes"])
    return items, [(where, _answers(row, folder, items)) for where, folder, row in coded]


def _rows(name: str, content: bytes) -> list[tuple[str, Any]]:
    return list(read_table(content, _FILE, ()) if is_table(name, content) else json_rows(content, _FILE))


def _has_labels(row: Mapping[str, Any]) -> bool:
    if isinstance(row.get("label_annotations", row.get("labels")), dict):
        return True
    coder = any(name in row for name in _CODERS)
    return coder and any(separator in name for name in row for separator in _IN_COLUMNS)


def _identifier(row: Mapping[str, Any]) -> str:
    return next((name_of(row[name]) for name in _IDS if row.get(name) not in (None, "")), "")


def _answers(row: Any, folder: str, items: Mapping[str, Mapping[str, Any]]) -> _Answers | RowError:
    try:
        in_json = row.get("label_annotations", row.get("labels")) if isinstance(row, dict) else None
        if isinstance(in_json, dict):
            labels = {name: _ticked(values) for name, values in in_json.items()}
        else:
            row = with_numbers(require_cells(row) if isinstance(row, str) else require_object(row))
            labels = _of_columns(row)
        return _Answers(row, items.get(_identifier(row)), labels, folder)
    except RowError as fault:
        return fault


def _ticked(values: Any) -> list[str]:
    """The labels of a scheme that are ticked, from an object of label and value, or a single value."""
    if isinstance(values, dict):
        return [name for name, value in values.items() if value not in _UNTICKED]
    return [] if values in _UNTICKED else [name_of(_require_label(values))]


def _require_label(value: Any) -> str | int | float:
    if not isinstance(value, str | int | float):
        raise RowError("the labels of a scheme must be an object of label and value")
    return value


def _of_columns(row: Mapping[str, Any]) -> dict[str, list[str]]:
    """The ticked labels of a row of a table, whose columns are called after a scheme and a label."""
    labels: dict[str, list[str]] = {}
    for column, value in row.items():
        separator = next((separator for separator in _IN_COLUMNS if separator in column), None)
        if separator is not None:
            scheme, _, label = column.partition(separator)
            labels.setdefault(scheme, []).extend([label] if value not in _UNTICKED else [])
    return labels


def _annotation(
    entry: _Answers | RowError, question: str | None, has_items: bool, labels: FrameLabels, options: ReadingOptions
) -> Iterator[ExchangedAnnotation]:
    if isinstance(entry, RowError):
        raise entry
    yield ExchangedAnnotation(
        coder=require_coder(entry.row, options, _CODERS) or entry.coder or UNKNOWN_CODER,
        text=_text(entry, has_items, options),
        frames=_frames(entry, question, labels),
        **checked_metadata({**(entry.item or {}), **entry.row}, "potato"),
    )


def _text(entry: _Answers, has_items: bool, options: ReadingOptions) -> str:
    if entry.item is not None:
        return require_text(entry.item, options)
    if any(name in entry.row for name in (options.text_field, "text", "displayed_text")):
        return require_text(entry.row, options, ("text", "displayed_text"))
    identifier = _identifier(entry.row)
    if has_items:
        raise RowError(f"the items have none with the id '{identifier}'")
    raise RowError(
        f"it has no text; add the file of items that Potato was given with {spelled('items').split(' ')[0]}, "
        "or send both as a zip file"
    )


def _frames(entry: _Answers, question: str | None, labels: FrameLabels) -> Mapping[str, Stance]:
    stances = require_object(_unpacked(entry.row.get("stances") or {}))
    ticked = entry.labels.get(question or "", ())
    if not ticked and "stances" not in entry.row:
        return labels.empty(f"no label of the scheme '{question or _FRAMES}' is ticked")
    if not ticked and stances:
        raise NotCodedError("it has a stance of a frame that is not ticked")
    return labels.frames(list(ticked), stances)


def _unpacked(value: Any) -> Any:
    try:
        return strict_json.loads(value) if isinstance(value, str) else value
    except FileError:
        raise RowError("'stances' must be an object") from None
