"""Files of coded paragraphs, of paragraphs without annotations and of whole articles, which `framing evaluate` reads.

A paragraph is a JSON object with `text`, `article` and `frames`: an object of frame and stance, or a list of frames. It
may have `index`, `outlet`, `set` (a genre), `topic`, `drawn` (how it was chosen for coding), `split` and
`codebook_version` (it says nothing of frames that came later); other fields are ignored. A file whose name ends in .gz
is compressed.
"""

import gzip
import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from labels.annotations import (
    ADJUDICATOR,
    STANCES,
    UNSPECIFIED,
    Annotation,
    CodedParagraph,
    Stance,
    annotation_today,
    read_corpus,
)
from labels.codebook import Codebook
from labels.errors import CorpusError
from labels.exchange import require_format
from labels.exchange.annotation import ExchangedAnnotation, by_paragraph
from labels.exchange.options import DEFAULTS, ReadingOptions
from labels.exchange.reading import Reading

Read = TypeVar("Read")


@dataclass(frozen=True, slots=True)
class DescribedParagraph:
    """A coded paragraph with its genre and topic, and how it was drawn; each empty where the file does not say."""

    paragraph: CodedParagraph
    genre: str = ""
    topic: str = ""
    drawn: str = ""


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph without annotations, and the article that it is from."""

    article: str
    text: str


@dataclass(frozen=True, slots=True)
class CodedArticle:
    """A whole article: its coded paragraphs, without boilerplate, and the frames that its coders see in the whole."""

    article: str
    paragraphs: tuple[CodedParagraph, ...]
    frames: frozenset[str]


class _RowError(Exception):
    """What is wrong with a row."""


def read_coded(path: Path, codebook: Codebook, *, split: str | None = None) -> tuple[DescribedParagraph, ...]:
    """Reads coded paragraphs of a corpus (a file or folder), or JSON Lines as above.

    `split` selects the rows of JSON Lines with that `split`. Raises `CorpusError` with the fault of each bad row.
    """
    if not path.is_file() or _is_corpus(path):
        return tuple(map(DescribedParagraph, read_corpus(path, codebook)))
    return _read_rows(path, split, lambda number, row: _described(number, row, codebook))


def read_texts(path: Path, *, split: str | None = None) -> tuple[Text, ...]:
    """Reads paragraphs without annotations; a paragraph that names no article is an article of its own."""
    return _read_rows(path, split, lambda number, row: Text(_optional(row, "article") or f"{number}", _text(row)))


def read_articles(path: Path, codebook: Codebook, *, split: str | None = None) -> tuple[CodedArticle, ...]:
    """Reads whole articles: objects with `article`, `frames`, and `paragraphs` with `text` and `frames`."""
    return _read_rows(path, split, lambda _number, row: _article(row, codebook))


def read_exchanged(
    path: Path, codebook: Codebook, file_format: str, options: ReadingOptions = DEFAULTS
) -> tuple[tuple[DescribedParagraph, ...], Reading]:
    """Reads coded paragraphs of another tool's file, and what else there is to say about the file.

    Raises `CorpusError` where it cannot be opened or holds no annotation, `ExchangeError` with all its bad rows.
    """
    exchange = require_format(file_format)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CorpusError(str(path), [str(error.strerror)]) from error
    reading = exchange.read(data, codebook, options)
    if not reading.annotations:
        reasons = [f"{entry.count} set aside: {entry.reason} ({', '.join(entry.first)})" for entry in reading.reasons]
        raise CorpusError(str(path), ["it has no annotation", *reasons])
    described = tuple(
        DescribedParagraph(
            CodedParagraph(
                article=group[0].article_id or f"{number}",
                index=group[0].paragraph or 0,
                source=group[0].source,
                text=group[0].text,
                annotations=_settled(group, codebook),
            ),
            drawn=group[0].selection,
        )
        for number, group in enumerate(by_paragraph(reading.annotations), 1)
    )
    return described, reading


def _settled(group: Sequence[ExchangedAnnotation], codebook: Codebook) -> tuple[Annotation, ...]:
    """The annotations of a paragraph, and of its adjudications the last, which settles it."""
    annotations = [_today(entry.coder, entry, codebook) for entry in group if entry.role == "coder"]
    settled = [_today(ADJUDICATOR, entry, codebook) for entry in group if entry.role == "adjudicator"]
    return (*annotations, *settled[-1:])


def _today(coder: str, entry: ExchangedAnnotation, codebook: Codebook) -> Annotation:
    """An annotation in today's frames: of a frame that came after it was made, it says nothing."""
    return annotation_today(coder, entry.frames, codebook, covered=entry.covered, version=entry.codebook_version)


def json_lines(path: Path) -> Iterator[tuple[int, Any]]:
    """Yields the number and the JSON value of each line that is not blank; None for a line that is not valid JSON.

    Raises `CorpusError` where the file is missing or damaged.
    """
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rt", encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    try:
                        yield number, json.loads(line)
                    except ValueError:
                        yield number, None
    except FileNotFoundError:
        raise CorpusError(str(path), ["there is no such file"]) from None
    except IsADirectoryError:
        raise CorpusError(str(path), ["it is a folder"]) from None
    except (OSError, EOFError, UnicodeDecodeError, zlib.error):
        raise CorpusError(str(path), ["it is not a readable file of text"]) from None


def _is_corpus(path: Path) -> bool:
    first = next((row for _, row in json_lines(path)), None)
    return isinstance(first, dict) and "annotations" in first


def _read_rows(path: Path, split: str | None, read: Callable[[int, dict[str, Any]], Read]) -> tuple[Read, ...]:
    """Reads the rows of a split; raises `CorpusError` with all bad rows, or if there is no row."""
    rows: list[Read] = []
    faults: list[str] = []
    for number, row in json_lines(path):
        try:
            if not isinstance(row, dict):
                raise _RowError("not a JSON object")
            if split is None or row.get("split", split) == split:
                rows.append(read(number, row))
        except _RowError as fault:
            faults.append(f"line {number}: {fault}")
    if not rows and not faults:
        faults.append("it is empty" if split is None else f"it has no row of the split '{split}'")
    if faults:
        raise CorpusError(str(path), faults)
    return tuple(rows)


def _described(number: int, row: dict[str, Any], codebook: Codebook) -> DescribedParagraph:
    index = row.get("index", number)
    if not isinstance(index, int):
        raise _RowError("'index' must be a whole number")
    if not (article := _optional(row, "article")):
        raise _RowError("'article' must be a non-empty string")
    source = _optional(row, "outlet") or _optional(row, "source")
    version = row.get("codebook_version")
    if version is not None and (not isinstance(version, int) or isinstance(version, bool) or version < 1):
        raise _RowError("'codebook_version' must be a whole number from 1")
    annotations = (annotation_today(_optional(row, "coder"), _frames(row, codebook), codebook, version=version),)
    paragraph = CodedParagraph(article, index, source, _text(row), annotations)
    return DescribedParagraph(paragraph, *(_optional(row, name) for name in ("set", "topic", "drawn")))


def _article(row: dict[str, Any], codebook: Codebook) -> CodedArticle:
    paragraphs = row.get("paragraphs")
    if not isinstance(paragraphs, list) or not all(isinstance(paragraph, dict) for paragraph in paragraphs):
        raise _RowError("'paragraphs' must be a list of objects")
    version = {"codebook_version": row["codebook_version"]} if "codebook_version" in row else {}
    coded = tuple(
        _described(number, {**version, **paragraph, "article": row.get("article")}, codebook).paragraph
        for number, paragraph in enumerate(paragraphs)
        if not paragraph.get("boilerplate")
    )
    if not coded:
        raise _RowError("the article has no paragraph")
    # An article's frames may have a rank each (main, minor) instead of a stance; only their names count here.
    frames = row.get("frames")
    named = (
        codebook.current_keys[frame]
        for frame in _frames({"frames": list(frames) if isinstance(frames, dict) else frames}, codebook)
    )
    return CodedArticle(coded[0].article, coded, frozenset(named))


def _text(row: dict[str, Any]) -> str:
    if not (text := _optional(row, "text")).strip():
        raise _RowError("'text' must be a non-empty string")
    return text


def _optional(row: dict[str, Any], name: str) -> str:
    value = row.get(name) or ""
    if not isinstance(value, str):
        raise _RowError(f"'{name}' must be a string")
    return value


def _frames(row: dict[str, Any], codebook: Codebook) -> dict[str, Stance]:
    frames = row.get("frames")
    if isinstance(frames, list):
        frames = {str(frame): UNSPECIFIED for frame in frames}
    if not isinstance(frames, dict):
        raise _RowError("'frames' must be an object of frame and stance, or a list of frames")
    for frame, stance in frames.items():
        if frame not in codebook.current_keys:
            raise _RowError(f"the codebook has no frame '{frame}'")
        if stance not in STANCES:
            raise _RowError(f"'{stance}' is not a stance; the stances are {', '.join(STANCES)}")
    return frames
