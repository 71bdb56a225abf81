"""What the metadata of an HTML page say of its article: JSON-LD, Open Graph, and the older meta elements.

No date is guessed from the text of the page: what nobody states stays unknown.
"""

import json
from collections.abc import Iterator, Mapping
from html import unescape
from typing import Any

from lxml import html

from labels.reading.imprint import NO_IMPRINT, Imprint, first_known, imprint_of

_ARTICLE_TYPES = ("article", "newsarticle", "blogposting", "liveblogposting", "report", "analysisnewsarticle")
_ARTICLE_ENDINGS = ("article", "posting")
_LONGEST_SCRIPT, _MOST_SCRIPTS, _MOST_OBJECTS, _DEEPEST = 2_000_000, 50, 5000, 30

_TITLES = ("og:title", "twitter:title", "dc.title", "headline", "parsely-title")
_AUTHORS = ("author", "article:author", "dc.creator", "parsely-author", "byl", "sailthru.author")
_OUTLETS = ("og:site_name", "application-name", "dc.publisher", "publisher")
_ADDRESSES = ("og:url", "parsely-link")
_DATES = (
    *("article:published_time", "og:published_time", "datepublished", "parsely-pub-date", "sailthru.date"),
    *("dc.date.issued", "dc.date", "dcterms.created", "pubdate", "publishdate", "publish-date", "date"),
)


def read_metadata(root: html.HtmlElement) -> Imprint:
    """Returns what the metadata of a page say of the article."""
    return _from_json_ld(root).or_else(_from_meta_elements(root))


def _from_meta_elements(root: html.HtmlElement) -> Imprint:
    contents: dict[str, str] = {}
    for element in root.iter("meta"):
        content = (element.get("content") or "").strip()
        name = element.get("property") or element.get("name") or element.get("itemprop")
        if content and name:
            contents.setdefault(name.strip().lower(), content)
    author = first_known(contents, _AUTHORS)
    canonical = next((link.get("href") for link in root.iter("link") if _is_canonical(link)), None)
    return imprint_of(
        title=first_known(contents, _TITLES),
        # Many sites put the address of their page on a social network here.
        author=author if author and "://" not in author else None,
        outlet=first_known(contents, _OUTLETS),
        url=first_known(contents, _ADDRESSES) or canonical,
        date=first_known(contents, _DATES),
    )


def _is_canonical(link: html.HtmlElement) -> bool:
    return "canonical" in (link.get("rel") or "").lower().split()


def _from_json_ld(root: html.HtmlElement) -> Imprint:
    for script in _scripts(root):
        try:
            # Some sites write line breaks into their strings.
            content = json.loads(script, strict=False)
        except (ValueError, RecursionError):
            continue
        article = next(filter(_is_article, _objects(content)), None)
        if article is not None:
            return _imprint(article)
    return NO_IMPRINT


def _scripts(root: html.HtmlElement) -> Iterator[str]:
    scripts = (element for element in root.iter("script") if "ld+json" in (element.get("type") or "").lower())
    for _, script in zip(range(_MOST_SCRIPTS), scripts, strict=False):
        content = script.text or ""
        if len(content) <= _LONGEST_SCRIPT:
            yield content.strip().removeprefix("<!--").removesuffix("-->").removesuffix("//")


def _objects(content: Any) -> Iterator[Mapping[str, Any]]:
    """Yields the objects in a JSON-LD script, outer ones first."""
    level = [content]
    count = 0
    for _ in range(_DEEPEST):
        following: list[Any] = []
        for value in level:
            count += 1
            if count > _MOST_OBJECTS:
                return
            if isinstance(value, dict):
                yield value
                following += [inner for inner in value.values() if isinstance(inner, dict | list)]
            elif isinstance(value, list):
                following += value
        level = following


def _is_article(item: Mapping[str, Any]) -> bool:
    kinds = item.get("@type")
    names = [kind.lower() for kind in (kinds if isinstance(kinds, list) else [kinds]) if isinstance(kind, str)]
    return any(name in _ARTICLE_TYPES or name.endswith(_ARTICLE_ENDINGS) for name in names)


def _imprint(article: Mapping[str, Any]) -> Imprint:
    page = article.get("mainEntityOfPage")
    return imprint_of(
        title=_text(article.get("headline")) or _text(article.get("name")),
        author=", ".join(_names(article.get("author"))),
        outlet=next(iter(_names(article.get("publisher"))), None),
        url=_text(article.get("url")) or (_text(page.get("@id")) if isinstance(page, dict) else _text(page)),
        date=_text(article.get("datePublished")) or _text(article.get("dateCreated")),
    )


def _names(value: Any) -> list[str]:
    """Returns the names of persons or organisations, which may be given as objects, as text, or as a list of either."""
    values = value if isinstance(value, list) else [value]
    names = [_text(inner.get("name") if isinstance(inner, dict) else inner) for inner in values[:20]]
    return [name for name in dict.fromkeys(names) if name and "://" not in name]


def _text(value: Any) -> str | None:
    if isinstance(value, list) and value:
        value = value[0]
    # Some sites escape their JSON as if it were HTML.
    return unescape(value) if isinstance(value, str) else None
