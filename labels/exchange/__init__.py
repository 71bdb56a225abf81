"""Codes in the files of other tools: one module a format, each with `write` and `read`.

A file is read whole or refused whole, with every bad row named.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from labels.codebook import Codebook
from labels.exchange import argilla, corpus, csv_long, csv_wide, doccano, label_studio, prodigy, refi_qda
from labels.exchange.code import Code, ExchangeError

__all__ = ["FORMATS", "Code", "ExchangeError", "Format", "require_format"]


@dataclass(frozen=True, slots=True)
class Format:
    """A file format: how it is written and read, and what a file of it is called."""

    write: Callable[[Sequence[Code], Codebook], bytes]
    read: Callable[[bytes, Codebook], list[Code]]
    suffix: str
    media_type: str


FORMATS: dict[str, Format] = {
    "label-studio": Format(label_studio.write, label_studio.read, ".json", "application/json"),
    "doccano": Format(doccano.write, doccano.read, ".jsonl", "application/x-ndjson"),
    "prodigy": Format(prodigy.write, prodigy.read, ".jsonl", "application/x-ndjson"),
    "argilla": Format(argilla.write, argilla.read, ".jsonl", "application/x-ndjson"),
    "csv-long": Format(csv_long.write, csv_long.read, ".csv", "text/csv"),
    "csv-wide": Format(csv_wide.write, csv_wide.read, ".csv", "text/csv"),
    "refi-qda": Format(refi_qda.write, refi_qda.read, ".qdpx", "application/zip"),
    "corpus": Format(corpus.write, corpus.read, ".jsonl", "application/x-ndjson"),
}


def require_format(name: str) -> Format:
    """The format of that name; raises `ExchangeError` naming those that exist."""
    if name not in FORMATS:
        raise ExchangeError("The format", [f"'{name}' is not known; use one of {', '.join(FORMATS)}"])
    return FORMATS[name]
