"""Annotations, the decisions of coders about paragraphs, and the corpus files that hold them."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from labels.codebook import Codebook
from labels.errors import CorpusError, FileError
from labels.files.encodings import decoded
from labels.files.json_records import on_a_single_line, read_lines, read_text

# Whether the text advances a frame itself, reports it from a source or contests it; `present` where the coder did not
# specify which.
Stance = Literal["advanced", "reported", "contested", "present"]
STANCES: tuple[Stance, ...] = get_args(Stance)
UNSPECIFIED: Stance = "present"
# The stances that a model learns to distinguish.
SPECIFIED_STANCES: tuple[Stance, ...] = tuple(stance for stance in STANCES if stance != UNSPECIFIED)

# Why a paragraph was coded: drawn at random, drawn because the model was uncertain, or chosen by the coder.
Selection = Literal["random", "uncertain", "chosen"]
SELECTIONS: tuple[Selection, ...] = get_args(Selection)

# The coder whose annotation settles a paragraph in a corpus file, whatever others decided.
ADJUDICATOR = "adjudicator"

DEFAULT_CORPUS = Path(__file__).with_name("corpus")


@dataclass(frozen=True, slots=True)
class Annotation:
    """A coder's decision on a paragraph: the frames that are present, each with its stance.

    `covered` are the frames that the coder decided about, None for all of the codebook: the annotation does not say
    that any other frame is absent.
    """

    coder: str
    frames: Mapping[str, Stance]
    covered: frozenset[str] | None = None

    def decides(self, frame: str) -> bool:
        """Whether the annotation says if a frame is present."""
        return self.covered is None or frame in self.covered or frame in self.frames


def annotation_today(
    coder: str,
    frames: Mapping[str, Stance],
    codebook: Codebook,
    *,
    covered: Iterable[str] | None = None,
    version: int | None = None,
) -> Annotation:
    """Returns an annotation in the frames of today's codebook, whatever codebook it was made with.

    Frames have their keys of today, and frames that the codebook no longer has are left out. `covered` are the frames
    that the coder decided about; where that is not known, those of the codebook's `version`, None for today's.
    """
    today = codebook.current_keys
    current: dict[str, Stance] = {}
    for key, stance in frames.items():
        frame = today.get(key)
        if frame is not None:
            # A frame made of two can have two stances: then neither holds for it.
            current[frame] = stance if current.get(frame, stance) == stance else UNSPECIFIED
    if covered is not None:
        decided = frozenset(today[key] for key in covered if key in today)
    else:
        decided = frozenset(codebook.keys) if version is None else codebook.keys_in(version)
    decided |= current.keys()
    return Annotation(coder, current, None if decided >= set(codebook.keys) else decided)


def shares_of(annotations: Sequence[Annotation], frames: Iterable[str]) -> dict[str, float]:
    """Returns the share of the coders who saw each frame, of those who decided about it, if there are any."""
    deciding = {frame: [annotation for annotation in annotations if annotation.decides(frame)] for frame in frames}
    return {frame: sum(frame in a.frames for a in coded) / len(coded) for frame, coded in deciding.items() if coded}


@dataclass(frozen=True, slots=True)
class CodedParagraph:
    """A paragraph of an article with every coder's annotation of it."""

    article: str
    index: int
    source: str
    text: str
    annotations: tuple[Annotation, ...]
    register: str = ""
    setting: str = ""


def read_corpus(path: Path, codebook: Codebook) -> tuple[CodedParagraph, ...]:
    """Reads and checks the coded paragraphs of a JSON Lines file, or of every `*.jsonl` in a folder.

    Raises `CorpusError` with the fault of each bad row: a corpus is read completely or not at all.
    """
    files = sorted(path.glob("*.jsonl")) if path.is_dir() else [path]
    if not path.exists():
        raise CorpusError(str(path), ["there is no such file or folder"])
    if not files or not files[0].is_file():
        raise CorpusError(str(path), ["there is no .jsonl file"])
    paragraphs: list[CodedParagraph] = []
    faults: list[str] = []
    seen: set[tuple[str, int]] = set()
    for file in files:
        for where, row in _rows(file):
            fault = row_fault(row, codebook)
            if fault is None and (row["article"], row["index"]) in seen:
                fault = f"paragraph {row['index']} of article '{row['article']}' occurs twice"
            if fault is not None:
                faults.append(f"{where}: {fault}")
                continue
            seen.add((row["article"], row["index"]))
            paragraphs.append(_paragraph(row, codebook))
    if faults:
        raise CorpusError(str(path), faults)
    return tuple(paragraphs)


def write_corpus(paragraphs: Iterable[CodedParagraph], path: Path) -> None:
    """Writes JSON Lines that `read_corpus` reads back unchanged."""
    with path.open("w", encoding="utf-8") as file:
        for paragraph in paragraphs:
            file.write(on_a_single_line(json.dumps(corpus_row(paragraph), ensure_ascii=False)) + "\n")


def corpus_row(paragraph: CodedParagraph) -> dict[str, Any]:
    """Returns a paragraph as the JSON object that a corpus file stores."""
    return {
        "article": paragraph.article,
        "index": paragraph.index,
        "source": paragraph.source,
        "register": paragraph.register,
        "setting": paragraph.setting,
        "text": paragraph.text,
        "annotations": [
            {"coder": annotation.coder, "frames": dict(annotation.frames), **_covered_entry(annotation)}
            for annotation in paragraph.annotations
        ],
    }


def _covered_entry(annotation: Annotation) -> dict[str, str]:
    return {} if annotation.covered is None else {"covered": " ".join(sorted(annotation.covered))}


def _rows(file: Path) -> Iterator[tuple[str, Any]]:
    """Yields the place and the JSON value of each line or entry; None where it is not valid JSON."""
    try:
        read = decoded(file.read_bytes())
    except FileError as error:
        raise CorpusError(file.name, [str(error).rstrip(".")]) from error
    noun = "entry" if read.text.lstrip().startswith("[") else "line"
    records = read_text(read.text) if noun == "entry" else read_lines(read.text.split("\n"))
    for record in records:
        yield f"{file.name} {noun} {record.number}", record.value


def row_fault(row: Any, codebook: Codebook) -> str | None:
    """Describes what is wrong with the JSON object of a paragraph; None if it is correct."""
    if not isinstance(row, dict):
        return "not a JSON object"
    for name in ("article", "source", "text"):
        if not isinstance(row.get(name), str) or not row[name].strip():
            return f"'{name}' must be a non-empty string"
    if not isinstance(row.get("index"), int) or isinstance(row["index"], bool) or row["index"] < 0:
        return "'index' must be a whole number from 0"
    annotations = row.get("annotations")
    if not isinstance(annotations, list) or not annotations:
        return "'annotations' must be a non-empty list"
    for annotation in annotations:
        fault = _annotation_fault(annotation, codebook)
        if fault:
            return fault
    coders = [annotation["coder"] for annotation in annotations]
    return "a coder occurs twice" if len(set(coders)) < len(coders) else None


def _annotation_fault(annotation: Any, codebook: Codebook) -> str | None:
    if not isinstance(annotation, dict) or not isinstance(annotation.get("coder"), str):
        return "each annotation needs a 'coder'"
    frames = annotation.get("frames")
    if not isinstance(frames, dict):
        return "each annotation needs 'frames', an object of frame and stance"
    return _frames_fault(frames, codebook) or _decided_fault(annotation)


def _frames_fault(frames: dict[str, Any], codebook: Codebook) -> str | None:
    for frame, stance in frames.items():
        if frame not in codebook.current_keys:
            return f"the codebook has no frame '{frame}'"
        if stance not in STANCES:
            return f"'{stance}' is not a stance; the stances are {', '.join(STANCES)}"
    return None


def _decided_fault(annotation: dict[str, Any]) -> str | None:
    """Describes what is wrong with the fields that say which frames the coder decided about."""
    if not isinstance(annotation.get("covered") or "", str):
        return "'covered' must be the keys of the frames that the coder decided about, with spaces between them"
    version = annotation.get("codebook_version")
    if version is not None and (not isinstance(version, int) or isinstance(version, bool) or version < 1):
        return "'codebook_version' must be a whole number from 1"
    return None


def _annotation(entry: dict[str, Any], codebook: Codebook) -> Annotation:
    covered = entry["covered"].split() if entry.get("covered") is not None else None
    version = entry.get("codebook_version")
    return annotation_today(entry["coder"], entry["frames"], codebook, covered=covered, version=version)


def _paragraph(row: dict[str, Any], codebook: Codebook) -> CodedParagraph:
    return CodedParagraph(
        article=row["article"],
        index=row["index"],
        source=row["source"],
        text=row["text"],
        annotations=tuple(_annotation(entry, codebook) for entry in row["annotations"]),
        register=str(row.get("register", "")),
        setting=str(row.get("setting", "")),
    )
