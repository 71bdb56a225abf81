"""The codes of REFI-QDA: our codebook as codes, and the codes of another tool as a codebook."""

import re
from collections.abc import Iterator
from typing import Any

from lxml import etree

from labels.annotations import SPECIFIED_STANCES
from labels.codebook import UNKNOWN_COLOUR, Codebook, Frame, codebook_faults
from labels.errors import ExchangeError
from labels.exchange.refi_qda.xml import CODEBOOK_SPACE, OWN_ORIGIN, for_xml, guid_of, parsed, serialised

_CODEBOOK = "The codebook file"
# The code of an annotation that says that no frame is present.
NO_FRAME_CODE = "no frame"
NO_FRAME_GUID = guid_of("no frame", "")
_COLOUR = re.compile("#?(?:[0-9a-fA-F]{2})?([0-9a-fA-F]{6})")


def code_guid(frame: str, stance: str | None) -> str:
    """Returns the GUID of the code of a frame, or of a stance below it."""
    return guid_of("code", f"{frame}/{stance or ''}")


def add_codes(parent: Any, codebook: Codebook, space: str) -> Any:
    """Adds the frames as codes, each with a child for every stance; returns the element that holds them."""
    codes = etree.SubElement(parent, f"{{{space}}}Codes")
    colours = codebook.colours
    for frame in codebook.frames:
        colour = colours[frame.key]
        code = _add_code(codes, code_guid(frame.key, None), frame.key, colour)
        etree.SubElement(code, f"{{{space}}}Description").text = for_xml(frame.definition)
        for stance in SPECIFIED_STANCES:
            _add_code(code, code_guid(frame.key, stance), stance, colour)
    return codes


def add_no_frame(codes: Any) -> None:
    """Adds the code of paragraphs that carry none of the frames."""
    _add_code(codes, NO_FRAME_GUID, NO_FRAME_CODE, UNKNOWN_COLOUR)


def _add_code(parent: Any, guid: str, name: str, colour: str) -> Any:
    tag = parent.tag.replace("}Codes", "}Code")
    return etree.SubElement(parent, tag, guid=guid, name=for_xml(name), isCodable="true", color=colour)


def write_codebook(codebook: Codebook) -> bytes:
    """Returns the codebook as a `.qdc` file."""
    root = etree.Element(f"{{{CODEBOOK_SPACE}}}CodeBook", nsmap={None: CODEBOOK_SPACE}, origin=OWN_ORIGIN)
    add_codes(root, codebook, CODEBOOK_SPACE)
    return serialised(root)


def read_codebook(data: bytes, name: str) -> Codebook:
    """Reads the top codes of a `.qdc` file as a codebook, version 1; ignores their children, which may be stances.

    A top code that cannot be used itself is a folder: the codes in it are read. Keys are made from the names: lower
    case, with underscores. Raises `ExchangeError` if the result is not valid.
    """
    frames: list[Frame] = []
    for code in _top_codes(parsed(data, _CODEBOOK)):
        title = code.get("name", "")
        colour = _COLOUR.fullmatch(code.get("color") or "")
        frames.append(
            Frame(
                key=_key(title, len(frames) + 1),
                title=title,
                definition=(code.findtext("{*}Description") or title).strip(),
                colour=f"#{colour[1]}" if colour else None,
            )
        )
    codebook = Codebook(name, 1, tuple(frames))
    faults = codebook_faults(codebook)
    if faults:
        raise ExchangeError(_CODEBOOK, faults)
    return codebook


def _top_codes(root: Any) -> Iterator[Any]:
    """Yields the top codes; a code that no text can be coded with is a folder of codes."""
    waiting = list(root.iterfind("{*}Codes/{*}Code"))
    while waiting:
        code = waiting.pop(0)
        inside = [*code.iterfind("{*}Code"), *code.iterfind("{*}SubCodes/{*}Code")]
        if inside and code.get("isCodable") in ("false", "0"):
            waiting[:0] = inside
        else:
            yield code


def _key(title: str, number: int) -> str:
    """Returns a key for a code; names in other scripts leave no letters, so such a frame gets a number."""
    key = re.sub(r"[^a-z0-9]+", "_", title.lower()).strip("_")[:64].strip("_")
    return key if key[:1].isalpha() else f"frame_{number}"
