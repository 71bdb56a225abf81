"""Label Studio JSON: tasks with annotations whose result has multiple `choices`, more for stances, and a note."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from labels.codebook import Codebook
from labels.exchange.code import (
    UNKNOWN_CODER,
    Code,
    ExchangeError,
    RowError,
    Rows,
    by_unit,
    decoded,
    facts_of,
    require_frames,
    require_object,
    require_text,
)

_FRAMES, _STANCE, _NOTE, _TEXT = "frames", "stance_", "note", "text"
_SHARED = ("source", "article_id", "paragraph")
_OWN = ("selection", "inclusion_probability", "codebook_version")


def write(codes: Sequence[Code], _codebook: Codebook) -> bytes:
    """One task a paragraph, one annotation a coder."""
    tasks = [
        {
            "id": number,
            "data": {"text": codes[0].text, **{name: codes[0].facts[name] for name in _SHARED}},
            "annotations": [_annotation(code, f"{number}{place}") for place, code in enumerate(codes)],
            "predictions": [],
        }
        for number, codes in enumerate(by_unit(codes), 1)
    ]
    return json.dumps(tasks, ensure_ascii=False, indent=1).encode()


def _annotation(code: Code, identifier: str) -> dict[str, Any]:
    result = [_choices(_FRAMES, list(code.frames))]
    result += [_choices(_STANCE + frame, [stance]) for frame, stance in code.frames.items() if stance != "present"]
    if code.note:
        result.append({"from_name": _NOTE, "to_name": _TEXT, "type": "textarea", "value": {"text": [code.note]}})
    return {
        "id": int(identifier),
        "completed_by": {"email": code.coder},
        "was_cancelled": False,
        "ground_truth": False,
        "created_at": code.created_at,
        "meta": {name: code.facts[name] for name in _OWN},
        "result": result,
    }


def _choices(name: str, chosen: list[str]) -> dict[str, Any]:
    return {"from_name": name, "to_name": _TEXT, "type": "choices", "value": {"choices": chosen}}


def read(data: bytes, codebook: Codebook) -> list[Code]:
    """Reads the JSON export; cancelled annotations and predictions are left out."""
    what = "The Label Studio file"
    try:
        tasks = json.loads(decoded(data, what))
    except ValueError:
        raise ExchangeError(what, ["it is not JSON"]) from None
    if not isinstance(tasks, list):
        raise ExchangeError(what, ["it is not a list of tasks"])
    rows = ((f"task {number}", task) for number, task in enumerate(tasks, 1))
    return Rows(what).each(rows, lambda task: _codes(require_object(task), codebook))


def _codes(task: Mapping[str, Any], codebook: Codebook) -> Iterator[Code]:
    content = require_object(task.get("data"))
    text = require_text(content)
    annotations = task.get("annotations", [])
    if not isinstance(annotations, list):
        raise RowError("'annotations' must be a list")
    for annotation in map(require_object, annotations):
        if annotation.get("was_cancelled"):
            continue
        chosen, stances, note = _result(annotation)
        own = annotation["meta"] if isinstance(annotation.get("meta"), dict) else {}
        facts = facts_of({**content, **own, "note": note, "created_at": annotation.get("created_at")}, "label studio")
        yield Code(
            _coder(annotation.get("completed_by")), text, frames=require_frames(chosen, codebook, stances), **facts
        )


def _result(annotation: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any], str]:
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
                stances[name.removeprefix(_STANCE)] = choices[0] if choices else "present"
            else:
                chosen += choices
        elif part.get("type") == "textarea":
            written = value.get("text")
            note = "\n".join(map(str, written)) if isinstance(written, list) else str(written)
    return chosen, stances, note


def _coder(completed_by: Any) -> str:
    if isinstance(completed_by, dict):
        return str(completed_by.get("email") or completed_by.get("username") or completed_by.get("id") or UNKNOWN_CODER)
    return UNKNOWN_CODER if completed_by is None else str(completed_by)
