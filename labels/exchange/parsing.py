"""Reading the rows of a file and checking their fields, the same for all formats."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from labels.annotations import SELECTIONS, STANCES, UNSPECIFIED, Stance
from labels.codebook import Codebook
from labels.errors import ExchangeError
from labels.exchange.annotation import ExchangedAnnotation


class RowError(Exception):
    """What is wrong with a row."""


def read_rows(
    subject: str, rows: Iterable[tuple[str, Any]], read: Callable[[Any], Iterable[ExchangedAnnotation]]
) -> list[ExchangedAnnotation]:
    """Returns the annotations of all rows, each a place and a value for `read`.

    `read` raises `RowError` for a bad row. Raises `ExchangeError` with all bad rows; `subject` names the file in it.
    """
    annotations: list[ExchangedAnnotation] = []
    faults: list[str] = []
    for where, row in rows:
        try:
            annotations.extend(read(row))
        except RowError as fault:
            faults.append(f"{where}: {fault}")
    if faults:
        raise ExchangeError(subject, faults)
    return annotations


def decode(data: bytes, subject: str) -> str:
    """Decodes UTF-8 with or without a byte order mark; raises `ExchangeError` for anything else."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ExchangeError(subject, ["it is not UTF-8 text"]) from None


def json_lines(data: bytes, subject: str) -> Iterator[tuple[str, Any]]:
    """Yields the place and the object of each line; None for a line that is not a JSON object."""
    for number, line in enumerate(decode(data, subject).splitlines(), 1):
        if line.strip():
            try:
                row = json.loads(line)
            except ValueError:
                row = None
            yield f"line {number}", row if isinstance(row, dict) else None


def write_lines(rows: Iterable[Mapping[str, Any]]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def require_object(row: Any) -> dict[str, Any]:
    if not isinstance(row, dict):
        raise RowError("not a JSON object")
    return row


def require_text(row: Mapping[str, Any], name: str = "text") -> str:
    text = row.get(name)
    if not isinstance(text, str) or not text.strip():
        raise RowError(f"'{name}' must be a non-empty string")
    return text


def require_frames(labels: Any, codebook: Codebook, stances: Mapping[str, Any] | None = None) -> dict[str, Stance]:
    """Returns the frames that `labels` names by key or title, each with its stance in `stances`, else `present`."""
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise RowError("the labels must be a list of strings")
    by_name = {name: frame.key for frame in codebook.frames for name in (frame.key, frame.title)}
    unknown = [label for label in labels if label not in by_name]
    if unknown:
        raise RowError(f"the codebook has no frame '{unknown[0]}'")
    return {by_name[label]: require_stance((stances or {}).get(by_name[label], UNSPECIFIED)) for label in labels}


def require_stance(stance: Any) -> Stance:
    if stance not in STANCES:
        raise RowError(f"'{stance}' is not a stance; the stances are {', '.join(STANCES)}")
    checked: Stance = stance
    return checked


def checked_metadata(row: Mapping[str, Any], default_source: str) -> dict[str, Any]:
    """Returns the metadata of a row as arguments of `ExchangedAnnotation`; missing fields keep their defaults."""
    metadata: dict[str, Any] = {"source": row.get("source") or default_source}
    for name, types in (
        ("source", str), ("article_id", str), ("note", str), ("selection", str), ("created_at", str),
        ("paragraph", int), ("codebook_version", int), ("inclusion_probability", (int, float)),
    ):  # fmt: skip
        value = row.get(name)
        if value in (None, ""):
            continue
        if not isinstance(value, types) or isinstance(value, bool):
            raise RowError(f"'{name}' has the wrong type")
        metadata[name] = value
    if metadata.get("selection", "chosen") not in SELECTIONS:
        raise RowError("'selection' must be random, uncertain or chosen")
    if not 0 < metadata.get("inclusion_probability", 1) <= 1:
        raise RowError("'inclusion_probability' must be above 0 and at most 1")
    return metadata
