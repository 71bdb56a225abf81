"""JSON of other tools, read as strictly as the API reads its requests: no name twice, no half characters, not too deep.

Only NaN and infinities, which pandas writes for an empty cell, are read, as None.
"""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from labels.errors import ExchangeError, FileError
from labels.files.json_records import HALF_OF_A_CHARACTER, NOT_JSON, has_half_character

# As deep as a request of the API may be.
MAX_DEPTH = 32
_TOO_DEEP = f"It is nested deeper than {MAX_DEPTH} levels."
_LONGEST_NAME_SHOWN = 100


def loads(text: str) -> Any:
    """Parses JSON; raises `FileError` with a sentence."""
    try:
        content = json.loads(text, parse_constant=lambda _: None, object_pairs_hook=_without_repeats)
    except RecursionError:
        raise FileError(_TOO_DEEP) from None
    except ValueError:
        raise FileError(NOT_JSON) from None
    _require_shallow(content)
    if has_half_character(text, content):
        raise FileError(HALF_OF_A_CHARACTER)
    return content


def list_of(text: str, subject: str) -> list[Any]:
    """Returns a JSON list; raises `ExchangeError`, which names the file as `subject`, for anything else."""
    try:
        entries = loads(text)
    except FileError as error:
        raise ExchangeError(subject, [as_fault(error)]) from None
    if not isinstance(entries, list):
        raise ExchangeError(subject, ["it is not a list"])
    return entries


def as_fault(error: FileError | str) -> str:
    """A sentence about a file as a part of a longer sentence."""
    sentence = str(error).rstrip(".")
    return sentence[:1].lower() + sentence[1:]


def _require_shallow(content: Any) -> None:
    level = [content]
    for _ in range(MAX_DEPTH):
        level = [inner for value in level for inner in _inside(value)]
        if not level:
            return
    raise FileError(_TOO_DEEP)


def _inside(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from (inner for inner in value.values() if isinstance(inner, dict | list))
    elif isinstance(value, list):
        yield from (inner for inner in value if isinstance(inner, dict | list))


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        [(twice, _)] = Counter(name for name, _ in pairs).most_common(1)
        raise FileError(f"The name '{twice[:_LONGEST_NAME_SHOWN]}' occurs twice in an object.")
    return content
