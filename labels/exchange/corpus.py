"""The format of a corpus: JSON Lines of paragraphs with all their annotations, as training and validation read it."""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

from labels.annotations import Annotation, CodedParagraph, corpus_row, row_fault
from labels.codebook import Codebook
from labels.exchange.annotation import ExchangedAnnotation, by_paragraph
from labels.exchange.parsing import RowError, checked_metadata, json_lines, read_rows, write_lines

_FILE = "The corpus"
# Metadata that a corpus has in the row of the paragraph and not in each of its annotations.
_OF_THE_ROW = ("source", "article_id", "paragraph")


def write(annotations: Sequence[ExchangedAnnotation], _codebook: Codebook) -> bytes:
    """Writes a line per paragraph; a text outside any article becomes the first paragraph of a new article."""
    return write_lines(map(_row, by_paragraph(annotations)))


def _row(group: Sequence[ExchangedAnnotation]) -> dict[str, Any]:
    """Returns the row of a paragraph, with the metadata of each annotation added to it."""
    first = group[0]
    annotations = tuple(Annotation(exchanged.coder, exchanged.frames) for exchanged in group)
    article = first.article_id or _new_article_id(first)
    row = corpus_row(CodedParagraph(article, first.paragraph or 0, first.source, first.text, annotations))
    for annotation, exchanged in zip(row["annotations"], group, strict=True):
        metadata = exchanged.metadata.items()
        annotation |= {name: value for name, value in metadata if name not in _OF_THE_ROW and value}
        if exchanged.article_id is None:
            annotation["article_id"] = None
    return row


def _new_article_id(annotation: ExchangedAnnotation) -> str:
    return "text-" + hashlib.sha256(f"{annotation.source}\n{annotation.text}".encode()).hexdigest()[:24]


def read(data: bytes, codebook: Codebook) -> list[ExchangedAnnotation]:
    """Reads the rows that training reads, by the same rules, and the metadata that `write` adds to annotations."""

    def annotations(row: Any) -> Iterator[ExchangedAnnotation]:
        fault = row_fault(row, codebook)
        if fault is not None:
            raise RowError(fault)
        for annotation in row["annotations"]:
            metadata = {"article_id": row["article"], "paragraph": row["index"], **annotation}
            if metadata["article_id"] is None:
                metadata["paragraph"] = None
            yield ExchangedAnnotation(
                coder=annotation["coder"],
                text=row["text"],
                frames=annotation["frames"],
                **checked_metadata(metadata, row["source"]),
            )

    return read_rows(_FILE, json_lines(data, _FILE), annotations)
