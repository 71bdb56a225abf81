"""REFI-QDA 1.0: codebooks (`.qdc`) and projects (`.qdpx`), as MAXQDA, NVivo, ATLAS.ti and QualCoder exchange them.

In the words of the standard: a frame is a code with a child for each stance, a coder is a user, and an article is a
plain text source. A coder's annotation is a selection of the paragraph with a coding for each frame; a selection
without codings says that the paragraph carries no frame.
"""

import json
import re
import uuid
import zipfile
from collections.abc import Iterator, Sequence
from io import BytesIO
from typing import Any

from lxml import etree

from labels.annotations import SPECIFIED_STANCES, STANCES, UNSPECIFIED
from labels.codebook import UNKNOWN_COLOUR, Codebook, Frame, codebook_faults
from labels.errors import UNREADABLE_ARCHIVE, ExchangeError
from labels.exchange.annotation import METADATA, UNKNOWN_CODER, ExchangedAnnotation
from labels.exchange.parsing import RowError, checked_metadata, read_rows, require_stance

_CODEBOOK, _PROJECT = "The codebook file", "The REFI-QDA project"
_PROJECT_SPACE, _CODEBOOK_SPACE = "urn:QDA-XML:project:1.0", "urn:QDA-XML:codebook:1.0"
# The name space of the identifiers: the same name always has the same GUID.
_NAMES = uuid.UUID("8d1f1c0e-54a0-4d5c-9d58-6f1d2b7f9a11")
_PROJECT_FILE = "project.qde"
_MAX_UNPACKED_BYTES = 200 * 2**20
_GAP = "\n\n"
_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def write_codebook(codebook: Codebook) -> bytes:
    """Returns the codebook as a `.qdc` file."""
    root = etree.Element(f"{{{_CODEBOOK_SPACE}}}CodeBook", nsmap={None: _CODEBOOK_SPACE}, origin="media-framing")
    _add_codes(root, codebook, _CODEBOOK_SPACE)
    return _xml(root)


def read_codebook(data: bytes, name: str) -> Codebook:
    """Reads the top codes of a `.qdc` file as a codebook, version 1; ignores their children, which may be stances.

    Keys are made from the names: lower case, with underscores. Raises `ExchangeError` if the result is not valid.
    """
    root = _parsed(data, _CODEBOOK)
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
        raise ExchangeError(_CODEBOOK, faults)
    return codebook


def write(annotations: Sequence[ExchangedAnnotation], codebook: Codebook) -> bytes:
    """Returns a project as a `.qdpx` file."""
    root = etree.Element(
        f"{{{_PROJECT_SPACE}}}Project", nsmap={None: _PROJECT_SPACE}, name=codebook.name, origin="media-framing"
    )
    users = _child(root, "Users")
    for coder in dict.fromkeys(annotation.coder for annotation in annotations):
        _child(users, "User", guid=_guid("user", coder), name=coder)
    _add_codes(_child(root, "CodeBook"), codebook, _PROJECT_SPACE)
    sources = _child(root, "Sources")
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, group in _by_article(annotations).items():
            guid = _guid("source", name)
            archive.writestr(f"sources/{guid}.txt", _add_source(sources, guid, name, group))
        archive.writestr(_PROJECT_FILE, _xml(root))
    return buffer.getvalue()


def _by_article(annotations: Sequence[ExchangedAnnotation]) -> dict[str, list[ExchangedAnnotation]]:
    """Groups the annotations by article id; a text outside any article gets a name from its source and a hash."""
    articles: dict[str, list[ExchangedAnnotation]] = {}
    for annotation in annotations:
        name = annotation.article_id or f"{annotation.source} {_guid('text', annotation.text)[:8]}"
        articles.setdefault(name, []).append(annotation)
    return articles


def _add_source(sources: Any, guid: str, name: str, annotations: list[ExchangedAnnotation]) -> str:
    """Adds a text source with a selection for each annotation; returns its text."""
    source = _child(
        sources,
        "TextSource",
        guid=guid,
        name=name,
        plainTextPath=f"internal://{guid}.txt",
        creatingUser=_guid("user", annotations[0].coder),
    )
    starts: dict[tuple[int | None, str], int] = {}
    text = ""
    for annotation in annotations:
        key = annotation.paragraph, annotation.text
        if key not in starts:
            starts[key] = len(text)
            text += annotation.text + _GAP
        _add_selection(source, annotation, starts[key])
    return text


def _add_selection(source: Any, annotation: ExchangedAnnotation, start: int) -> None:
    user = _guid("user", annotation.coder)
    metadata = {name: value for name, value in annotation.metadata.items() if value not in (None, "")}
    selection = _child(
        source,
        "PlainTextSelection",
        guid=str(uuid.uuid4()),
        name=f"paragraph {'' if annotation.paragraph is None else annotation.paragraph}".strip(),
        startPosition=str(start),
        endPosition=str(start + len(annotation.text)),
        creatingUser=user,
    )
    lines = (f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in metadata.items())
    _child(selection, "Description").text = _for_xml("\n".join(lines))
    for frame, stance in annotation.frames.items():
        coding = _child(selection, "Coding", guid=str(uuid.uuid4()), creatingUser=user)
        _child(coding, "CodeRef", targetGUID=_code_guid(frame, None if stance == UNSPECIFIED else stance))


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
        for stance in SPECIFIED_STANCES:
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
        parent, f"{{{_PROJECT_SPACE}}}{tag}", {name: _for_xml(value) for name, value in attributes.items()}
    )


def _for_xml(text: str) -> str:
    """Replaces control characters, which XML cannot represent, by the replacement character."""
    return _NOT_IN_XML.sub("\ufffd", text)


def _xml(root: Any) -> bytes:
    return bytes(etree.tostring(root, xml_declaration=True, encoding="utf-8", pretty_print=True))


def read(data: bytes, codebook: Codebook) -> list[ExchangedAnnotation]:
    """Reads the text selections of a project with their codings.

    A code is the frame with its name as key or title, or a stance below such a code.
    """
    texts, project = _unpacked(data)
    root = _parsed(project, _PROJECT)
    frames = _frames_by_guid(root, codebook)
    users = {user.get("guid"): user.get("name") for user in root.iter(f"{{{_PROJECT_SPACE}}}User")}

    def of_source(source: Any) -> Iterator[ExchangedAnnotation]:
        text = _source_text(source, texts)
        for selection in source.iter(f"{{{_PROJECT_SPACE}}}PlainTextSelection"):
            yield from _of_selection(source, selection, text, frames, users)

    sources = root.iter(f"{{{_PROJECT_SPACE}}}TextSource")
    return read_rows(_PROJECT, ((f"source '{s.get('name')}'", s) for s in sources), of_source)


def _of_selection(
    source: Any, selection: Any, text: str, frames_by_guid: dict[str, tuple[str, str]], users: dict[Any, Any]
) -> Iterator[ExchangedAnnotation]:
    """Yields an annotation for each user with codings in the selection, or for its creator if it has no codings."""
    try:
        start, end = int(selection.get("startPosition")), int(selection.get("endPosition"))
    except (TypeError, ValueError):
        raise RowError("a selection has no position") from None
    if not 0 <= start < end <= len(text) or not text[start:end].strip():
        raise RowError(f"the selection from {start} to {end} lies outside the text")
    by_user: dict[Any, dict[str, Any]] = {selection.get("creatingUser"): {}}
    for coding in selection.iter(f"{{{_PROJECT_SPACE}}}Coding"):
        frames = by_user.setdefault(coding.get("creatingUser") or selection.get("creatingUser"), {})
        for reference in coding.iter(f"{{{_PROJECT_SPACE}}}CodeRef"):
            if reference.get("targetGUID") not in frames_by_guid:
                raise RowError("a coding names a code that is not a frame of the codebook")
            frame, stance = frames_by_guid[reference.get("targetGUID")]
            frames[frame] = require_stance(stance) if stance != UNSPECIFIED else frames.get(frame, UNSPECIFIED)
    metadata = checked_metadata(_metadata(selection), str(source.get("name") or "refi-qda"))
    own = by_user.pop(selection.get("creatingUser"))
    if own or not by_user:
        yield ExchangedAnnotation(_coder(users, selection.get("creatingUser")), text[start:end], frames=own, **metadata)
    for user, frames in by_user.items():
        yield ExchangedAnnotation(_coder(users, user), text[start:end], frames=frames, **metadata)


def _coder(users: dict[Any, Any], guid: Any) -> str:
    return str(users.get(guid) or UNKNOWN_CODER)


def _metadata(selection: Any) -> dict[str, Any]:
    """Returns the metadata that `write` put into the description; a description by another tool is a note."""
    description = selection.findtext(f"{{{_PROJECT_SPACE}}}Description") or ""
    pairs = [line.partition(": ") for line in description.splitlines()]
    if not pairs or not all(name in METADATA for name, _, _ in pairs):
        return {"note": description}
    try:
        return {name: json.loads(value) for name, _, value in pairs}
    except ValueError:
        return {"note": description}


def _frames_by_guid(root: Any, codebook: Codebook) -> dict[str, tuple[str, str]]:
    """Returns the frame and the stance of each code of the project that stands for a frame."""
    by_name = {name: frame.key for frame in codebook.frames for name in (frame.key, frame.title)}
    frames: dict[str, tuple[str, str]] = {}
    for code in root.iter(f"{{{_PROJECT_SPACE}}}Code"):
        name, parent = code.get("name"), code.getparent().get("name")
        if name in by_name:
            frames[code.get("guid")] = by_name[name], UNSPECIFIED
        elif parent in by_name and name in STANCES:
            frames[code.get("guid")] = by_name[parent], name
    return frames


def _source_text(source: Any, texts: dict[str, str]) -> str:
    inline = source.findtext(f"{{{_PROJECT_SPACE}}}PlainTextContent")
    if inline is not None:
        return str(inline)
    path = str(source.get("plainTextPath", "")).removeprefix("internal://")
    if path not in texts:
        raise RowError(f"its text '{path}' is not in the project")
    return texts[path]


def _unpacked(data: bytes) -> tuple[dict[str, str], bytes]:
    """Returns the texts by file name, and the project file.

    Nothing is written to disk, and an archive that would be too large is rejected before it is unpacked.
    """
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            members = archive.infolist()
            if sum(member.file_size for member in members) > _MAX_UNPACKED_BYTES or len(members) > 100_000:
                raise ExchangeError(_PROJECT, ["it is larger than 200 MiB when unpacked"])
            texts = {
                member.filename.rsplit("/", 1)[-1]: archive.read(member).decode("utf-8-sig")
                for member in members
                if member.filename.lower().startswith("sources/") and member.filename.endswith(".txt")
            }
            return texts, archive.read(_PROJECT_FILE)
    except UNREADABLE_ARCHIVE as error:
        raise ExchangeError(_PROJECT, ["it is not a zip file with a project.qde and UTF-8 texts"]) from error


def _parsed(data: bytes, subject: str) -> Any:
    """Returns the root of an XML document, read without entities, network access or deep trees."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise ExchangeError(subject, ["it is not well-formed XML"]) from error
    if root.getroottree().docinfo.doctype:
        raise ExchangeError(subject, ["it declares a document type, which may hide entity attacks"])
    return root
