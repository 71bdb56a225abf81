"""Reading the rows of a file and checking their fields, the same for all formats."""

import codecs
import json
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any

from labels.annotations import SELECTIONS
from labels.archives import safe_members
from labels.errors import UNREADABLE_ARCHIVE, ArchiveError, ExchangeError, FileError
from labels.exchange import strict_json
from labels.exchange.annotation import ROLES, ExchangedAnnotation
from labels.exchange.checks import checked_annotation
from labels.exchange.frame_labels import (
    FrameLabels,
    NotCodedError,
    RowError,
    UnknownLabelError,
    name_of,
)
from labels.exchange.options import ReadingOptions, spelled
from labels.exchange.reading import Reading, SetAside
from labels.files import encodings, json_records, sheets
from labels.files.packed import ZIP_START

# The words that spreadsheets and other tools write for yes and no.
TRUTH = {
    **dict.fromkeys(("1", "1.0", "true", "yes"), True),
    **dict.fromkeys(("0", "0.0", "false", "no"), False),
}
_BLANK = codecs.BOM_UTF8 + b" \r\n\t"
_MAX_FIELDS_SHOWN = 20


def read_annotations(
    subject: str,
    rows: Iterable[tuple[str, Any]],
    read: Callable[[Any], Iterable[ExchangedAnnotation]],
    labels: FrameLabels,
) -> Reading:
    """Returns the annotations of all rows, each a place and a value for `read`, and the rows that were set aside.

    `read` raises `RowError` for a bad row, `NotCodedError` for a row to set aside, and `UnknownLabelError`. Raises
    `ExchangeError` with all bad rows and all unknown labels; `subject` names the file in it.
    """
    annotations: list[ExchangedAnnotation] = []
    set_aside: list[SetAside] = []
    faults: list[str] = []
    for where, row in rows:
        try:
            for annotation in read(row):
                checked = checked_annotation(replace(annotation, where=where), labels)
                if isinstance(checked, SetAside):
                    set_aside.append(checked)
                else:
                    annotations.append(checked)
        except RowError as fault:
            faults.append(f"{where}: {fault}")
        except NotCodedError as reason:
            set_aside.append(SetAside(where, str(reason)))
        except UnknownLabelError as unknown:
            labels.note_unknown(unknown.labels, where)
    label_fault = labels.fault()
    faults += [label_fault] if label_fault else []
    if faults:
        raise ExchangeError(subject, faults)
    return Reading(annotations, set_aside, labels.ignored)


def decode(data: bytes, subject: str) -> str:
    """Decodes a file in its own encoding; raises `ExchangeError` if it is not text."""
    try:
        return encodings.decoded(data).text
    except FileError as error:
        raise ExchangeError(subject, [str(error).rstrip(".")]) from None


def in_utf_8(data: bytes, encoding: str | None) -> bytes:
    """Returns a file that is written in a given encoding as UTF-8; unchanged without one.

    Raises `ExchangeError` if it is not text in that encoding.
    """
    if encoding is None:
        return data
    option = spelled("encoding")
    if sheets.is_workbook(data):
        raise ExchangeError("The option", [f"{option} is about a file of text, not a zip file or a spreadsheet"])
    try:
        return encodings.decoded(data, encoding).text.encode()
    except FileError as error:
        raise ExchangeError("The option", [f"{option}: {str(error).rstrip('.')}"]) from None


def encoding_notes(data: bytes) -> list[str]:
    """Says in which encoding a file was read, unless it is UTF-8 or an archive."""
    if data.startswith(ZIP_START):
        return []
    encoding = encodings.shown(encodings.encoding_of([data]))
    return [] if encoding == encodings.UTF_8 else [f"The file was read as {encoding}."]


def unzipped(data: bytes, subject: str) -> list[tuple[str, bytes]]:
    """Returns the name and the content of each file of a zip file; any other file as it is, with an empty name.

    What macOS and editors add, in `__MACOSX` or with a dot before its name, is left out. Raises `ExchangeError` for an
    archive that is damaged, unsafe or empty.
    """
    if not data.startswith(ZIP_START):
        return [("", data)]
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            members = safe_members(archive)
            files = [(member.name, member.read()) for member in members if not _is_by_the_way(member.name)]
    except (ArchiveError, *UNREADABLE_ARCHIVE) as error:
        raise ExchangeError(subject, [f"it is a zip file that cannot be read ({error})"]) from error
    if not files:
        raise ExchangeError(subject, ["it is a zip file without files"])
    return files


def _is_by_the_way(name: str) -> bool:
    return any(part.startswith((".", "__MACOSX")) for part in name.split("/"))


def is_table(name: str, content: bytes) -> bool:
    """Whether a file is a table and not JSON, by its name if it has any, else by how it begins."""
    if name:
        return name.lower().endswith((".csv", ".tsv"))
    begin = content.lstrip(_BLANK)
    return bool(begin) and not begin.startswith((b"{", b"["))


@dataclass(frozen=True, slots=True)
class BadRow:
    """Stands for a row that cannot be read, and says why."""

    fault: str


def json_rows(data: bytes, subject: str) -> Iterator[tuple[str, Any]]:
    """Yields the place and the value of each line of JSON Lines, or of each entry of a JSON list.

    A `BadRow` stands for what is not valid JSON.
    """
    text = decode(data, subject)
    if "\n" not in text:
        text = text.replace("\r", "\n")
    place = "entry" if text.lstrip().startswith("[") else "line"
    for record in json_records.read_text(text, strict_json.loads) if text.strip() else ():
        yield f"{place} {record.number}", record.value if record.fault is None else BadRow(_of_json(record.fault))


def _of_json(fault: str) -> str:
    syntax = "not a JSON object: " if fault == json_records.NOT_JSON else ""
    return syntax + strict_json.as_fault(fault)


def write_lines(rows: Iterable[Mapping[str, Any]]) -> bytes:
    """Returns JSON Lines that no reader of lines cuts at another character than a newline."""
    lines = (json_records.on_a_single_line(json.dumps(row, ensure_ascii=False)) for row in rows)
    return "".join(line + "\n" for line in lines).encode()


def require_object(row: Any) -> dict[str, Any]:
    if isinstance(row, BadRow):
        raise RowError(row.fault)
    if not isinstance(row, dict):
        raise RowError("not a JSON object")
    return row


def require_list(row: Mapping[str, Any], name: str) -> list[Any]:
    """Returns a list of the row; an empty list if there is none."""
    value = row.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise RowError(f"'{name}' must be a list")
    return value


def require_text(row: Mapping[str, Any], options: ReadingOptions, usual: Sequence[str] = ("text",)) -> str:
    """Returns the text of a row, from the field that the caller names, else from the first usual field."""
    names = [options.text_field] if options.text_field else [name for name in usual if name in row] or usual
    text = row.get(names[0])
    if isinstance(text, str) and text.strip():
        return text
    others = [name for name, value in row.items() if isinstance(value, str) and name != names[0]]
    hint = ""
    if names[0] not in row and others:
        fields = ", ".join(f"'{name}'" for name in others[:_MAX_FIELDS_SHOWN])
        hint = f"; if one of {fields} is the text, name it with {spelled('text_field')}"
    raise RowError(f"'{names[0]}' must be a non-empty string{hint}")


def require_coder(row: Mapping[str, Any], options: ReadingOptions, usual: Sequence[str]) -> str:
    """Returns the coder of a row, from the field that the caller names, else the first usual field that names a coder.

    The result is empty if there is none.
    """
    if options.coder_field and options.coder_field not in row:
        raise RowError(f"it has no field '{options.coder_field}'")
    for name in [options.coder_field] if options.coder_field else usual:
        value = row.get(name)
        if isinstance(value, str | int | float) and value != "":
            return name_of(value).strip()
    return ""


def checked_metadata(row: Mapping[str, Any], default_source: str) -> dict[str, Any]:
    """Returns the metadata of a row as arguments of `ExchangedAnnotation`; missing fields keep their defaults."""
    metadata: dict[str, Any] = {"source": default_source}
    for name, expected in (
        ("source", str), ("article_id", str), ("note", str), ("selection", str), ("created_at", str), ("role", str),
        ("covered", str), ("paragraph", int), ("codebook_version", int), ("inclusion_probability", float),
    ):  # fmt: skip
        value = row.get(name)
        if value not in (None, ""):
            metadata[name] = _typed(name, value, expected)
    if row.get("unsure") not in (None, ""):
        metadata["unsure"] = _truth("unsure", row["unsure"])
    if "covered" in metadata:
        metadata["covered"] = frozenset(metadata["covered"].split())
    if metadata.get("selection", "chosen") not in SELECTIONS:
        raise RowError("'selection' must be random, uncertain or chosen")
    if metadata.get("role", "coder") not in ROLES:
        raise RowError(f"'role' must be {' or '.join(ROLES)}")
    return metadata


def _truth(name: str, value: Any) -> bool:
    truth = TRUTH.get(str(value).strip().casefold()) if isinstance(value, str | int | float) else None
    if truth is None:
        raise RowError(f"'{name}' must be true or false (or 1 or 0, yes or no)")
    return truth


def _typed(name: str, value: Any, expected: type) -> Any:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if expected is str and name in ("source", "article_id") and number:
        return name_of(value)
    if expected is int and isinstance(value, float) and value.is_integer():
        return int(value)
    if expected is float and number:
        return value
    if not isinstance(value, expected) or isinstance(value, bool):
        raise RowError(f"'{name}' has the wrong type")
    return value
