"""What the caller says about a file of annotations: its fields, its labels and its coders."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Literal

from labels.errors import ExchangeError

Unit = Literal["paragraph", "selection"]

# What a label stands for that says in so many words that no frame is present.
NO_FRAME = "none"


@dataclass(frozen=True, slots=True)
class ReadingOptions:
    """How to read a file; an option that its format does not know is refused, never ignored.

    `frames` gives the frame of a label, or `none`; `coders` the name of a coder in the file. `coder` has made the
    annotations for which the file names nobody. With `empty_means_none`, an empty answer, an empty cell and a question
    that was not put say that no frame is present. `items` is a second file, with the texts, which some tools need.
    `encoding` and `delimiter` are what the file is written in, where it is not to be found out.
    """

    text_field: str | None = None
    question: str | None = None
    coder_field: str | None = None
    frames: Mapping[str, str] = field(default_factory=dict)
    ignored: frozenset[str] = frozenset()
    coders: Mapping[str, str] = field(default_factory=dict)
    coder: str | None = None
    empty_means_none: bool = False
    unit: Unit = "paragraph"
    items: bytes | None = None
    encoding: str | None = None
    delimiter: str | None = None

    def chosen(self) -> list[str]:
        """The names of the options that differ from their defaults."""
        return [option.name for option in fields(self) if getattr(self, option.name) != getattr(DEFAULTS, option.name)]


DEFAULTS = ReadingOptions()

# How an option is written on the command line and, with `=`, in the query of the API.
SPELLING = {
    "text_field": "text-field",
    "question": "question",
    "coder_field": "coder-field",
    "frames": "map",
    "ignored": "ignore",
    "coders": "coder-map",
    "coder": "coder",
    "empty_means_none": "empty-means-none",
    "unit": "unit",
    "items": "items",
    "encoding": "encoding",
    "delimiter": "delimiter",
}
# What every format knows.
COMMON = frozenset({"frames", "ignored", "coders", "coder", "empty_means_none", "encoding"})


def spelled(option: str, value: str = "") -> str:
    """An option as a message names it, for the command line and for the API."""
    name = SPELLING[option]
    given = f" '{value}'" if value else ""
    return f"--{name}{given} ({name.replace('-', '_')}= in the API)"


def label_map(entries: Sequence[str]) -> dict[str, str]:
    """Reads `LABEL=frame`; the last `=` counts, as a label may contain another."""
    return dict(_split(entry, "frames", last=True) for entry in entries)


def coder_map(entries: Sequence[str]) -> dict[str, str]:
    """Reads `ID=name` of coders."""
    return dict(_split(entry, "coders", last=False) for entry in entries)


def _split(entry: str, option: str, *, last: bool) -> tuple[str, str]:
    before, _, after = entry.rpartition("=") if last else entry.partition("=")
    if not before.strip() or not after.strip():
        raise ExchangeError("The option", [f"{spelled(option)} must be written as A=B, and not as '{entry}'"])
    return before.strip(), after.strip()
