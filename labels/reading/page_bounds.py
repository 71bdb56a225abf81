"""Bounds on the elements of an HTML page, found while it is read and before a tree is made of it.

A tree takes time that grows with the square of the number of attributes of an element, and its parser passes over
whatever is nested deeper than some 256 levels without a word.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lxml import etree

from labels.errors import ArticleError

# Pages have some twenty attributes on an element, and some thirty levels.
_MOST_ATTRIBUTES, _MOST_LEVELS = 256, 240


@dataclass(frozen=True, slots=True)
class PageSize:
    """The largest number of elements that are the children of a single one, and the number of list items."""

    most_children: int = 0
    list_items: int = 0


def bounded_size(page: bytes) -> PageSize:
    """Measures a page in UTF-8; raises `ArticleError` for very many attributes or very deep elements."""
    measure: Any = _Measure()
    parser = etree.HTMLParser(target=measure, encoding="utf-8")
    try:
        size: PageSize = etree.fromstring(page, parser)
    except (etree.ParserError, etree.XMLSyntaxError):
        return PageSize()  # it has no element
    return size


class _Measure:
    """What the parser tells of each element, in place of making a tree."""

    def __init__(self) -> None:
        # The number of children so far of each open element.
        self._open = [0]
        self._most_children = self._list_items = 0

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        self._open[-1] += 1
        self._most_children = max(self._most_children, self._open[-1])
        self._list_items += tag == "li"
        self._open.append(0)
        if len(attributes) > _MOST_ATTRIBUTES:
            raise ArticleError(
                f"The page has an element with more than {_MOST_ATTRIBUTES} attributes; no article needs them.", "html"
            )
        if len(self._open) > _MOST_LEVELS:
            raise ArticleError(
                f"The elements of the page stand more than {_MOST_LEVELS} levels deep in each other; no article needs "
                "that.",
                "html",
            )

    def end(self, _tag: str) -> None:
        if len(self._open) > 1:
            self._open.pop()

    def close(self) -> PageSize:
        return PageSize(self._most_children, self._list_items)
