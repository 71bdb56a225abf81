"""HTML pages: trafilatura decides which blocks are the article, and the rest of the page is kept as outside of it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from lxml import etree, html

Role = Literal["paragraph", "heading", "caption", "outside"]

_HEADINGS = {"h1", "h2", "h3", "h4", "h5", "h6", "title"}
_CAPTIONS = {"figcaption", "caption"}
_BLOCKS = {
    "p", "div", "section", "article", "main", "header", "footer", "aside", "nav", "li", "ul", "ol", "dl", "dt", "dd",
    "blockquote", "pre", "table", "tr", "td", "th", "form", "figure", "address", "body", "html", "br", "hr", "button",
    "option", "select", "label", "center", *_HEADINGS, *_CAPTIONS,
}  # fmt: skip
_UNSEEN = {"script", "style", "noscript", "template", "svg", "head", "iframe", "object", "math", "textarea"}
_SPACE = re.compile(r"\s+")
_MOST_LIST_ITEMS = 2000
"""Its time grows with the square of the items of a list: a page made to harm would hold a core for half an hour."""
_ENCODING_DECLARATION = re.compile(r"^\s*<\?xml[^>]{0,200}\?>")


@dataclass(frozen=True, slots=True)
class Block:
    """One block of text of a page, white space folded, with its place in the page's structure."""

    text: str
    role: Role


def extract_blocks(page: str) -> list[Block]:
    """The text blocks of an HTML page in reading order; empty for a page without text."""
    blocks = _page_blocks(page)
    article = _article_text(page)
    if article is None:
        return blocks
    return [block if _belongs(block.text, article) else Block(block.text, "outside") for block in blocks]


def _belongs(text: str, article: str) -> bool:
    return _fold(text) in article


def _fold(text: str) -> str:
    """Text without white space, so that two extractors that space differently still compare."""
    return _SPACE.sub("", text)


def _article_text(page: str) -> str | None:
    """What trafilatura takes for the article, folded; None where it finds none and the whole page must do."""
    if page.lower().count("<li") > _MOST_LIST_ITEMS:
        return None
    from trafilatura import extract  # noqa: PLC0415 - costs a third of a second, and only HTML needs it

    found = extract(page, output_format="txt", include_comments=False, favor_recall=True, deduplicate=False)
    return _fold(found) if found and found.strip() else None


def _page_blocks(page: str) -> list[Block]:
    # huge_tree stays off: libxml2 then bounds depth and size itself.
    parser = html.HTMLParser(remove_comments=True, remove_pis=True, encoding="utf-8")
    try:
        root = html.document_fromstring(_ENCODING_DECLARATION.sub("", page).encode("utf-8", "replace"), parser=parser)
    except (etree.ParserError, etree.XMLSyntaxError):
        return []
    blocks: list[Block] = []
    parts: list[str] = []
    role: Role = "paragraph"

    def close() -> None:
        text = _SPACE.sub(" ", "".join(parts)).strip()
        if text:
            blocks.append(Block(text, role))
        parts.clear()

    for event, element in _walk(root):
        tag = element.tag
        if tag in _BLOCKS:
            close()
            role = _role(element) if event == "start" else _role(element.getparent())
        parts.append((element.text if event == "start" else element.tail) or "")
    close()
    return blocks


def _walk(root: html.HtmlElement) -> Iterator[tuple[str, html.HtmlElement]]:
    """Start and end of every element that shows text, without recursion."""
    walker = etree.iterwalk(root, events=("start", "end"))
    for event, element in walker:
        if event == "start" and element.tag in _UNSEEN:
            walker.skip_subtree()
            element.text = None
        yield event, element


def _role(element: html.HtmlElement | None) -> Role:
    """Heading or caption where the element or one of its near ancestors is one."""
    for _ in range(8):
        if element is None:
            break
        if element.tag in _HEADINGS:
            return "heading"
        if element.tag in _CAPTIONS:
            return "caption"
        element = element.getparent()
    return "paragraph"
