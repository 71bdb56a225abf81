"""Label Studio's exports JSON-MIN and CSV: a row per annotation, with a field per question."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from labels.annotations import Stance
from labels.errors import FileError
from labels.exchange import strict_json
from labels.exchange.annotation import ExchangedAnnotation
from labels.exchange.cells import read_table, require_cells, with_numbers
from labels.exchange.frame_labels import FrameLabels, NotCodedError, RowError, chosen_question
from labels.exchange.options import ReadingOptions
from labels.exchange.parsing import (
    checked_metadata,
    read_annotations,
    require_coder,
    require_object,
    require_text,
)
from labels.exchange.reading import Reading

FILE = "The Label Studio file"
FRAMES, STANCE = "frames", "stance_"
_ANNOTATOR, _IDENTIFIER = "annotator", "annotation_id"


def are_rows(entries: Sequence[Any]) -> bool:
    """Whether the entries of a list are rows of JSON-MIN, and not tasks."""
    first = entries[0] if entries else None
    return isinstance(first, dict) and "data" not in first and (_ANNOTATOR in first or _IDENTIFIER in first)


def of_table(data: bytes, options: ReadingOptions) -> list[tuple[str, Any]]:
    """The rows of a CSV export, in which several choices of an answer are JSON in a cell."""
    rows = []
    for where, cells in read_table(data, FILE, (options.text_field or "text",)):
        row: Any = cells
        if isinstance(cells, dict):
            row = {name: _unpacked(cell) for name, cell in with_numbers(cells).items()}
        rows.append((where, row))
    return rows


def _unpacked(cell: Any) -> Any:
    if not isinstance(cell, str) or not cell.startswith('{"choices"'):
        return cell
    try:
        return strict_json.loads(cell)
    except FileError:
        return cell


def read(rows: Sequence[tuple[str, Any]], labels: FrameLabels, options: ReadingOptions) -> Reading:
    """Reads a row per annotation; a row without an answer is set aside."""
    questions = _questions([row for _, row in rows if isinstance(row, dict)], labels, options)
    question = chosen_question(questions, FRAMES, labels, options, FILE)

    def annotation(row: Any) -> Iterator[ExchangedAnnotation]:
        row = require_cells(row) if isinstance(row, str) else require_object(row)
        text = require_text(row, options)
        if row.get(_IDENTIFIER) in (None, "") and not row.get(_ANNOTATOR):
            raise NotCodedError("the task has no annotation")
        yield ExchangedAnnotation(
            coder=require_coder(row, options, (_ANNOTATOR,)),
            text=text,
            frames=_frames(row, question, labels),
            **checked_metadata(row, "label studio"),
        )

    return read_annotations(FILE, rows, annotation, labels)


def _questions(rows: Sequence[Mapping[str, Any]], labels: FrameLabels, options: ReadingOptions) -> dict[str, set[str]]:
    """The labels of each field that may be a question: it has choices, or it is text that is a label of a frame."""
    questions: dict[str, set[str]] = {}
    for row in rows:
        for name, value in row.items():
            answer = _answer(value)
            named = name in (FRAMES, options.question)
            if answer and not name.startswith(STANCE) and (named or isinstance(value, dict) or labels.knows(answer[0])):
                questions.setdefault(name, set()).update(map(str, answer))
    return questions


def _answer(value: Any) -> list[Any] | None:
    """The labels in a field; None if it holds something else."""
    if isinstance(value, dict):
        value = value.get("choices")
    if isinstance(value, str):
        value = [value] if value.strip() else []
    return value if isinstance(value, list) and all(isinstance(label, str) for label in value) else None


def _frames(row: Mapping[str, Any], question: str | None, labels: FrameLabels) -> Mapping[str, Stance]:
    value = row.get(question) if question else None
    if value in (None, ""):
        return labels.empty(f"the question '{question or FRAMES}' was left open")
    answer = _answer(value)
    if answer is None:
        raise NotCodedError(f"the answer to '{question}' is not of the type choices")
    frames = {frame: name for name in row if name.startswith(STANCE) and (frame := labels.frame(name[len(STANCE) :]))}
    stances = {frame: answers[0] for frame, name in frames.items() if (answers := _answer(row[name]))}
    if any(not isinstance(stance, str) for stance in stances.values()):
        raise RowError("a stance must be a string")
    return labels.frames(answer, stances)
