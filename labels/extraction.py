"""HTML pages as blocks of text; trafilatura decides which blocks belong to the article and which lie outside."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from lxml import etree, html

from labels.reading.imprint import NO_IMPRINT, Imprint
from labels.reading.page_bounds import PageSize, bounded_size
from labels.reading.page_metadata import read_metadata
from labels.reading.stretches import blocks_within

BlockKind = Literal["paragraph", "heading", "caption", "item", "outside"]

_HEADINGS = {"h1", "h2", "h3", "h4", "h5", "h6", "title"}
_CAPTIONS = {"figcaption", "caption"}
_ITEMS = {"li", "dd"}
# Around the article, on most pages.
_SURROUNDINGS = {"nav", "header", "footer", "aside"}
_BLOCKS = {
    "p", "div", "section", "article", "main", "header", "footer", "aside", "nav", "li", "ul", "ol", "dl", "dt", "dd",
    "blockquote", "pre", "table", "tr", "td", "th", "form", "figure", "address", "body", "html", "hr", "center",
    "details", "summary", "fieldset", *_HEADINGS, *_CAPTIONS,
}  # fmt: skip
# Within a paragraph they interrupt no sentence.
_SOMETIMES_INLINE = {"center", "details", "summary", "fieldset"}
# What has thousands of children on some pages, none of which is text of the article.
_LISTS_OF_MANY = {"select", "datalist", "svg"}
# Buttons and menus, and what a browser shows only where it cannot show a film or the reading of a character.
_HIDDEN = {
    "script", "style", "noscript", "template", "svg", "head", "iframe", "object", "math", "textarea", "button",
    "select", "option", "datalist", "audio", "video", "canvas", "rt", "rp", "dialog",
}  # fmt: skip
_INLINE = {"span", "a", "i", "b", "em", "strong", "small", "sup", "sub", "label"}
# Their neighbours stand in the element around them.
_LEAVES = {"p", "li", "dd", "dt", "blockquote", "center", *_HEADINGS}
# From this share of its characters on, a block is a link.
_LINKED = 0.8
_HIDDEN_STYLE = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_SPACE = re.compile(r"\s+")
# What divides paragraphs in text that a page shows as it is written.
_BLANK_LINE = re.compile(r"\n[ \t\r]*\n\s*")
_SENTENCE_END = re.compile(r"[.!?…:;][\"'”’»)\]]*\s*$")
# The time that trafilatura takes grows with the square of the number of list items, and of the links, cells and other
# children of a single element: a malicious page could keep a core busy for half an hour.
_MOST_LIST_ITEMS, _MOST_CHILDREN = 2000, 2000
_ENCODING_DECLARATION = re.compile(r"^\s*<\?xml[^>]{0,200}\?>")


@dataclass(frozen=True, slots=True)
class PageBlock:
    """A block of text of a page with its kind in the markup; each run of white space is folded into a space."""

    text: str
    kind: BlockKind
    # Whether it stands in what usually surrounds an article, and in a menu; whether it is a link.
    is_surrounding: bool = False
    is_menu: bool = False
    is_link: bool = False
    # Number of the element that holds it beside others.
    container: int = 0


@dataclass(frozen=True, slots=True)
class Page:
    """The text blocks of a page in reading order, and what its metadata say of the article."""

    blocks: tuple[PageBlock, ...] = ()
    imprint: Imprint = NO_IMPRINT


def extract_page(page: str) -> Page:
    """Returns the text blocks of an HTML page and its metadata; a page without text has no blocks.

    Raises `ArticleError` for a page that is out of bounds.
    """
    content = _as_bytes(page)
    size = bounded_size(content)
    root = _parse(content)
    if root is None:
        return Page()
    imprint = read_metadata(root)
    blocks = list(_Blocks(root))
    return Page(tuple(_without_surroundings(blocks, _article_text(page, root, size))), imprint)


def _without_surroundings(blocks: Sequence[PageBlock], article: str | None) -> Iterator[PageBlock]:
    """Yields the blocks, those outside the article as such."""
    if article is None:
        # Without an article the whole page counts, but for what pages mark up as their surroundings.
        inside = {number for number, block in enumerate(blocks) if not block.is_surrounding}
        inside = inside or set(range(len(blocks)))
    else:
        preferred = [not block.is_surrounding for block in blocks]
        inside = blocks_within([block.text for block in blocks], preferred, article)
        inside |= _beside(blocks, inside)
        inside = {number for number in inside if not blocks[number].is_menu} or inside
    for number, block in enumerate(blocks):
        yield block if number in inside else replace(block, kind="outside")


def _beside(blocks: Sequence[PageBlock], inside: set[int]) -> set[int]:
    """Returns the blocks that an extraction lost between paragraphs of the same element, and repeated paragraphs."""
    last = {blocks[number].container: number for number in sorted(inside)}
    first = {blocks[number].container: number for number in sorted(inside, reverse=True)}
    texts = {(blocks[number].container, blocks[number].text) for number in inside}
    return {
        number
        for number, block in enumerate(blocks)
        if block.container in last
        and not (block.is_surrounding or block.is_link)
        and (first[block.container] < number < last[block.container] or (block.container, block.text) in texts)
    }


def _parse(page: bytes) -> html.HtmlElement | None:
    # huge_tree stays off, so that libxml2 limits depth and size.
    parser = html.HTMLParser(remove_comments=True, remove_pis=True, encoding="utf-8")
    try:
        return html.document_fromstring(page, parser=parser)
    except (etree.ParserError, etree.XMLSyntaxError):
        return None


def _as_bytes(page: str) -> bytes:
    return _ENCODING_DECLARATION.sub("", page).encode("utf-8", "replace")


def _article_text(page: str, root: html.HtmlElement, size: PageSize) -> str | None:
    """Returns the article as trafilatura extracts it; None where it finds none, or would search for very long."""
    if not _is_soon_extracted(size):
        page = _without_navigation(root)
        if not _is_soon_extracted(bounded_size(_as_bytes(page))):
            return None
    from trafilatura import extract  # noqa: PLC0415 - costs a third of a second, and only HTML needs it

    article: str | None = extract(
        page, output_format="txt", include_comments=False, favor_recall=True, deduplicate=False
    )
    return article if article and article.strip() else None


def _is_soon_extracted(size: PageSize) -> bool:
    return size.list_items <= _MOST_LIST_ITEMS and size.most_children <= _MOST_CHILDREN


def _without_navigation(root: html.HtmlElement) -> str:
    """Returns a page without its menus and whatever else stands around the article; changes the page."""
    for element in list(root.iter(*_SURROUNDINGS, *_LISTS_OF_MANY)):
        element.clear(keep_tail=True)
    content: str = html.tostring(root, encoding="unicode")
    return content


class _Blocks:
    """The text blocks of a page, whether they belong to the article or not, as an iterator."""

    def __init__(self, root: html.HtmlElement) -> None:
        self._root = root
        self._parts: list[str] = []
        self._kind: BlockKind = "paragraph"
        self._containers: dict[html.HtmlElement, int] = {}
        self._container = 0
        self._depth = dict.fromkeys(("surroundings", "nav", "a", "pre"), 0)
        self._linked = 0
        self._after_break = False

    def __iter__(self) -> Iterator[PageBlock]:
        for event, element in _walk(self._root):
            starts = event == "start"
            if _divides(element):
                yield from self._close()
                self._open(element if starts else element.getparent())
            elif element.tag in _SOMETIMES_INLINE:
                self._parts.append(" ")
            if element.tag == "br" and starts:
                yield from self._break_line()
            if starts:
                self._count(element, 1)
            text = (element.text if starts else element.tail) or ""
            *before, last = _BLANK_LINE.split(text) if self._depth["pre"] else [text]
            for part in before:
                self._add(part, is_linked=starts or element.tag != "a")
                yield from self._close()
            self._add(last, is_linked=starts or element.tag != "a")
            if not starts:
                self._count(element, -1)
        yield from self._close()

    def _open(self, element: html.HtmlElement | None) -> None:
        self._kind = _block_kind(element)
        holder = element.getparent() if element is not None and element.tag in _LEAVES else element
        self._container = self._containers.setdefault(holder, len(self._containers) + 1) if holder is not None else 0

    def _count(self, element: html.HtmlElement, step: int) -> None:
        for name in ("surroundings" if element.tag in _SURROUNDINGS else "", element.tag):
            if name in self._depth:
                self._depth[name] += step

    def _add(self, text: str, *, is_linked: bool) -> None:
        self._parts.append(text)
        if text.strip():
            self._after_break = False
            self._linked += len(text) if self._depth["a"] and is_linked else 0

    def _break_line(self) -> Iterator[PageBlock]:
        """A line break ends a paragraph after a sentence, and where two follow each other."""
        if self._after_break or _SENTENCE_END.search("".join(self._parts[-3:])):
            yield from self._close()
        else:
            self._parts.append(" ")
        self._after_break = True

    def _close(self) -> Iterator[PageBlock]:
        text = _SPACE.sub(" ", "".join(self._parts)).strip()
        if text:
            is_surrounding, is_menu = self._depth["surroundings"] > 0, self._depth["nav"] > 0
            is_link = self._linked >= _LINKED * len(text)
            yield PageBlock(text, self._kind, is_surrounding, is_menu, is_link, self._container)
        self._parts.clear()
        self._after_break, self._linked = False, 0


def _walk(root: html.HtmlElement) -> Iterator[tuple[str, html.HtmlElement]]:
    """Yields the start and the end of every element with visible text; deep pages rule out recursion."""
    walker = etree.iterwalk(root, events=("start", "end"))
    for event, element in walker:
        if event == "start" and _is_hidden(element):
            walker.skip_subtree()
            element.text = None
        yield event, element


def _is_hidden(element: html.HtmlElement) -> bool:
    if element.tag in _HIDDEN:
        return True
    if element.tag not in _INLINE:
        # Some sites hide whole articles until a script has run.
        return False
    return element.get("hidden") is not None or bool(_HIDDEN_STYLE.search(element.get("style") or ""))


def _divides(element: html.HtmlElement) -> bool:
    """Whether an element begins and ends a block."""
    if element.tag in _SOMETIMES_INLINE:
        parent = element.getparent()
        return not any(parent.tag in ("p", "summary", "center", "details") for parent in _near(parent))
    return element.tag in _BLOCKS


def _near(element: html.HtmlElement | None) -> Iterator[html.HtmlElement]:
    """Yields an element and its nearest ancestors."""
    for _ in range(8):
        if element is None:
            return
        yield element
        element = element.getparent()


def _block_kind(element: html.HtmlElement | None) -> BlockKind:
    """Returns what the element or a near ancestor is marked up as."""
    for near in _near(element):
        if near.tag in _HEADINGS:
            return "heading"
        if near.tag in _CAPTIONS:
            return "caption"
        if near.tag in _ITEMS:
            return "item"
    return "paragraph"
