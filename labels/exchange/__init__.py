"""Annotations in the file formats of other tools: a module per format, each with `write` and `read`.

A file is read completely or rejected completely, with every bad row named.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from labels.codebook import Codebook
from labels.errors import ExchangeError
from labels.exchange import argilla, corpus, csv_long, csv_wide, doccano, label_studio, prodigy, refi_qda
from labels.exchange.annotation import UNKNOWN_CODER, ExchangedAnnotation

__all__ = [
    "FORMATS",
    "UNKNOWN_CODER",
    "ExchangeError",
    "ExchangeFormat",
    "ExchangedAnnotation",
    "FormatName",
    "require_format",
]

FormatName = Literal["label-studio", "doccano", "prodigy", "argilla", "csv-long", "csv-wide", "refi-qda", "corpus"]


@dataclass(frozen=True, slots=True)
class ExchangeFormat:
    """A file format: the functions that write and read it, and its file suffix and media type."""

    write: Callable[[Sequence[ExchangedAnnotation], Codebook], bytes]
    read: Callable[[bytes, Codebook], list[ExchangedAnnotation]]
    suffix: str
    media_type: str


FORMATS: dict[FormatName, ExchangeFormat] = {
    "label-studio": ExchangeFormat(label_studio.write, label_studio.read, ".json", "application/json"),
    "doccano": ExchangeFormat(doccano.write, doccano.read, ".jsonl", "application/x-ndjson"),
    "prodigy": ExchangeFormat(prodigy.write, prodigy.read, ".jsonl", "application/x-ndjson"),
    "argilla": ExchangeFormat(argilla.write, argilla.read, ".jsonl", "application/x-ndjson"),
    "csv-long": ExchangeFormat(csv_long.write, csv_long.read, ".csv", "text/csv"),
    "csv-wide": ExchangeFormat(csv_wide.write, csv_wide.read, ".csv", "text/csv"),
    "refi-qda": ExchangeFormat(refi_qda.write, refi_qda.read, ".qdpx", "application/zip"),
    "corpus": ExchangeFormat(corpus.write, corpus.read, ".jsonl", "application/x-ndjson"),
}


def require_format(name: str) -> ExchangeFormat:
    """Returns the format with this name; raises `ExchangeError`, with the names that exist, for any other."""
    for format_name, exchange_format in FORMATS.items():
        if format_name == name:
            return exchange_format
    raise ExchangeError("The format", [f"'{name}' is not known; the formats are {', '.join(FORMATS)}"])
