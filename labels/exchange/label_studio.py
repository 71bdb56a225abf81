"""Label Studio JSON: tasks with annotations, each with `choices` for frames and for stances, and a note."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from labels.annotations import UNSPECIFIED
from labels.codebook import Codebook
from labels.errors import ExchangeError
from labels.exchange.annotation import UNKNOWN_CODER, ExchangedAnnotation, by_paragraph
from labels.exchange.parsing import (
    RowError,
    checked_metadata,
    decode,
    read_rows,
    require_frames,
    require_object,
    require_text,
)

_FILE = "The Label Studio file"
_FRAMES, _STANCE, _NOTE, _TEXT = "frames", "stance_", "note", "text"
# Metadata that all annotations of a paragraph share, and metadata that each annotation has.
_SHARED = ("source", "article_id", "paragraph")
_OWN = ("selection", "inclusion_probability", "codebook_version")


def write(annotations: Sequence[ExchangedAnnotation], _codebook: Codebook) -> bytes:
    """Writes a task per paragraph, with an annotation per coder."""
    tasks = [
        {
            "id": number,
            "data": {"text": group[0].text, **{name: group[0].metadata[name] for name in _SHARED}},
            "annotations": [_to_result(a, f"{number}{position}") for position, a in enumerate(group)],
            "predictions": [],
        }
        for number, group in enumerate(by_paragraph(annotations), 1)
    ]
    return json.dumps(tasks, ensure_ascii=False, indent=1).encode()


def _to_result(exchanged: ExchangedAnnotation, identifier: str) -> dict[str, Any]:
    result = [_choices(_FRAMES, list(exchanged.frames))]
    result += [
        _choices(_STANCE + frame, [stance]) for frame, stance in exchanged.frames.items() if stance != UNSPECIFIED
    ]
    if exchanged.note:
        result.append({"from_name": _NOTE, "to_name": _TEXT, "type": "textarea", "value": {"text": [exchanged.note]}})
    return {
        "id": int(identifier),
        "completed_by": {"email": exchanged.coder},
        "was_cancelled": False,
        "ground_truth": False,
        "created_at": exchanged.created_at,
        "meta": {name: exchanged.metadata[name] for name in _OWN},
        "result": result,
    }


def _choices(name: str, chosen: list[str]) -> dict[str, Any]:
    return {"from_name": name, "to_name": _TEXT, "type": "choices", "value": {"choices": chosen}}


def read(data: bytes, codebook: Codebook) -> list[ExchangedAnnotation]:
    """Reads the JSON export; ignores cancelled annotations and predictions."""
    try:
        tasks = json.loads(decode(data, _FILE))
    except ValueError:
        raise ExchangeError(_FILE, ["it is not valid JSON"]) from None
    if not isinstance(tasks, list):
        raise ExchangeError(_FILE, ["it is not a list of tasks"])
    rows = ((f"task {number}", task) for number, task in enumerate(tasks, 1))
    return read_rows(_FILE, rows, lambda task: _annotations(require_object(task), codebook))


def _annotations(task: Mapping[str, Any], codebook: Codebook) -> Iterator[ExchangedAnnotation]:
    content = require_object(task.get("data"))
    text = require_text(content)
    annotations = task.get("annotations", [])
    if not isinstance(annotations, list):
        raise RowError("'annotations' must be a list")
    for annotation in map(require_object, annotations):
        if annotation.get("was_cancelled"):
            continue
        chosen, stances, note = _from_result(annotation)
        own = annotation["meta"] if isinstance(annotation.get("meta"), dict) else {}
        metadata = {**content, **own, "note": note, "created_at": annotation.get("created_at")}
        yield ExchangedAnnotation(
            **checked_metadata(metadata, "label studio"),
            coder=_coder(annotation.get("completed_by")),
            text=text,
            frames=require_frames(chosen, codebook, stances),
        )


def _from_result(annotation: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any], str]:
    """Returns the chosen frames, the stances by frame and the note of an annotation."""
    chosen: list[Any] = []
    stances: dict[str, Any] = {}
    note = ""
    for part in annotation.get("result") or []:
        value = require_object(require_object(part).get("value"))
        name = str(part.get("from_name", ""))
        if part.get("type") == "choices":
            choices = value.get("choices")
            if not isinstance(choices, list):
                raise RowError("'choices' must be a list")
            if name.startswith(_STANCE):
                stances[name.removeprefix(_STANCE)] = choices[0] if choices else UNSPECIFIED
            else:
                chosen += choices
        elif part.get("type") == "textarea":
            text = value.get("text")
            note = "\n".join(map(str, text)) if isinstance(text, list) else str(text)
    return chosen, stances, note


def _coder(completed_by: Any) -> str:
    if isinstance(completed_by, dict):
        return str(completed_by.get("email") or completed_by.get("username") or completed_by.get("id") or UNKNOWN_CODER)
    return UNKNOWN_CODER if completed_by is None else str(completed_by)
