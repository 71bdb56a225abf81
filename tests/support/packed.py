"""Word documents and zip files, made in memory."""

import io
import zipfile
from collections.abc import Mapping

import docx


def word_of(*paragraphs: str) -> bytes:
    """Returns a Word document with these paragraphs."""
    document = docx.Document()
    for paragraph in paragraphs:
        document.add_paragraph(paragraph)
    file = io.BytesIO()
    document.save(file)
    return file.getvalue()


def zip_of(files: Mapping[str, str | bytes]) -> bytes:
    """Returns a zip file with these files by name."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return file.getvalue()
