"""The form of a corpus: JSON Lines of paragraphs with every coder's code, as training and validation read them."""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

from labels.annotations import Annotation, CodedParagraph, corpus_row, row_fault
from labels.codebook import Codebook
from labels.exchange.code import Code, RowError, Rows, by_unit, facts_of, json_lines, write_lines

_OF_THE_ROW = ("source", "article_id", "paragraph")


def write(codes: Sequence[Code], _codebook: Codebook) -> bytes:
    """One line a paragraph; a text that is of no article is the first paragraph of one of its own."""
    return write_lines(map(_row, by_unit(codes)))


def _row(unit: Sequence[Code]) -> dict[str, Any]:
    first = unit[0]
    annotations = tuple(Annotation(code.coder, code.frames) for code in unit)
    article = first.article_id or _article_of(first)
    row = corpus_row(CodedParagraph(article, first.paragraph or 0, first.source, first.text, annotations))
    for annotation, code in zip(row["annotations"], unit, strict=True):
        annotation |= {name: fact for name, fact in code.facts.items() if name not in _OF_THE_ROW and fact}
        if code.article_id is None:
            annotation["article_id"] = None
    return row


def _article_of(code: Code) -> str:
    return "text-" + hashlib.sha256(f"{code.source}\n{code.text}".encode()).hexdigest()[:24]


def read(data: bytes, codebook: Codebook) -> list[Code]:
    """Reads what training reads, each row by the same rules; what `write` adds to an annotation is read back."""

    def codes(row: Any) -> Iterator[Code]:
        fault = row_fault(row, codebook)
        if fault is not None:
            raise RowError(fault)
        for annotation in row["annotations"]:
            facts = {"article_id": row["article"], "paragraph": row["index"], **annotation}
            if facts["article_id"] is None:
                facts["paragraph"] = None
            yield Code(annotation["coder"], row["text"], frames=annotation["frames"], **facts_of(facts, row["source"]))

    return Rows("The corpus").each(json_lines(data, "The corpus"), codes)
