"""The format of a corpus: JSON Lines of paragraphs with all their annotations, as training and validation read it.

The annotation by `adjudicator` settles a paragraph. `write` puts the last adjudication there, and all of them, with
their coders, into `adjudications`.
"""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

from labels.annotations import ADJUDICATOR, Annotation, CodedParagraph, corpus_row, row_fault
from labels.codebook import Codebook
from labels.exchange.annotation import OF_PARAGRAPH, ExchangedAnnotation, by_paragraph
from labels.exchange.frame_labels import FrameLabels, RowError
from labels.exchange.options import ReadingOptions
from labels.exchange.parsing import checked_metadata, json_rows, read_annotations, write_lines
from labels.exchange.reading import Reading

_FILE = "The corpus"
_ADJUDICATIONS = "adjudications"


def write(annotations: Sequence[ExchangedAnnotation], _codebook: Codebook) -> bytes:
    """Writes a line per paragraph; a text outside any article becomes the first paragraph of a new article."""
    return write_lines(map(_row, by_paragraph(annotations)))


def _row(group: Sequence[ExchangedAnnotation]) -> dict[str, Any]:
    """Returns the row of a paragraph, with the metadata of each annotation added to it."""
    first = group[0]
    by_coders = [exchanged for exchanged in group if exchanged.role == "coder"]
    adjudications = [exchanged for exchanged in group if exchanged.role == "adjudicator"]
    annotations = [Annotation(exchanged.coder, exchanged.frames) for exchanged in by_coders]
    settled = [Annotation(ADJUDICATOR, exchanged.frames) for exchanged in adjudications[-1:]]
    # A paragraph of a former version has a negative number, and is in no article as it is now.
    article, index = first.article_id, first.paragraph or 0
    if article is None or index < 0:
        article, index = _new_article_id(first), 0
    paragraph = CodedParagraph(article, index, first.source, first.text, (*annotations, *settled))
    row = corpus_row(paragraph)
    row["annotations"] = [_entry(exchanged) for exchanged in by_coders] + row["annotations"][len(by_coders) :]
    if adjudications:
        row[_ADJUDICATIONS] = [_entry(exchanged) for exchanged in adjudications]
    return row


def _entry(exchanged: ExchangedAnnotation) -> dict[str, Any]:
    metadata = {name: value for name, value in exchanged.metadata.items() if name not in OF_PARAGRAPH and value}
    entry = {"coder": exchanged.coder, "frames": dict(exchanged.frames), **metadata}
    if exchanged.article_id is None:
        return {**entry, "article_id": None}
    former = (exchanged.paragraph or 0) < 0
    return {**entry, "article_id": exchanged.article_id, "paragraph": exchanged.paragraph} if former else entry


def _new_article_id(annotation: ExchangedAnnotation) -> str:
    return "text-" + hashlib.sha256(f"{annotation.source}\n{annotation.text}".encode()).hexdigest()[:24]


def read(data: bytes, codebook: Codebook, options: ReadingOptions) -> Reading:
    """Reads the rows that training reads, by the same rules, and the metadata that `write` adds to annotations."""
    return read_annotations(
        _FILE, json_rows(data, _FILE), lambda row: _annotations(row, codebook), FrameLabels(codebook, options)
    )


def _annotations(row: Any, codebook: Codebook) -> Iterator[ExchangedAnnotation]:
    fault = row_fault(row, codebook)
    if fault is not None:
        raise RowError(fault)
    adjudications = row.get(_ADJUDICATIONS)
    entries = row["annotations"]
    if adjudications is not None:
        fault = row_fault({**row, "annotations": adjudications}, codebook)
        if fault is not None:
            raise RowError(f"'{_ADJUDICATIONS}': {fault}")
        entries = [entry for entry in entries if entry["coder"] != ADJUDICATOR] + adjudications
    for entry in entries:
        metadata = {"article_id": row["article"], "paragraph": row["index"], **entry}
        if metadata["article_id"] is None:
            metadata["paragraph"] = None
        if entry["coder"] == ADJUDICATOR:
            metadata.setdefault("role", "adjudicator")
        yield ExchangedAnnotation(
            coder=entry["coder"],
            text=row["text"],
            frames={codebook.current_keys[frame]: stance for frame, stance in entry["frames"].items()},
            **checked_metadata(metadata, row["source"]),
        )
