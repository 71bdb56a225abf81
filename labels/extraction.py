"""HTML pages as blocks of text; trafilatura decides which blocks belong to the article and which lie outside."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from lxml import etree, html

BlockKind = Literal["paragraph", "heading", "caption", "outside"]

_HEADINGS = {"h1", "h2", "h3", "h4", "h5", "h6", "title"}
_CAPTIONS = {"figcaption", "caption"}
_BLOCKS = {
    "p", "div", "section", "article", "main", "header", "footer", "aside", "nav", "li", "ul", "ol", "dl", "dt", "dd",
    "blockquote", "pre", "table", "tr", "td", "th", "form", "figure", "address", "body", "html", "br", "hr", "button",
    "option", "select", "label", "center", *_HEADINGS, *_CAPTIONS,
}  # fmt: skip
_HIDDEN = {"script", "style", "noscript", "template", "svg", "head", "iframe", "object", "math", "textarea"}
_SPACE = re.compile(r"\s+")
# The time that trafilatura takes grows with the square of the number of list items: a malicious page could keep a core
# busy for half an hour.
_MAX_LIST_ITEMS = 2000
_ENCODING_DECLARATION = re.compile(r"^\s*<\?xml[^>]{0,200}\?>")


@dataclass(frozen=True, slots=True)
class PageBlock:
    """A block of text of a page with its kind in the markup; each run of white space is folded into a space."""

    text: str
    kind: BlockKind


def extract_blocks(page: str) -> list[PageBlock]:
    """Returns the text blocks of an HTML page in reading order; empty for a page without text."""
    blocks = _page_blocks(page)
    article = _article_text(page)
    if article is None:
        return blocks
    return [block if _without_space(block.text) in article else PageBlock(block.text, "outside") for block in blocks]


def _without_space(text: str) -> str:
    """Removes white space, so that texts of two extractors can be compared although they space differently."""
    return _SPACE.sub("", text)


def _article_text(page: str) -> str | None:
    """Returns the article as trafilatura extracts it, without white space.

    None where trafilatura finds no article; the whole page then counts as the article.
    """
    if page.lower().count("<li") > _MAX_LIST_ITEMS:
        return None
    from trafilatura import extract  # noqa: PLC0415 - costs a third of a second, and only HTML needs it

    article = extract(page, output_format="txt", include_comments=False, favor_recall=True, deduplicate=False)
    return _without_space(article) if article and article.strip() else None


def _page_blocks(page: str) -> list[PageBlock]:
    """Returns all text blocks of a page, whether they belong to the article or not."""
    # huge_tree stays off, so that libxml2 limits depth and size.
    parser = html.HTMLParser(remove_comments=True, remove_pis=True, encoding="utf-8")
    try:
        root = html.document_fromstring(_ENCODING_DECLARATION.sub("", page).encode("utf-8", "replace"), parser=parser)
    except (etree.ParserError, etree.XMLSyntaxError):
        return []
    blocks: list[PageBlock] = []
    parts: list[str] = []
    kind: BlockKind = "paragraph"

    def close() -> None:
        text = _SPACE.sub(" ", "".join(parts)).strip()
        if text:
            blocks.append(PageBlock(text, kind))
        parts.clear()

    for event, element in _walk(root):
        tag = element.tag
        if tag in _BLOCKS:
            close()
            kind = _block_kind(element if event == "start" else element.getparent())
        parts.append((element.text if event == "start" else element.tail) or "")
    close()
    return blocks


def _walk(root: html.HtmlElement) -> Iterator[tuple[str, html.HtmlElement]]:
    """Yields the start and the end of every element with visible text; deep pages rule out recursion."""
    walker = etree.iterwalk(root, events=("start", "end"))
    for event, element in walker:
        if event == "start" and element.tag in _HIDDEN:
            walker.skip_subtree()
            element.text = None
        yield event, element


def _block_kind(element: html.HtmlElement | None) -> BlockKind:
    """Returns heading or caption if the element or a near ancestor is marked up as such, else paragraph."""
    for _ in range(8):
        if element is None:
            break
        if element.tag in _HEADINGS:
            return "heading"
        if element.tag in _CAPTIONS:
            return "caption"
        element = element.getparent()
    return "paragraph"
