"""REFI-QDA 1.0: codebooks (`.qdc`) and projects (`.qdpx`), as MAXQDA, NVivo, ATLAS.ti and QualCoder exchange them.

Each frame is a code with a child for each stance; each coder a user; each article a plain text source in which a
coder's selection of a paragraph carries the codings. A paragraph that carries nothing is a selection without codings.
"""

import json
import re
import uuid
import zipfile
from collections.abc import Iterator, Sequence
from io import BytesIO
from typing import Any

from lxml import etree

from labels.annotations import STANCES
from labels.codebook import UNKNOWN_COLOUR, Codebook, Frame, codebook_faults
from labels.errors import UNREADABLE_ARCHIVE
from labels.exchange.code import FACTS, UNKNOWN_CODER, Code, ExchangeError, RowError, Rows, facts_of, require_stance

_PROJECT_SPACE, _CODEBOOK_SPACE = "urn:QDA-XML:project:1.0", "urn:QDA-XML:codebook:1.0"
_NAMES = uuid.UUID("8d1f1c0e-54a0-4d5c-9d58-6f1d2b7f9a11")
_PROJECT_FILE = "project.qde"
_LARGEST = 200 * 2**20
_GAP = "\n\n"
_UNHOLDABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def write_codebook(codebook: Codebook) -> bytes:
    """The codebook as `.qdc`."""
    root = etree.Element(f"{{{_CODEBOOK_SPACE}}}CodeBook", nsmap={None: _CODEBOOK_SPACE}, origin="media-framing")
    _add_codes(root, codebook, _CODEBOOK_SPACE)
    return _xml(root)


def read_codebook(data: bytes, name: str) -> Codebook:
    """A codebook, version 1, of the top codes in a `.qdc` file; their children are taken for stances and left out.

    Keys are made from the names: lower case, with underscores. Raises `ExchangeError` where that gives no codebook.
    """
    what = "The codebook file"
    root = _parsed(data, what)
    frames = []
    for code in root.iterfind(f"{{{_CODEBOOK_SPACE}}}Codes/{{{_CODEBOOK_SPACE}}}Code"):
        title = code.get("name", "")
        frames.append(
            Frame(
                key=re.sub(r"[^a-z0-9]+", "_", title.lower()).strip("_"),
                title=title,
                definition=(code.findtext(f"{{{_CODEBOOK_SPACE}}}Description") or title).strip(),
                colour=code.get("color") or UNKNOWN_COLOUR,
            )
        )
    codebook = Codebook(name, 1, tuple(frames))
    faults = codebook_faults(codebook)
    if faults:
        raise ExchangeError(what, faults)
    return codebook


def write(codes: Sequence[Code], codebook: Codebook) -> bytes:
    """A project as `.qdpx`."""
    root = etree.Element(
        f"{{{_PROJECT_SPACE}}}Project", nsmap={None: _PROJECT_SPACE}, name=codebook.name, origin="media-framing"
    )
    users = _child(root, "Users")
    for coder in dict.fromkeys(code.coder for code in codes):
        _child(users, "User", guid=_guid("user", coder), name=coder)
    _add_codes(_child(root, "CodeBook"), codebook, _PROJECT_SPACE)
    sources = _child(root, "Sources")
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, members in _articles(codes).items():
            guid = _guid("source", name)
            archive.writestr(f"sources/{guid}.txt", _add_source(sources, guid, name, members))
        archive.writestr(_PROJECT_FILE, _xml(root))
    return buffer.getvalue()


def _articles(codes: Sequence[Code]) -> dict[str, list[Code]]:
    found: dict[str, list[Code]] = {}
    for code in codes:
        found.setdefault(code.article_id or f"{code.source} {_guid('text', code.text)[:8]}", []).append(code)
    return found


def _add_source(sources: Any, guid: str, name: str, codes: list[Code]) -> str:
    """Adds a text source with a selection for each code; returns its text."""
    source = _child(
        sources,
        "TextSource",
        guid=guid,
        name=name,
        plainTextPath=f"internal://{guid}.txt",
        creatingUser=_guid("user", codes[0].coder),
    )
    starts: dict[tuple[int | None, str], int] = {}
    text = ""
    for code in codes:
        key = code.paragraph, code.text
        if key not in starts:
            starts[key] = len(text)
            text += code.text + _GAP
        start = starts[key]
        _add_selection(source, code, start)
    return text


def _add_selection(source: Any, code: Code, start: int) -> None:
    user = _guid("user", code.coder)
    facts = {name: value for name, value in code.facts.items() if value not in (None, "")}
    selection = _child(
        source,
        "PlainTextSelection",
        guid=str(uuid.uuid4()),
        name=f"paragraph {'' if code.paragraph is None else code.paragraph}".strip(),
        startPosition=str(start),
        endPosition=str(start + len(code.text)),
        creatingUser=user,
    )
    lines = (f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in facts.items())
    _child(selection, "Description").text = _holdable("\n".join(lines))
    for frame, stance in code.frames.items():
        coding = _child(selection, "Coding", guid=str(uuid.uuid4()), creatingUser=user)
        _child(coding, "CodeRef", targetGUID=_code_guid(frame, None if stance == "present" else stance))


def _add_codes(parent: Any, codebook: Codebook, space: str) -> None:
    codes = etree.SubElement(parent, f"{{{space}}}Codes")
    for frame in codebook.frames:
        code = etree.SubElement(
            codes,
            f"{{{space}}}Code",
            guid=_code_guid(frame.key, None),
            name=frame.key,
            isCodable="true",
            color=frame.colour,
        )
        etree.SubElement(code, f"{{{space}}}Description").text = frame.definition
        for stance in STANCES:
            if stance != "present":
                etree.SubElement(
                    code,
                    f"{{{space}}}Code",
                    guid=_code_guid(frame.key, stance),
                    name=stance,
                    isCodable="true",
                    color=frame.colour,
                )


def _code_guid(frame: str, stance: str | None) -> str:
    return _guid("code", f"{frame}/{stance or ''}")


def _guid(kind: str, name: str) -> str:
    return str(uuid.uuid5(_NAMES, f"{kind} {name}"))


def _child(parent: Any, tag: str, /, **attributes: str) -> Any:
    return etree.SubElement(
        parent, f"{{{_PROJECT_SPACE}}}{tag}", {name: _holdable(value) for name, value in attributes.items()}
    )


def _holdable(text: str) -> str:
    """XML cannot hold control characters; they become the replacement character."""
    return _UNHOLDABLE.sub("\ufffd", text)


def _xml(root: Any) -> bytes:
    return bytes(etree.tostring(root, xml_declaration=True, encoding="utf-8", pretty_print=True))


def read(data: bytes, codebook: Codebook) -> list[Code]:
    """Reads a project: text selections with codings whose codes are frames by name (or title), or stances under one."""
    what = "The REFI-QDA project"
    texts, project = _unpacked(data, what)
    root = _parsed(project, what)
    names = _frames_by_guid(root, codebook)
    users = {user.get("guid"): user.get("name") for user in root.iter(f"{{{_PROJECT_SPACE}}}User")}

    def source_codes(source: Any) -> Iterator[Code]:
        text = _text_of(source, texts)
        for selection in source.iter(f"{{{_PROJECT_SPACE}}}PlainTextSelection"):
            yield from _selection_codes(source, selection, text, names, users)

    sources = root.iter(f"{{{_PROJECT_SPACE}}}TextSource")
    return Rows(what).each(((f"source '{s.get('name')}'", s) for s in sources), source_codes)


def _selection_codes(
    source: Any, selection: Any, text: str, names: dict[str, tuple[str, str]], users: dict[Any, Any]
) -> Iterator[Code]:
    try:
        start, end = int(selection.get("startPosition")), int(selection.get("endPosition"))
    except (TypeError, ValueError):
        raise RowError("a selection has no position") from None
    if not 0 <= start < end <= len(text) or not text[start:end].strip():
        raise RowError(f"the selection from {start} to {end} lies outside of the text")
    by_user: dict[Any, dict[str, Any]] = {selection.get("creatingUser"): {}}
    for coding in selection.iter(f"{{{_PROJECT_SPACE}}}Coding"):
        frames = by_user.setdefault(coding.get("creatingUser") or selection.get("creatingUser"), {})
        for reference in coding.iter(f"{{{_PROJECT_SPACE}}}CodeRef"):
            if reference.get("targetGUID") not in names:
                raise RowError("a coding names a code that is no frame of the codebook")
            frame, stance = names[reference.get("targetGUID")]
            frames[frame] = require_stance(stance) if stance != "present" else frames.get(frame, "present")
    facts = facts_of(_facts(selection), str(source.get("name") or "refi-qda"))
    own = by_user.pop(selection.get("creatingUser"))
    if own or not by_user:
        yield Code(_user(users, selection.get("creatingUser")), text[start:end], frames=own, **facts)
    for user, frames in by_user.items():
        yield Code(_user(users, user), text[start:end], frames=frames, **facts)


def _user(users: dict[Any, Any], guid: Any) -> str:
    return str(users.get(guid) or UNKNOWN_CODER)


def _facts(selection: Any) -> dict[str, Any]:
    """Metadata that `write` put into the description; other tools' descriptions are notes."""
    description = selection.findtext(f"{{{_PROJECT_SPACE}}}Description") or ""
    pairs = [line.partition(": ") for line in description.splitlines()]
    if not pairs or not all(name in FACTS for name, _, _ in pairs):
        return {"note": description}
    try:
        return {name: json.loads(value) for name, _, value in pairs}
    except ValueError:
        return {"note": description}


def _frames_by_guid(root: Any, codebook: Codebook) -> dict[str, tuple[str, str]]:
    """Frame and stance of each code of the project that stands for one."""
    by_name = {name: frame.key for frame in codebook.frames for name in (frame.key, frame.title)}
    found = {}
    for code in root.iter(f"{{{_PROJECT_SPACE}}}Code"):
        name, parent = code.get("name"), code.getparent().get("name")
        if name in by_name:
            found[code.get("guid")] = by_name[name], "present"
        elif parent in by_name and name in STANCES:
            found[code.get("guid")] = by_name[parent], name
    return found


def _text_of(source: Any, texts: dict[str, str]) -> str:
    inline = source.findtext(f"{{{_PROJECT_SPACE}}}PlainTextContent")
    if inline is not None:
        return str(inline)
    path = str(source.get("plainTextPath", "")).removeprefix("internal://")
    if path not in texts:
        raise RowError(f"its text '{path}' is not in the project")
    return texts[path]


def _unpacked(data: bytes, what: str) -> tuple[dict[str, str], bytes]:
    """Texts by file name, and the project; nothing is written to disk, and a bomb is refused before it is unpacked."""
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            members = archive.infolist()
            if sum(member.file_size for member in members) > _LARGEST or len(members) > 100_000:
                raise ExchangeError(what, ["it is larger than 200 MiB when unpacked"])
            texts = {
                member.filename.rsplit("/", 1)[-1]: archive.read(member).decode("utf-8-sig")
                for member in members
                if member.filename.lower().startswith("sources/") and member.filename.endswith(".txt")
            }
            return texts, archive.read(_PROJECT_FILE)
    except UNREADABLE_ARCHIVE as error:
        raise ExchangeError(what, ["it is not a zip file with a project.qde and UTF-8 texts"]) from error


def _parsed(data: bytes, what: str) -> Any:
    """The XML, without entities, network or deep trees."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise ExchangeError(what, ["it is not well-formed XML"]) from error
    if root.getroottree().docinfo.doctype:
        raise ExchangeError(what, ["it declares a document type, which may hide entity attacks"])
    return root
