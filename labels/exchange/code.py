"""What all formats exchange: one coder's code of one paragraph."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from labels.annotations import STANCES, Stance
from labels.codebook import Codebook
from labels.errors import FramingError

UNKNOWN_CODER = ""
"""The coder of a file that does not say; the importer must be told."""


class ExchangeError(FramingError):
    """A file is not what it should be; `rows` has a line for each fault."""

    def __init__(self, what: str, rows: Sequence[str]) -> None:
        shown = "; ".join(rows[:10]) + (f"; and {len(rows) - 10} more" if len(rows) > 10 else "")
        super().__init__(f"{what} cannot be used: {shown}.")
        self.rows = tuple(rows)


@dataclass(frozen=True, slots=True)
class Code:
    """One coder's frames of one paragraph, and where both are from."""

    coder: str
    text: str
    source: str
    frames: Mapping[str, Stance]
    article_id: str | None = None
    paragraph: int | None = None
    note: str = ""
    selection: str = "chosen"
    inclusion_probability: float | None = None
    codebook_version: int | None = None
    created_at: str | None = None

    @property
    def facts(self) -> dict[str, Any]:
        """What most formats carry along as metadata."""
        return {name: getattr(self, name) for name in FACTS}


FACTS = (
    "source",
    "article_id",
    "paragraph",
    "note",
    "selection",
    "inclusion_probability",
    "codebook_version",
    "created_at",
)


class RowError(Exception):
    """What is wrong with one row."""


@dataclass(slots=True)
class Rows:
    """Reads rows one by one and collects their faults."""

    what: str
    faults: list[str] = field(default_factory=list)

    def each(self, rows: Iterable[tuple[str, Any]], read: Callable[[Any], Iterable[Code]]) -> list[Code]:
        """The codes of all rows; raises `ExchangeError` naming the bad ones."""
        codes: list[Code] = []
        for where, row in rows:
            try:
                codes.extend(read(row))
            except RowError as fault:
                self.faults.append(f"{where}: {fault}")
        if self.faults:
            raise ExchangeError(self.what, self.faults)
        return codes


def decoded(data: bytes, what: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ExchangeError(what, ["it is not UTF-8 text"]) from None


def json_lines(data: bytes, what: str) -> Iterator[tuple[str, Any]]:
    """Number and object of each line; None for a line that is no JSON object."""
    for number, line in enumerate(decoded(data, what).splitlines(), 1):
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
        raise RowError(f"'{name}' must be a text that is not empty")
    return text


def require_frames(labels: Any, codebook: Codebook, stances: Mapping[str, Any] | None = None) -> dict[str, Stance]:
    """Frames by key or title, with their stances; `present` where none is given."""
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise RowError("the labels must be a list of texts")
    by_name = {name: frame.key for frame in codebook.frames for name in (frame.key, frame.title)}
    unknown = [label for label in labels if label not in by_name]
    if unknown:
        raise RowError(f"the codebook has no frame '{unknown[0]}'")
    return {by_name[label]: require_stance((stances or {}).get(by_name[label], "present")) for label in labels}


def require_stance(stance: Any) -> Stance:
    if stance not in STANCES:
        raise RowError(f"'{stance}' is not a stance; use one of {', '.join(STANCES)}")
    found: Stance = stance
    return found


def facts_of(row: Mapping[str, Any], default_source: str) -> dict[str, Any]:
    """The metadata of a row, checked; missing ones take their defaults."""
    facts: dict[str, Any] = {"source": row.get("source") or default_source}
    for name, kinds in (
        ("source", str), ("article_id", str), ("note", str), ("selection", str), ("created_at", str),
        ("paragraph", int), ("codebook_version", int), ("inclusion_probability", (int, float)),
    ):  # fmt: skip
        value = row.get(name)
        if value in (None, ""):
            continue
        if not isinstance(value, kinds) or isinstance(value, bool):
            raise RowError(f"'{name}' has the wrong type")
        facts[name] = value
    if facts.get("selection", "chosen") not in ("random", "uncertain", "chosen"):
        raise RowError("'selection' must be random, uncertain or chosen")
    if not 0 < facts.get("inclusion_probability", 1) <= 1:
        raise RowError("'inclusion_probability' must lie above 0 and up to 1")
    return facts


def by_unit(codes: Sequence[Code]) -> list[list[Code]]:
    """Codes of the same paragraph together, in order of appearance."""
    units: dict[tuple[str | None, int | None, str, str], list[Code]] = {}
    for code in codes:
        units.setdefault((code.article_id, code.paragraph, code.source, code.text), []).append(code)
    return list(units.values())
