"""The sources of a project: their texts, and the ones that have no text that this program can read."""

import io
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from labels.archives import Limits, Member, safe_members
from labels.errors import UNREADABLE_ARCHIVE, ArchiveError, ExchangeError
from labels.exchange.frame_labels import RowError
from labels.exchange.reading import SetAside
from labels.exchange.refi_qda.xml import elements

PROJECT = "The REFI-QDA project"
_HARMLESS, _MOST = 10_000_000, 100_000_000
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
# Sources without a text, and what is coded in them.
_OTHER_SOURCES = {
    "PDFSource": "pages of a PDF",
    "PictureSource": "a picture",
    "AudioSource": "sound",
    "VideoSource": "a video",
}


@dataclass(frozen=True, slots=True)
class Source:
    """A text of the project: its name, and the element that has its selections and codings."""

    name: str
    element: Any

    @property
    def where(self) -> str:
        return f"source '{self.name}'"


class Archive:
    """An unpacked project: its XML, and its text files, which are decoded when they are needed."""

    def __init__(self, data: bytes) -> None:
        """Raises `ExchangeError` for a file that is no project, or an archive that is not safe."""
        # As many characters may be read from it as bytes may be unpacked; a few coders of a book take millions.
        self.most_characters = min(max(_HARMLESS, Limits().most_of(len(data))), _MOST)
        try:
            members = safe_members(zipfile.ZipFile(io.BytesIO(data)))
            projects = [member for member in members if member.name.lower().endswith(".qde")]
            self._texts: Mapping[str, Member] = {
                member.name.lower().rsplit("/", 1)[-1]: member
                for member in members
                if member.name.lower().endswith(".txt")
            }
            if len(projects) != 1:
                raise ExchangeError(PROJECT, [f"it has {len(projects)} project files (.qde), and 1 is expected"])
            self.project = projects[0].read()
        except ArchiveError as error:
            raise ExchangeError(PROJECT, [str(error).rstrip(".")]) from error
        except UNREADABLE_ARCHIVE as error:
            raise ExchangeError(PROJECT, ["it is not a zip file with a project.qde"]) from error

    def text(self, source: Source) -> str:
        """Returns the text of a source; raises `RowError` if it is not in the project."""
        inline = source.element.findtext("{*}PlainTextContent")
        if inline is not None:
            return str(inline)
        path = unquote(str(source.element.get("plainTextPath") or ""))
        name = path.replace("\\", "/").rsplit("/", 1)[-1]
        if name.lower() not in self._texts:
            raise RowError(f"its text '{name}' is not in the project" if name else "it has no plain text")
        try:
            content = self._texts[name.lower()].read()
            return content.decode("utf-16" if content.startswith(_UTF_16) else "utf-8-sig")
        except (ArchiveError, UnicodeDecodeError) as error:
            raise RowError(f"its text '{name}' is damaged or not UTF-8") from error


def text_sources(root: Any) -> Iterator[Source]:
    """Yields the texts with selections or codings; a PDF has its text as a representation of it."""
    for element in elements(root, "TextSource", "Representation"):
        if element.find("{*}PlainTextSelection") is not None or element.find("{*}Coding") is not None:
            above = next(element.iterancestors("{*}PDFSource"), None)
            name = element.get("name") or (above.get("name") if above is not None else None)
            yield Source(str(name or "refi-qda"), element)


def passed_over(root: Any) -> Iterator[SetAside]:
    """Yields the sources with codings that are no text: pictures, sound, the pages of a PDF."""
    for tag, kind in _OTHER_SOURCES.items():
        for element in elements(root, tag):
            codings = [
                coding
                for coding in elements(element, "Coding")
                if next(coding.iterancestors("{*}Representation"), None) is None
            ]
            where = f"source '{element.get('name') or element.get('guid')}'"
            if codings:
                yield SetAside(where, f"codings of {kind} cannot be read ({len(codings)})")
            elif not any(True for _ in elements(element, "Representation")):
                yield SetAside(where, f"{kind} cannot be read")
