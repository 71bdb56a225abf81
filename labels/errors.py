"""The tree of domain errors. Every message is a sentence that a user understands.

FramingError
├── CodebookError        the codebook file is wrong, or a frame is not in it
├── CorpusError          an annotated corpus cannot be read; carries a line per bad row
├── ExchangeError        a file of another tool cannot be read; carries a line per bad row
├── FileError            a file cannot be read as what its name says, or as text
├── ArchiveError         an archive is damaged, too large, or has a member that would leave its folder
└── ArticleError         a submitted article cannot be cut into paragraphs; carries the field
    └── LanguageError    the article is in a language that the model was not trained on

`training.errors` adds more branches.
"""

import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Sequence

# What the standard library raises for a file that is not an archive, or an archive that is damaged, encrypted or of an
# unknown kind.
UNREADABLE_ARCHIVE = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError),
    *(KeyError, ValueError, NotImplementedError, RuntimeError),
)

_LONGEST_ROW = 10_000


class FramingError(Exception):
    """The root of every error that this project raises on purpose."""


class CodebookError(FramingError):
    """The codebook is malformed, or it does not contain the requested frame."""


class CorpusError(FramingError):
    """An annotated corpus is malformed; `rows` has a line per fault, with its place."""

    def __init__(self, source: str, rows: Sequence[str]) -> None:
        shown = "; ".join(rows[:5]) + (f"; and {len(rows) - 5} more" if len(rows) > 5 else "")
        super().__init__(f"{source} cannot be read as annotated paragraphs: {shown}.")
        self.rows = tuple(rows)


class ExchangeError(FramingError):
    """A file of another tool is malformed; `rows` has a line per fault, with its place."""

    def __init__(self, subject: str, rows: Sequence[str]) -> None:
        rows = tuple(map(_readable, rows))
        shown = "; ".join(rows[:10]) + (f"; and {len(rows) - 10} more" if len(rows) > 10 else "")
        super().__init__(f"{_readable(subject)} cannot be used: {shown}.")
        self.subject, self.rows = subject, rows

    def __reduce__(self) -> tuple[type["ExchangeError"], tuple[str, tuple[str, ...]]]:
        # A file may be read in another process, whose error is raised here.
        return ExchangeError, (self.subject, self.rows)


def _readable(row: str) -> str:
    """A line that can be printed and sent: what it quotes of a file may be very long or have halves of characters."""
    shown = row if len(row) <= _LONGEST_ROW else f"{row[:_LONGEST_ROW]}…"
    return shown.encode("utf-8", "backslashreplace").decode()


class FileError(FramingError):
    """A file cannot be read; the sentence is about the file, which the caller names."""


class ArchiveError(FramingError):
    """A zip or tar file is damaged, too large, or has a member that would leave the folder it is unpacked into."""


class ArticleError(FramingError):
    """A submitted article cannot be scored; `field` names the input at fault."""

    def __init__(self, detail: str, field: str) -> None:
        super().__init__(detail)
        self.field = field


class LanguageError(ArticleError):
    """The article is written in a language that the model was not trained on; `code` is that of the language."""

    def __init__(self, detail: str, field: str, code: str) -> None:
        super().__init__(detail, field)
        self.code = code
