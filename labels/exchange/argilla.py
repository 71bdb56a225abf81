"""Argilla: rows of the Hugging Face export (flat columns of responses, users and statuses), and `to_json`, `to_list`.

A response that was submitted is an answer, even an empty one; drafts and discarded responses are none.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from labels.annotations import Stance
from labels.codebook import Codebook
from labels.exchange.annotation import OF_ANNOTATION, UNKNOWN_CODER, ExchangedAnnotation, by_paragraph
from labels.exchange.frame_labels import FrameLabels, NotCodedError, RowError, chosen_question, name_of
from labels.exchange.options import ReadingOptions
from labels.exchange.parsing import (
    checked_metadata,
    json_rows,
    read_annotations,
    require_list,
    require_object,
    require_text,
    write_lines,
)
from labels.exchange.reading import Reading

_FILE = "The Argilla file"
_FRAMES = "frames"
_RESPONSES = ".responses"
# Fields that each annotation of a paragraph has.
_OWN = ("stances", *OF_ANNOTATION)
_NO_STATUS = (
    "The export does not say which responses were submitted, so drafts and discarded responses count too; "
    "export with to_list(flatten=True) to leave them out."
)


@dataclass(frozen=True, slots=True)
class _Response:
    """A coder's answer to a question; the status is empty where the export has none, the metadata are our own."""

    value: Any
    user: str
    status: str
    own: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Record:
    """A row of the file: its fields, its metadata, and the responses to each question."""

    fields: Mapping[str, Any]
    metadata: Mapping[str, Any]
    responses: Mapping[str, Sequence[_Response]]


def write(annotations: Sequence[ExchangedAnnotation], _codebook: Codebook) -> bytes:
    """Writes a row per paragraph, with an entry per coder in each column of responses."""
    return write_lines(
        {
            "text": group[0].text,
            f"{_FRAMES}{_RESPONSES}": [list(annotation.frames) for annotation in group],
            f"{_FRAMES}{_RESPONSES}.users": [annotation.coder for annotation in group],
            f"{_FRAMES}{_RESPONSES}.status": ["submitted"] * len(group),
            "metadata": group[0].of_paragraph,
            **{
                f"{name}{_RESPONSES}": [{"stances": dict(a.frames), **a.metadata}[name] for a in group] for name in _OWN
            },
        }
        for group in by_paragraph(annotations)
    )


def read(data: bytes, codebook: Codebook, options: ReadingOptions) -> Reading:
    """Reads the responses to the question about frames; a record without a response is set aside."""
    labels = FrameLabels(codebook, options)
    records = [(where, _record(row)) for where, row in json_rows(data, _FILE)]
    question = chosen_question(_questions(records), _FRAMES, labels, options, _FILE)
    answers = list(_answers(records, question))
    reading = read_annotations(_FILE, answers, lambda it: _annotation(it[0], it[1], labels, options), labels)
    has_status = all(response is None or response.status for _, (_, response) in answers)
    return reading if has_status else replace(reading, notes=(_NO_STATUS,))


def _record(row: Any) -> _Record | RowError:
    """Returns a row in the same form, whether its export is nested or flat, or what is wrong with it."""
    try:
        row = require_object(row)
        nested = row.get("responses")
        if isinstance(nested, dict) and isinstance(row.get("fields"), dict):
            metadata = row["metadata"] if isinstance(row.get("metadata"), dict) else {}
            responses = {name: list(map(_nested, require_list(nested, name))) for name in nested}
            return _Record(row["fields"], metadata, responses)
        names = [name.removesuffix(_RESPONSES) for name in row if name.endswith(_RESPONSES)]
        metadata = row["metadata"] if isinstance(row.get("metadata"), dict) else row
        return _Record(row, metadata, {name: _flat(row, name) for name in names if name not in _OWN})
    except RowError as fault:
        return fault


def _nested(response: Any) -> _Response:
    response = require_object(response)
    status = response.get("status") or ""
    return _Response(response.get("value"), name_of(response.get("user_id") or ""), str(status), {})


def _flat(row: Mapping[str, Any], question: str) -> list[_Response]:
    values = _column(row, f"{question}{_RESPONSES}", None)
    users = _column(row, f"{question}{_RESPONSES}.users", len(values))
    statuses = _column(row, f"{question}{_RESPONSES}.status", len(values))
    own = {name: _column(row, f"{name}{_RESPONSES}", len(values)) for name in _OWN} if question == _FRAMES else {}
    return [
        _Response(value, name_of(users[number] or ""), statuses[number] or "", {n: c[number] for n, c in own.items()})
        for number, value in enumerate(values)
    ]


def _column(row: Mapping[str, Any], name: str, length: int | None) -> list[Any]:
    """Returns the values of a column, which is empty for a record without a response."""
    values = row.get(name)
    if values is None:
        return [None] * (length or 0)
    if not isinstance(values, list) or (length is not None and len(values) != length):
        raise RowError(f"'{name}' must be a list with an entry per response")
    return values


def _questions(records: Sequence[tuple[str, _Record | RowError]]) -> dict[str, set[str]]:
    """The labels in the responses to each question."""
    questions: dict[str, set[str]] = {}
    for _, record in records:
        for name, responses in record.responses.items() if isinstance(record, _Record) else ():
            answers = [response.value for response in responses]
            labels = [label for value in answers for label in (value if isinstance(value, list) else [value])]
            questions.setdefault(name, set()).update(label for label in labels if isinstance(label, str))
    return questions


def _answers(
    records: Sequence[tuple[str, _Record | RowError]], question: str | None
) -> Iterator[tuple[str, tuple[_Record | RowError, _Response | None]]]:
    """Yields every response to the question; None for a record without a response."""
    for where, record in records:
        responses = record.responses.get(question or "", ()) if isinstance(record, _Record) else ()
        for number, response in enumerate(responses, 1):
            yield (where if len(responses) == 1 else f"{where}, response {number}"), (record, response)
        if not responses:
            yield where, (record, None)


def _annotation(
    record: _Record | RowError, response: _Response | None, labels: FrameLabels, options: ReadingOptions
) -> Iterator[ExchangedAnnotation]:
    if isinstance(record, RowError):
        raise record
    text = require_text(record.fields, options)
    if response is None:
        raise NotCodedError("the record has no response")
    if response.status not in ("", "submitted"):
        raise NotCodedError(f"the response has the status {response.status}")
    metadata = dict(response.own)
    stances = metadata.pop("stances", None)
    yield ExchangedAnnotation(
        coder=response.user or UNKNOWN_CODER,
        text=text,
        frames=_frames(response.value, stances if isinstance(stances, dict) else {}, labels),
        **checked_metadata({**record.metadata, **metadata}, "argilla"),
    )


def _frames(value: Any, stances: Mapping[str, Any], labels: FrameLabels) -> Mapping[str, Stance]:
    if value is None:
        return labels.empty("the response has no value")
    if isinstance(value, list) and any(isinstance(label, dict) for label in value):
        raise NotCodedError("the response is about words or ranks, not labels of the text")
    return labels.frames([value] if isinstance(value, str) else value, stances)
