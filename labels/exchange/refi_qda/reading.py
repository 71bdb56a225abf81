"""Reading a project: the selections of its texts with their codings, an annotation for each coder and paragraph."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from labels.annotations import UNSPECIFIED, Stance
from labels.codebook import Codebook
from labels.errors import ExchangeError, FileError
from labels.exchange import strict_json
from labels.exchange.annotation import METADATA, OF_PARAGRAPH, UNKNOWN_CODER, ExchangedAnnotation
from labels.exchange.frame_labels import FrameLabels, NotCodedError, RowError
from labels.exchange.options import ReadingOptions
from labels.exchange.parsing import checked_metadata, read_annotations
from labels.exchange.reading import Reading, SetAside
from labels.exchange.refi_qda.meaning import Meaning, code_meanings
from labels.exchange.refi_qda.pieces import Pieces, trimmed
from labels.exchange.refi_qda.positions import Counting, Position, counting_of
from labels.exchange.refi_qda.sources import PROJECT, Archive, Source, passed_over, text_sources
from labels.exchange.refi_qda.xml import OWN_ORIGIN, elements, parsed, plain_guid

_MAX_TEXT, _MAX_NOTE = 100_000, 10_000
# A piece that is cut out takes as much memory beside its text.
_PIECE = 200
_WHOLE_TEXT = "its codings are of the whole text, which has several paragraphs; the unit 'selection' takes the text"


@dataclass(slots=True)
class _Coded:
    """How a coder coded a piece of text, from all selections in it."""

    coder: str
    start: int
    end: int
    metadata: dict[str, Any]
    frames: dict[str, Stance] = field(default_factory=dict)
    says_none: bool = False
    empty: bool = False
    open: set[str] = field(default_factory=set)

    def add(self, meaning: Meaning) -> None:
        if meaning.frame is None:
            self.says_none = True
            return
        earlier = self.frames.get(meaning.frame, UNSPECIFIED)
        differ = UNSPECIFIED not in (earlier, meaning.stance) and earlier != meaning.stance
        # Where two codings differ in the stance of a frame, neither stance holds for the whole paragraph.
        self.frames[meaning.frame] = (
            UNSPECIFIED if differ else meaning.stance if meaning.stance != UNSPECIFIED else earlier
        )


def read(data: bytes, codebook: Codebook, options: ReadingOptions) -> Reading:
    """Reads the codings of a project; those of codes that are no frames are set aside, by name.

    A code is the frame with its name as key or title, or a stance below such a code. Raises `ExchangeError`.
    """
    archive = Archive(data)
    project = _Project(archive, parsed(archive.project, PROJECT), FrameLabels(codebook, options), options)
    rows = ((source.where, source) for source in text_sources(project.root))
    reading = read_annotations(PROJECT, rows, project.annotations, project.labels)
    set_aside = [*reading.set_aside, *project.set_aside, *passed_over(project.root)]
    return replace(reading, set_aside=set_aside)


# By coder, role, start and end.
_CodedPieces = dict[tuple[str, str, int, int], _Coded]


class _Project:
    def __init__(self, archive: Archive, root: Any, labels: FrameLabels, options: ReadingOptions) -> None:
        self.root, self.labels, self.set_aside = root, labels, list[SetAside]()
        self._archive, self._unit = archive, options.unit
        self._origin = str(root.get("origin") or "")
        self._meanings = code_meanings(root, labels.codebook, labels)
        self._users = {
            plain_guid(u.get("guid")): str(u.get("name") or u.get("id") or "") for u in elements(root, "User")
        }
        # Texts that many sources name, and pieces that many selections cut out, make much of a small file.
        self._length, self._most = 0, archive.most_characters

    def annotations(self, source: Source) -> Iterator[ExchangedAnnotation]:
        """Yields an annotation for each coder and piece of a text."""
        selections = list(source.element.iterfind("{*}PlainTextSelection"))
        positions = [_position(selection) for selection in selections]
        text = self._archive.text(source)
        self._count(len(text))
        counting = Counting(text) if self._origin == OWN_ORIGIN else counting_of(text, positions, self._origin)
        spans = [_require_span(counting, position) for position in positions]
        pieces = Pieces(counting.text, self._unit, spans)
        coded: _CodedPieces = {}
        # Our own selections first: what others select in them is about the same paragraph of the same article.
        metadata = map(_own_metadata, selections)
        for own, selection, span in sorted(zip(metadata, selections, spans, strict=True), key=lambda each: not each[0]):
            self._add(coded, source, selection, span, own, pieces)
        self._add_codings_of_text(coded, source, pieces)
        for piece in coded.values():
            if piece.frames and piece.says_none:
                where = f"{source.where}, characters {piece.start} to {piece.end}"
                self.set_aside.append(SetAside(where, "it has a frame and the code that says that there is none"))
            elif piece.frames or piece.says_none or piece.empty:
                yield self._annotation(piece, counting.text, source)

    def _add(
        self,
        coded: _CodedPieces,
        source: Source,
        selection: Any,
        span: tuple[int, int],
        metadata: Mapping[str, Any],
        pieces: Pieces,
    ) -> None:
        """Adds the codings of a selection, whose metadata are empty where another tool wrote it."""
        where = f"{source.where}, characters {span[0]} to {span[1]}"
        creator = selection.get("creatingUser")
        codings = list(selection.iterfind("{*}Coding"))
        if metadata:
            # What the paragraph has from our own file, whoever codes it.
            pieces.add_own(span, {name: metadata[name] for name in OF_PARAGRAPH if name in metadata})
            own = self._coded(coded, self._coder(creator), span, metadata)
            # Files of earlier releases say "no frame" by a selection of ours without a coding.
            own.says_none |= not codings
        elif not codings:
            self._add_empty(coded, self._coder(creator), span, pieces, where)
        note = "" if metadata else (selection.findtext("{*}Description") or "").strip()
        for coding in codings:
            coder = self._coder(coding.get("creatingUser") or creator)
            for start, end, of_paragraph in pieces.around(span):
                given = metadata if metadata and coder == self._coder(creator) else of_paragraph
                self._add_coding(self._coded(coded, coder, (start, end), given), coding, where, note)

    def _add_empty(
        self,
        coded: _CodedPieces,
        coder: str,
        span: tuple[int, int],
        pieces: Pieces,
        where: str,
    ) -> None:
        """Sets a selection without codings aside, unless the caller says that this means that no frame is present."""
        try:
            self.labels.empty("the selection has no coding, at most a memo")
        except NotCodedError as reason:
            self.set_aside.append(SetAside(where, str(reason)))
            return
        for start, end, of_paragraph in pieces.around(span):
            self._coded(coded, coder, (start, end), of_paragraph).empty = True

    def _add_codings_of_text(self, coded: _CodedPieces, source: Source, pieces: Pieces) -> None:
        """Adds the codings of a text as a whole, as Potato writes them."""
        codings = list(source.element.iterfind("{*}Coding"))
        whole = pieces.whole()
        if codings and whole is None:
            self.set_aside.append(SetAside(source.where, _WHOLE_TEXT))
        elif whole is not None:
            for coding in codings:
                piece = self._coded(coded, self._coder(coding.get("creatingUser")), whole, {})
                self._add_coding(piece, coding, source.where, "")

    def _add_coding(self, piece: _Coded, coding: Any, where: str, note: str) -> None:
        for reference in coding.iterfind("{*}CodeRef"):
            guid = plain_guid(reference.get("targetGUID"))
            meaning = self._meanings.get(guid, Meaning(guid, known=False))
            if meaning.ignored:
                self.labels.ignored[meaning.name] += 1
            elif not meaning.known:
                self.set_aside.append(SetAside(where, _not_a_frame(meaning)))
                piece.open |= {meaning.below} if meaning.below else set()
            else:
                piece.add(meaning)
                earlier = piece.metadata.get("note", "")
                if note and len(earlier) <= _MAX_NOTE and note not in earlier:
                    piece.metadata["note"] = f"{earlier}\n{note}".strip()

    def _coded(
        self,
        coded: _CodedPieces,
        coder: str,
        span: tuple[int, int],
        metadata: Mapping[str, Any],
    ) -> _Coded:
        key = coder, str(metadata.get("role") or "coder"), *span
        self._count(1)
        if key not in coded:
            self._count(_PIECE + span[1] - span[0])
            coded[key] = _Coded(coder, *span, dict(metadata))
        return coded[key]

    def _coder(self, guid: str | None) -> str:
        """Returns the name of a user; where a project has a single user, all of it is by that user."""
        if guid is None and len(self._users) == 1:
            return next(iter(self._users.values()))
        return self._users.get(plain_guid(guid)) or UNKNOWN_CODER

    def _annotation(self, piece: _Coded, text: str, source: Source) -> ExchangedAnnotation:
        length = piece.end - piece.start
        if length > _MAX_TEXT:
            raise RowError(f"a coded piece is longer than {_MAX_TEXT:,} characters")
        metadata = checked_metadata(piece.metadata, source.name)
        if piece.open:
            covered = metadata.get("covered") or frozenset(self.labels.codebook.keys)
            metadata["covered"] = covered - (piece.open - piece.frames.keys())
        return ExchangedAnnotation(piece.coder, text[piece.start : piece.end], frames=piece.frames, **metadata)

    def _count(self, characters: int) -> None:
        """Counts what is read and cut out; raises `ExchangeError` where a small file makes too much of it."""
        self._length += characters
        if self._length > self._most:
            fault = f"its sources and what is coded in them are longer than {self._most:,} characters together"
            raise ExchangeError(PROJECT, [f"{fault}, which is more than a file of its size may make"])


def _position(selection: Any) -> Position:
    try:
        start, end = int(selection.get("startPosition")), int(selection.get("endPosition"))
    except (TypeError, ValueError):
        raise RowError("a selection has no position") from None
    return Position(start, end, str(selection.get("name") or ""))


def _require_span(counting: Counting, position: Position) -> tuple[int, int]:
    span = counting.span(position)
    if span is None or trimmed(counting.text, span) is None:
        raise RowError(f"the selection from {position.start} to {position.end} lies outside the text")
    return span


def _not_a_frame(meaning: Meaning) -> str:
    left_open = f", so whether '{meaning.below}' is present there is left open" if meaning.below else ""
    return f"the code '{meaning.name}' is not a frame of the codebook (map or ignore it){left_open}"


def _own_metadata(selection: Any) -> dict[str, Any]:
    """Returns the metadata that `write` put into the description; empty where another tool wrote it."""
    description = selection.findtext("{*}Description") or ""
    pairs = [line.partition(": ") for line in description.splitlines()]
    if not pairs or not all(name in METADATA for name, _, _ in pairs):
        return {}
    try:
        metadata = {name: strict_json.loads(value) for name, _, value in pairs}
    except FileError:
        return {}
    plain = all(value is None or isinstance(value, str | int | float) for value in metadata.values())
    return metadata if plain and isinstance(metadata.get("note", ""), str) else {}
