"""Writing annotations as a project (`.qdpx`)."""

import json
import uuid
import zipfile
from collections.abc import Sequence
from io import BytesIO
from typing import Any

from lxml import etree

from labels.annotations import UNSPECIFIED
from labels.codebook import Codebook
from labels.exchange.annotation import ExchangedAnnotation
from labels.exchange.refi_qda.codebook import NO_FRAME_GUID, add_codes, add_no_frame, code_guid
from labels.exchange.refi_qda.xml import OWN_ORIGIN, PROJECT_SPACE, child, for_xml, guid_of, serialised

_PROJECT_FILE = "project.qde"
_GAP = "\n\n"
_MARK = "\ufeff"


def write(annotations: Sequence[ExchangedAnnotation], codebook: Codebook) -> bytes:
    """Returns a project as a `.qdpx` file."""
    root = etree.Element(
        f"{{{PROJECT_SPACE}}}Project", nsmap={None: PROJECT_SPACE}, name=for_xml(codebook.name), origin=OWN_ORIGIN
    )
    users = child(root, "Users")
    for coder in dict.fromkeys(annotation.coder for annotation in annotations):
        child(users, "User", guid=guid_of("user", coder), name=coder)
    add_no_frame(add_codes(child(root, "CodeBook"), codebook, PROJECT_SPACE))
    sources = child(root, "Sources")
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, group in _by_article(annotations).items():
            guid = guid_of("source", name)
            text = _add_source(sources, guid, name, group)
            # A text that begins with a byte order mark gets another mark, which readers remove.
            archive.writestr(f"sources/{guid}.txt", _MARK * text.startswith(_MARK) + text)
        archive.writestr(_PROJECT_FILE, serialised(root))
    return buffer.getvalue()


def _by_article(annotations: Sequence[ExchangedAnnotation]) -> dict[str, list[ExchangedAnnotation]]:
    """Groups the annotations by article id; a text outside any article gets a name from its source and a hash."""
    articles: dict[str, list[ExchangedAnnotation]] = {}
    for annotation in annotations:
        name = annotation.article_id or f"{annotation.source} {guid_of('text', annotation.text)[:8]}"
        articles.setdefault(name, []).append(annotation)
    return articles


def _add_source(sources: Any, guid: str, name: str, annotations: list[ExchangedAnnotation]) -> str:
    """Adds a text source with a selection for each annotation; returns its text."""
    source = child(
        sources,
        "TextSource",
        guid=guid,
        name=name,
        plainTextPath=f"internal://{guid}.txt",
        creatingUser=guid_of("user", annotations[0].coder),
    )
    starts: dict[tuple[int | None, str], int] = {}
    pieces: list[str] = []
    length = 0
    for annotation in annotations:
        key = annotation.paragraph, annotation.text
        if key not in starts:
            starts[key] = length
            pieces.append(annotation.text + _GAP)
            length += len(pieces[-1])
        _add_selection(source, annotation, starts[key])
    return "".join(pieces)


def _add_selection(source: Any, annotation: ExchangedAnnotation, start: int) -> None:
    user = guid_of("user", annotation.coder)
    metadata = {
        name: value for name, value in annotation.metadata.items() if value not in (None, "") and value is not False
    }
    selection = child(
        source,
        "PlainTextSelection",
        guid=str(uuid.uuid4()),
        name=f"paragraph {'' if annotation.paragraph is None else annotation.paragraph}".strip(),
        startPosition=str(start),
        endPosition=str(start + len(annotation.text)),
        creatingUser=user,
    )
    lines = (f"{name}: {json.dumps(value)}" for name, value in metadata.items())
    child(selection, "Description").text = "\n".join(lines)
    codes = [code_guid(frame, None if s == UNSPECIFIED else s) for frame, s in annotation.frames.items()]
    for code in codes or [NO_FRAME_GUID]:
        coding = child(selection, "Coding", guid=str(uuid.uuid4()), creatingUser=user)
        child(coding, "CodeRef", targetGUID=code)
