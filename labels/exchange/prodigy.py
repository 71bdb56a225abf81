"""Prodigy JSONL: the `choice` interface with several answers, a binary question per frame, or `cats`.

An annotation is about every frame. A task that put only some of them to the coder, such as a binary question about a
frame, leaves the others open, and is set aside unless other answers of the coder on the same text complete it.
"""

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from labels.annotations import Stance
from labels.codebook import Codebook
from labels.exchange.annotation import UNKNOWN_CODER, ExchangedAnnotation, coded_thing
from labels.exchange.frame_labels import FrameLabels, NotCodedError, RowError, name_of
from labels.exchange.options import ReadingOptions
from labels.exchange.parsing import (
    checked_metadata,
    json_rows,
    read_annotations,
    require_coder,
    require_list,
    require_object,
    require_text,
    write_lines,
)
from labels.exchange.reading import Reading, SetAside

_FILE = "The Prodigy file"
_ANSWERS = ("accept", "reject", "ignore")


def write(annotations: Sequence[ExchangedAnnotation], codebook: Codebook) -> bytes:
    """Writes a `choice` task per coder and paragraph."""
    options = [{"id": frame.key, "text": frame.title} for frame in codebook.frames]
    return write_lines(
        {
            "text": a.text,
            "options": options,
            "accept": list(a.frames),
            "answer": "accept",
            "_input_hash": zlib.crc32(a.text.encode()),
            "_task_hash": zlib.crc32(f"frames {a.text}".encode()),
            "_annotator_id": a.coder,
            "_session_id": a.coder,
            "_view_id": "choice",
            "meta": {**a.metadata, "stances": dict(a.frames)},
        }
        for a in annotations
    )


def read(data: bytes, codebook: Codebook, options: ReadingOptions) -> Reading:
    """Reads `choice` tasks (`accept`), `cats`, and binary tasks (`label`), which are merged by text and coder."""
    labels = FrameLabels(codebook, options)
    # The frames that binary tasks put to a coder, by their place in the file.
    put: dict[str, str] = {}

    def annotation(place_and_row: tuple[str, Any]) -> Iterator[ExchangedAnnotation]:
        where, row = place_and_row
        row = require_object(row)
        answer = _answer(row)
        meta = row["meta"] if isinstance(row.get("meta"), dict) else {}
        stances = meta["stances"] if isinstance(meta.get("stances"), dict) else {}
        text, fields = require_text(row, options), checked_metadata(meta, "prodigy")
        if "label" in row:
            frame = _binary(row["label"], labels)
            put[where] = frame
            frames: Mapping[str, Stance] = labels.frames([frame] if answer == "accept" else [], stances)
        elif answer == "reject":
            raise NotCodedError("the task was rejected")
        else:
            frames = _chosen(row, stances, labels, fields.get("covered"))
        coder = require_coder({**meta, **row}, options, ("_annotator_id", "_session_id"))
        yield ExchangedAnnotation(coder or UNKNOWN_CODER, text, frames=frames, **fields)

    rows = ((where, (where, row)) for where, row in json_rows(data, _FILE))
    return _merged(read_annotations(_FILE, rows, annotation, labels), put, labels)


def _answer(row: Mapping[str, Any]) -> str:
    answer = row.get("answer")
    if answer is None:
        raise NotCodedError("it has no 'answer'")
    if answer not in _ANSWERS:
        raise RowError("'answer' must be accept, reject or ignore")
    if answer == "ignore":
        raise NotCodedError("the task was ignored")
    return str(answer)


def _chosen(
    row: Mapping[str, Any], stances: Mapping[str, Any], labels: FrameLabels, covered: Iterable[str] | None
) -> Mapping[str, Stance]:
    """The frames that the coder chose in a task about all of them, or about those `covered`."""
    if "accept" in row:
        by_id = _options_by_id(row)
        choices = [_option(by_id, choice) for choice in require_list(row, "accept")]
        offered = [_name(option, labels) for option in require_list(row, "options") if isinstance(option, dict)]
        if offered:
            _require_all_frames(map(labels.frame, offered), "the options", labels, covered)
        return labels.frames([_name(option, labels) for option in choices], stances)
    if isinstance(row.get("cats"), dict):
        return _categories(row["cats"], labels)
    others = [name for name in ("spans", "relations", "image_spans") if name in row]
    raise NotCodedError(f"it has no 'accept'{', only ' + ', '.join(others) if others else ''}")


def _options_by_id(row: Mapping[str, Any]) -> dict[str | float, Mapping[str, Any]]:
    """The options of a task by their ids; of several with the same id, the first."""
    options = [option for option in require_list(row, "options") if isinstance(option, dict)]
    return {option["id"]: option for option in reversed(options) if isinstance(option.get("id"), str | int | float)}


def _option(by_id: Mapping[str | float, Mapping[str, Any]], choice: Any) -> Mapping[str, Any]:
    """The option that was chosen by its id."""
    return by_id.get(choice, {"id": choice}) if isinstance(choice, str | int | float) else {"id": choice}


def _name(option: Mapping[str, Any], labels: FrameLabels) -> str:
    """The id of an option if it is a label that we know, else its text."""
    identifier = name_of(option.get("id", ""))
    text = option.get("text")
    return identifier if labels.knows(identifier) or not isinstance(text, str) or not labels.knows(text) else text


def _categories(categories: Mapping[str, Any], labels: FrameLabels) -> Mapping[str, Stance]:
    if any(value not in (0, 1) for value in categories.values()):
        raise NotCodedError("'cats' has scores between 0 and 1, which are not a coder's")
    _require_all_frames(map(labels.frame, categories), "'cats'", labels)
    return labels.frames([label for label, value in categories.items() if value])


def _binary(label: Any, labels: FrameLabels) -> str:
    """The frame that a binary task asks about; `UnknownLabelError` where the label is not a frame."""
    labels.frames([label])
    frame = labels.frame(name_of(label))
    if frame is None:
        raise NotCodedError(f"the task asks about '{label}', which is not a frame")
    return frame


def _require_all_frames(
    about: Iterable[str | None], subject: str, labels: FrameLabels, about_those: Iterable[str] | None = None
) -> None:
    covered = set(about)
    wanted = labels.codebook.keys if about_those is None else {labels.frame(name) for name in about_those}
    missing = [key for key in labels.codebook.keys if key in wanted and key not in covered]
    if missing:
        labels.empty(f"{subject} left open whether it has {', '.join(missing)}")


def _merged(reading: Reading, put: Mapping[str, str], labels: FrameLabels) -> Reading:
    """Merges the binary answers of a coder on a text; those that leave frames open are set aside."""
    single = [annotation for annotation in reading.annotations if annotation.where not in put]
    binary: dict[object, list[ExchangedAnnotation]] = {}
    for annotation in reading.annotations:
        if annotation.where in put:
            binary.setdefault((annotation.coder, coded_thing(annotation)), []).append(annotation)
    set_aside = list(reading.set_aside)
    for answers in binary.values():
        try:
            _require_all_frames((put[answer.where] for answer in answers), "the binary questions", labels)
        except NotCodedError as reason:
            set_aside += [SetAside(answer.where, str(reason)) for answer in answers]
            continue
        last = {put[answer.where]: answer.frames for answer in answers}
        frames = {frame: stance for chosen in last.values() for frame, stance in chosen.items()}
        single.append(replace(answers[0], frames=frames, unsure=any(answer.unsure for answer in answers)))
    return replace(reading, annotations=single, set_aside=set_aside)
