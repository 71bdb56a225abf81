"""Sentences of a text without line breaks, and windows of several sentences, which then serve as its paragraphs."""

from collections.abc import Iterator
from itertools import pairwise

from labels.reading.lines import Span

DEFAULT_SENTENCES = 4
# The library needs time that grows with the square of the length of a text with quotation marks that nobody closes.
_READ_AT_ONCE = 2000


def sentence_windows(text: str, language: str, sentences: int) -> list[Span]:
    """Returns the spans of windows of about so many sentences, without surrounding white space."""
    spans = list(_sentences(text, language))
    count = max(1, round(len(spans) / sentences)) if sentences else 1
    edges = [round(number * len(spans) / count) for number in range(count + 1)]
    return [(spans[first][0], spans[last - 1][1]) for first, last in pairwise(edges) if last > first]


def _sentences(text: str, language: str) -> Iterator[Span]:
    """Yields the spans of the sentences, read in stretches of a text that overlap by a sentence."""
    from sentencex import segment  # noqa: PLC0415 - few texts come without line breaks

    position = 0
    while position < len(text):
        stretch = text[position : position + _READ_AT_ONCE]
        parts = segment(language, stretch)
        is_last = position + _READ_AT_ONCE >= len(text)
        # The last sentence of a stretch may be cut off: it is read again with the next stretch.
        whole = parts if is_last or len(parts) == 1 else parts[:-1]
        if "".join(parts) != stretch:
            whole = [stretch]
        elif len(parts) == 1 and not is_last:
            whole = [stretch[: stretch.rfind(" ") + 1] or stretch]
        for part in whole:
            yield from _trimmed(part, position)
            position += len(part)


def _trimmed(part: str, position: int) -> Iterator[Span]:
    start = position + len(part) - len(part.lstrip())
    end = position + len(part.rstrip())
    if start < end:
        yield start, end
