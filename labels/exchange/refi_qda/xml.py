"""XML of REFI-QDA: parsed without entities, network access or deep trees, and written without forbidden characters."""

import re
import uuid
from collections.abc import Iterator
from typing import Any

from lxml import etree

from labels.errors import ExchangeError

PROJECT_SPACE, CODEBOOK_SPACE = "urn:QDA-XML:project:1.0", "urn:QDA-XML:codebook:1.0"
# What our own files say in `origin`.
OWN_ORIGIN = "media-framing"
# An element or an attribute takes some hundred bytes of memory; a project of 100,000 annotations has 3 million of them.
_MOST_MARKS = 8_000_000
# The name space of the identifiers: the same name always has the same GUID.
_NAMES = uuid.UUID("8d1f1c0e-54a0-4d5c-9d58-6f1d2b7f9a11")
_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def guid_of(kind: str, name: str) -> str:
    """Returns the GUID that this program gives to a thing of that kind and name."""
    return str(uuid.uuid5(_NAMES, f"{kind} {name}"))


def plain_guid(guid: str | None) -> str:
    """Returns a GUID as it can be compared: programs write it in capitals or in braces."""
    return (guid or "").strip().strip("{}").lower()


def child(parent: Any, tag: str, /, **attributes: str) -> Any:
    """Adds an element of a project below another element."""
    values = {name: for_xml(value) for name, value in attributes.items()}
    return etree.SubElement(parent, f"{{{PROJECT_SPACE}}}{tag}", values)


def elements(parent: Any, *tags: str) -> Iterator[Any]:
    """Yields the elements below another, at any depth, by their tags, in whatever version of the standard."""
    return iter(parent.iter(*(f"{{*}}{tag}" for tag in tags)))


def for_xml(text: str) -> str:
    """Replaces control characters, which XML cannot represent, by the replacement character."""
    return _NOT_IN_XML.sub("\ufffd", text)


def serialised(root: Any) -> bytes:
    return bytes(etree.tostring(root, xml_declaration=True, encoding="utf-8", pretty_print=True))


def parsed(data: bytes, subject: str) -> Any:
    """Returns the root of an XML document; raises `ExchangeError`, which names the file as `subject`."""
    if data.count(b"<") + data.count(b"=") > _MOST_MARKS:
        raise ExchangeError(subject, [f"it has more than {_MOST_MARKS:,} tags and attributes"])
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise ExchangeError(subject, ["it is not well-formed XML"]) from error
    if root.getroottree().docinfo.doctype:
        raise ExchangeError(subject, ["it declares a document type, which may hide entity attacks"])
    return root
