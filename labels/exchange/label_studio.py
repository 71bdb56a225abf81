"""Label Studio: JSON of tasks with annotations, each with `choices` for frames and for stances, and a note.

An answered question has a result; a question that the coder left open has none, so such an annotation is set aside.
`label_studio_rows.py` reads the exports JSON-MIN and CSV.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from labels.annotations import UNSPECIFIED, Stance
from labels.codebook import Codebook
from labels.errors import ExchangeError
from labels.exchange import label_studio_rows, strict_json
from labels.exchange.annotation import UNKNOWN_CODER, ExchangedAnnotation, by_paragraph
from labels.exchange.frame_labels import FrameLabels, NotCodedError, RowError, chosen_question, name_of
from labels.exchange.label_studio_rows import FILE, FRAMES, STANCE
from labels.exchange.options import ReadingOptions
from labels.exchange.parsing import (
    checked_metadata,
    decode,
    read_annotations,
    require_coder,
    require_list,
    require_object,
    require_text,
)
from labels.exchange.reading import Reading

_NOTE, _TEXT = "note", "text"
# Metadata that each annotation of a paragraph has.
_OWN = ("selection", "inclusion_probability", "codebook_version", "role", "covered", "unsure")


@dataclass(frozen=True, slots=True)
class _Coding:
    """An annotation of a task; None for a task without annotations."""

    task: Mapping[str, Any]
    annotation: Any


def write(annotations: Sequence[ExchangedAnnotation], _codebook: Codebook) -> bytes:
    """Writes a task per paragraph, with an annotation per coder; an adjudication is a ground truth."""
    numbers = count(1)
    tasks = [
        {
            "id": number,
            "data": {"text": group[0].text, **group[0].of_paragraph},
            "annotations": [_to_result(a, next(numbers)) for a in group],
            "predictions": [],
        }
        for number, group in enumerate(by_paragraph(annotations), 1)
    ]
    return json.dumps(tasks, ensure_ascii=False, indent=1).encode()


def _to_result(exchanged: ExchangedAnnotation, identifier: int) -> dict[str, Any]:
    result = [_choices(FRAMES, list(exchanged.frames))]
    result += [
        _choices(STANCE + frame, [stance]) for frame, stance in exchanged.frames.items() if stance != UNSPECIFIED
    ]
    if exchanged.note:
        result.append({"from_name": _NOTE, "to_name": _TEXT, "type": "textarea", "value": {"text": [exchanged.note]}})
    return {
        "id": identifier,
        "completed_by": {"email": exchanged.coder},
        "was_cancelled": False,
        "ground_truth": exchanged.role == "adjudicator",
        # Label Studio's converter sorts by the time, and stops at null.
        **({"created_at": exchanged.created_at} if exchanged.created_at else {}),
        "meta": {name: exchanged.metadata[name] for name in _OWN},
        "result": result,
    }


def _choices(name: str, chosen: list[str]) -> dict[str, Any]:
    return {"from_name": name, "to_name": _TEXT, "type": "choices", "value": {"choices": chosen}}


def read(data: bytes, codebook: Codebook, options: ReadingOptions) -> Reading:
    """Reads the exports JSON, JSON-MIN and CSV; ignores cancelled annotations and predictions."""
    labels = FrameLabels(codebook, options)
    text = decode(data, FILE).lstrip()
    if not text.startswith(("[", "{")):
        return label_studio_rows.read(label_studio_rows.of_table(data, options), labels, options)
    if not text.startswith("["):
        raise ExchangeError(FILE, ["it is not a list of tasks"])
    tasks = strict_json.list_of(text, FILE)
    if label_studio_rows.are_rows(tasks):
        rows = ((f"row {number}", row) for number, row in enumerate(tasks, 1))
        return label_studio_rows.read(list(rows), labels, options)
    question = chosen_question(_questions(tasks), FRAMES, labels, options, FILE)
    return read_annotations(
        FILE, _codings(tasks), lambda coding: _annotation(coding, question, labels, options), labels
    )


def _codings(tasks: Sequence[Any]) -> Iterator[tuple[str, _Coding | None]]:
    """Yields every annotation of every task; None for a task that is not an object."""
    for number, task in enumerate(tasks, 1):
        where = f"task {number}"
        if not isinstance(task, dict):
            yield where, None
            continue
        name = "annotations" if "annotations" in task else "completions"
        annotations = task.get(name) or [None]
        if not isinstance(annotations, list):
            yield where, _Coding(task, annotations)
            continue
        for position, annotation in enumerate(annotations, 1):
            place = where if len(annotations) == 1 else f"{where}, annotation {position}"
            yield place, _Coding(task, annotation)


def _questions(tasks: Sequence[Any]) -> dict[str, set[str]]:
    """The labels of each question with choices, without those about stances."""
    questions: dict[str, set[str]] = {}
    for _, coding in _codings(tasks):
        if coding is not None and isinstance(coding.annotation, dict) and not _is_cancelled(coding.annotation):
            result = coding.annotation.get("result")
            for part in result if isinstance(result, list) else ():
                name, choices = _choices_of(part)
                if choices is not None and not name.startswith(STANCE):
                    questions.setdefault(name, set()).update(map(str, choices))
    return questions


def _choices_of(part: Any) -> tuple[str, list[Any] | None]:
    """The name of a part of a result, and its choices if it has any."""
    if not isinstance(part, dict) or not isinstance(part.get("value"), dict) or part.get("type") != "choices":
        return "", None
    choices = part["value"].get("choices")
    return str(part.get("from_name", "")), choices if isinstance(choices, list) else None


def _is_cancelled(annotation: Mapping[str, Any]) -> bool:
    return bool(annotation.get("was_cancelled") or annotation.get("skipped"))


def _annotation(
    coding: _Coding | None, question: str | None, labels: FrameLabels, options: ReadingOptions
) -> Iterator[ExchangedAnnotation]:
    task = require_object(coding.task if coding else None)
    content = require_object(task.get("data"))
    text = require_text(content, options)
    if coding is None or coding.annotation is None:
        raise NotCodedError("the task has no annotation")
    annotation = require_object(coding.annotation)
    if _is_cancelled(annotation):
        raise NotCodedError("the annotation was cancelled")
    own = annotation["meta"] if isinstance(annotation.get("meta"), dict) else {}
    result = list(map(require_object, require_list(annotation, "result")))
    metadata = {**content, **own, "note": _note(result), "created_at": annotation.get("created_at")}
    yield ExchangedAnnotation(
        **checked_metadata(metadata, "label studio"),
        coder=_coder(annotation, content, options),
        text=text,
        frames=_frames(result, question, labels),
    )


def _frames(result: Sequence[Mapping[str, Any]], question: str | None, labels: FrameLabels) -> Mapping[str, Stance]:
    """The answer to the question about frames; `NotCodedError` where there is none."""
    answers = [part for part in result if part.get("from_name") == question and part.get("type") == "choices"]
    if answers:
        chosen = [choice for part in answers for choice in _required_choices(part)]
        return labels.frames(chosen, _stances(result, labels))
    others = dict.fromkeys(f"'{part.get('from_name')}' of the type {part.get('type')}" for part in result)
    if question is None and others:
        raise NotCodedError(f"it has no choices, only {', '.join(others)}")
    if any(part.get("from_name") == question for part in result):
        raise NotCodedError(f"the answer to '{question}' is not of the type choices")
    return labels.empty(f"the question '{question or FRAMES}' was left open")


def _stances(result: Sequence[Mapping[str, Any]], labels: FrameLabels) -> dict[str, Any]:
    """The stance of each frame, from the questions `stance_…`."""
    stances: dict[str, Any] = {}
    for part in result:
        name, choices = _choices_of(part)
        frame = labels.frame(name.removeprefix(STANCE))
        if name.startswith(STANCE) and choices and frame is not None:
            stances[frame] = choices[0]
    return stances


def _required_choices(part: Mapping[str, Any]) -> list[Any]:
    choices = require_object(part.get("value")).get("choices")
    if not isinstance(choices, list):
        raise RowError("'choices' must be a list")
    return choices


def _note(result: Sequence[Mapping[str, Any]]) -> str:
    notes: list[str] = []
    for part in result:
        if part.get("type") == "textarea":
            text = require_object(part.get("value")).get("text")
            for line in text if isinstance(text, list) else [text]:
                if not isinstance(line, str):
                    raise RowError("the answer of a text area must be a string")
                notes.append(line)
    return "\n".join(notes)


def _coder(annotation: Mapping[str, Any], content: Mapping[str, Any], options: ReadingOptions) -> str:
    if options.coder_field:
        return require_coder({**content, **annotation}, options, ())
    completed_by = annotation.get("completed_by")
    if isinstance(completed_by, dict):
        completed_by = completed_by.get("email") or completed_by.get("username") or completed_by.get("id")
    return name_of(completed_by) if isinstance(completed_by, str | int | float) else UNKNOWN_CODER
