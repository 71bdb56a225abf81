"""Annotations in the file formats of other tools: a module per format, each with `write` and `read`.

A file is read completely or rejected completely, with every bad row named. What holds no answer of a coder is set
aside and named; it never becomes an annotation.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from labels.codebook import Codebook
from labels.errors import ExchangeError, FileError
from labels.exchange import (
    argilla,
    corpus,
    csv_long,
    csv_wide,
    doccano,
    label_studio,
    potato,
    prodigy,
    refi_qda,
)
from labels.exchange.annotation import UNKNOWN_CODER, ExchangedAnnotation, coded_thing
from labels.exchange.options import COMMON, DEFAULTS, ReadingOptions, spelled
from labels.exchange.parsing import encoding_notes, in_utf_8
from labels.exchange.reading import Reading, numbered_coders, with_coders, without_repeats
from labels.files.extraction_process import EXTRACTION, Patience

__all__ = [
    "FORMATS",
    "UNKNOWN_CODER",
    "ExchangeError",
    "ExchangeFormat",
    "ExchangedAnnotation",
    "FormatName",
    "Reading",
    "ReadingOptions",
    "read_apart",
    "require_format",
]

FormatName = Literal[
    "label-studio", "doccano", "prodigy", "argilla", "potato", "csv-long", "csv-wide", "refi-qda", "corpus"
]


@dataclass(frozen=True, slots=True)
class ExchangeFormat:
    """A file format: the functions that write and read it, its suffix and media type, and the options that it knows."""

    write: Callable[[Sequence[ExchangedAnnotation], Codebook], bytes]
    reader: Callable[[bytes, Codebook, ReadingOptions], Reading]
    suffix: str
    media_type: str
    options: frozenset[str] = frozenset()

    def read(self, data: bytes, codebook: Codebook, options: ReadingOptions = DEFAULTS) -> Reading:
        """Reads a file; of a coder's annotations of the same paragraph, the last counts.

        Raises `ExchangeError` with every bad row, or for an option that the format does not know.
        """
        unknown = [name for name in options.chosen() if name not in self.options]
        if unknown:
            raise ExchangeError("The option", [f"{spelled(name)} has no meaning for this format" for name in unknown])
        data = in_utf_8(data, options.encoding)
        reading = self.reader(data, codebook, options)
        named = with_coders(reading.annotations, options)
        counted, repeated = without_repeats((coded_thing(annotation), annotation) for annotation in named)
        return replace(
            reading,
            annotations=[annotation for _, annotation in counted],
            set_aside=[*reading.set_aside, *repeated],
            notes=[*encoding_notes(data), *reading.notes, *numbered_coders(named, options)],
        )


_JSON, _LINES, _CSV = "application/json", "application/x-ndjson", "text/csv"
_CODERS = frozenset({"coders", "coder", "encoding"})
_FIELDS = COMMON | {"text_field", "coder_field"}

FORMATS: dict[FormatName, ExchangeFormat] = {
    "label-studio": ExchangeFormat(label_studio.write, label_studio.read, ".json", _JSON, _FIELDS | {"question"}),
    "doccano": ExchangeFormat(doccano.write, doccano.read, ".jsonl", _LINES, _FIELDS | {"question"}),
    "prodigy": ExchangeFormat(prodigy.write, prodigy.read, ".jsonl", _LINES, _FIELDS),
    "argilla": ExchangeFormat(argilla.write, argilla.read, ".jsonl", _LINES, COMMON | {"text_field", "question"}),
    "potato": ExchangeFormat(potato.write, potato.read, ".zip", "application/zip", _FIELDS | {"question", "items"}),
    "csv-long": ExchangeFormat(csv_long.write, csv_long.read, ".csv", _CSV, _FIELDS | {"question", "delimiter"}),
    "csv-wide": ExchangeFormat(csv_wide.write, csv_wide.read, ".csv", _CSV, _FIELDS - {"ignored"} | {"delimiter"}),
    "refi-qda": ExchangeFormat(
        refi_qda.write, refi_qda.read, ".qdpx", "application/zip", COMMON - {"encoding"} | {"unit"}
    ),
    "corpus": ExchangeFormat(corpus.write, corpus.read, ".jsonl", _LINES, _CODERS),
}


# What reading a file may take: enough for any file that a tool writes, by its size.
_SECONDS, _SECONDS_PER_MIB = 30, 30
_MEMORY, _MEMORY_PER_BYTE = 1536 * 2**20, 40


def read_apart(name: str, data: bytes, codebook: Codebook, options: ReadingOptions = DEFAULTS) -> Reading:
    """Like `ExchangeFormat.read`, in a process of its own that has an end: a small file can be made to take all memory.

    Raises `ExchangeError`, also for a file that takes longer or more than its size explains.
    """
    patience = Patience(_SECONDS + _SECONDS_PER_MIB * len(data) // 2**20, _MEMORY + _MEMORY_PER_BYTE * len(data))
    try:
        reading = EXTRACTION.run_within(patience, _read_or_fault, name, data, codebook, options)
    except FileError as error:
        raise ExchangeError("The file", [str(error).rstrip(".")]) from None
    if isinstance(reading, ExchangeError):
        raise reading
    return reading


def _read_or_fault(name: str, data: bytes, codebook: Codebook, options: ReadingOptions) -> Reading | ExchangeError:
    """Returns the error, whose rows a caller in another process would not see otherwise."""
    try:
        return require_format(name).read(data, codebook, options)
    except ExchangeError as error:
        return error


def require_format(name: str) -> ExchangeFormat:
    """Returns the format with this name; raises `ExchangeError`, with the names that exist, for any other."""
    for format_name, exchange_format in FORMATS.items():
        if format_name == name:
            return exchange_format
    raise ExchangeError("The format", [f"'{name}' is not known; the formats are {', '.join(FORMATS)}"])
