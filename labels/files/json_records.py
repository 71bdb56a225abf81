"""The reader of JSON and JSON Lines: objects, a line or an entry of a list each.

Only a line feed ends a line: strings may hold U+2028, U+2029 and U+0085, which other programs take for line ends.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from labels.errors import FileError
from labels.files.encodings import DAMAGED, is_damaged

NOT_JSON = "It is not valid JSON."
HALF_OF_A_CHARACTER = "It contains half of a character: an escape from \\ud800 to \\udfff without its other half."
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")

# Inside JSON these stand in strings only, where they may be escaped.
_SEPARATORS = {ord(character): f"\\u{ord(character):04x}" for character in "\u0085\u2028\u2029"}


def on_a_single_line(text: str) -> str:
    """A JSON text of a line as a line for programs, too, that end lines at more than line feeds."""
    return text if text.isascii() else text.translate(_SEPARATORS)


def has_half_character(text: str, content: Any) -> bool:
    """Whether a JSON text escapes half of a character without its other half; `content` is what it was parsed to."""
    return _SURROGATE.search(text) is not None and not is_unicode(content)


def is_unicode(content: Any) -> bool:
    """Whether no text in a JSON value has half of a character, which could neither be stored nor answered."""
    try:
        json.dumps(content, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class JsonRecord:
    """A value, the number of its line or entry from 1, and a sentence if it is not JSON."""

    number: int
    value: Any
    fault: str | None = None


def read_lines(lines: Iterable[str], first: int = 1, loads: Callable[[str], Any] = json.loads) -> Iterator[JsonRecord]:
    """The value of each line that is not blank; `first` is the number of the first line.

    `loads` parses a text; it raises `FileError` with a sentence for JSON that must not be read.
    """
    for number, line in enumerate(lines, first):
        if line.strip():
            yield _parsed(number, line, loads)


def read_text(text: str, loads: Callable[[str], Any] = json.loads) -> Iterator[JsonRecord]:
    """The records of a whole text: an object, the entries of a list, or JSON Lines; `loads` as in `read_lines`."""
    whole = _parsed(1, text, loads)
    if whole.fault is None:
        entries = whole.value if isinstance(whole.value, list) else [whole.value]
        yield from (JsonRecord(number, entry) for number, entry in enumerate(entries, 1))
        return
    lines = [line for line in text.split("\n") if line.strip()]
    # A text of which no line is JSON is a single faulty record, not as many as it has lines.
    if len(lines) > 1 and any(_parsed(1, line, loads).fault is None for line in lines if line.lstrip().startswith("{")):
        yield from read_lines(text.split("\n"), loads=loads)
    else:
        yield whole


def _parsed(number: int, text: str, loads: Callable[[str], Any]) -> JsonRecord:
    if is_damaged(text):
        return JsonRecord(number, None, DAMAGED)
    try:
        value = loads(text)
        fault = HALF_OF_A_CHARACTER if has_half_character(text, value) else None
        return JsonRecord(number, value if fault is None else None, fault)
    except FileError as error:
        return JsonRecord(number, None, str(error))
    except (ValueError, RecursionError):
        return JsonRecord(number, None, NOT_JSON)
