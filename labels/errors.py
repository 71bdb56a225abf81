"""The error tree. Every message is a sentence that a user understands.

FramingError
├── CodebookError        the codebook file is wrong, or a frame is not in it
├── CorpusError          an annotated corpus cannot be read; carries one line a bad row
└── ArticleError         a submitted article cannot be cut into paragraphs; carries the field
    └── LanguageError    the article is in a language that the model was not trained on

`training.errors` grows the same tree upwards.
"""

import lzma
import zipfile
import zlib
from collections.abc import Sequence

UNREADABLE_ARCHIVE = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError),
    *(KeyError, ValueError, NotImplementedError, RuntimeError),
)
"""What the standard library raises for an archive that is damaged, encrypted, of a kind not known, or none."""


class FramingError(Exception):
    """Root of every error that this project raises on purpose."""


class CodebookError(FramingError):
    """The codebook is malformed, or a frame was named that it does not have."""


class CorpusError(FramingError):
    """An annotated corpus is malformed; `rows` says what is wrong with which line."""

    def __init__(self, source: str, rows: Sequence[str]) -> None:
        shown = "; ".join(rows[:5]) + (f"; and {len(rows) - 5} more" if len(rows) > 5 else "")
        super().__init__(f"{source} cannot be read as annotated paragraphs: {shown}.")
        self.rows = tuple(rows)


class ArticleError(FramingError):
    """A submitted article has nothing to score; `field` names the input at fault."""

    def __init__(self, detail: str, field: str) -> None:
        super().__init__(detail)
        self.field = field


class LanguageError(ArticleError):
    """The article is written in a language that the model was not trained on."""
