"""Importing and exporting codes: between files of other tools and the database."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from labels.codebook import Codebook
from labels.exchange import Code, ExchangeError, require_format
from labels.exchange.code import UNKNOWN_CODER
from labels.exchange.refi_qda import write_codebook
from service.store import annotations as store
from service.store import audit
from service.store.callers import Caller
from service.store.sql.database import Database

CODEBOOK_FORMAT = "refi-qdc"


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did, or would do."""

    codes: int
    coders: tuple[str, ...]
    of_stored_articles: int
    dry_run: bool


def export_codes(database: Database, codebook: Codebook, format_name: str, *, coder: str | None = None) -> bytes:
    """All codes in force, or those of one coder, as a file of the format; `refi-qdc` gives the codebook alone."""
    if format_name == CODEBOOK_FORMAT:
        return write_codebook(codebook)
    chosen = require_format(format_name)
    with database.read() as connection:
        found = store.in_force(connection)
    codes = [
        _code(stored, text)
        for stored, text in found
        if stored.annotation.role == "coder" and coder in (None, stored.annotation.coder)
    ]
    return chosen.write(codes, codebook)


def import_codes(
    database: Database,
    codebook: Codebook,
    format_name: str,
    data: bytes,
    *,
    coder: str | None = None,
    dry_run: bool = False,
    caller: Caller,
) -> Imported:
    """Stores the codes of a file, all or none; `coder` stands in where the file names none.

    A code of a stored paragraph finds it again by article id, number and text; any other is kept as a text of its own.
    Raises `ExchangeError` naming every bad row.
    """
    codes = require_format(format_name).read(data, codebook)
    nameless = sum(code.coder == UNKNOWN_CODER for code in codes)
    if nameless and not coder:
        raise ExchangeError("The file", [f"{nameless} codes name no coder; say whose they are"])
    codes = [code if code.coder != UNKNOWN_CODER else replace(code, coder=coder or "") for code in codes]
    of_articles = 0
    with database.write() as connection:
        for code in codes:
            unit = None
            if code.article_id is not None and code.paragraph is not None:
                text = store.paragraph_text(connection, code.article_id, code.paragraph)
                unit = store.article_unit(connection, code.article_id, code.paragraph) if text == code.text else None
            of_articles += unit is not None
            if not dry_run:
                store.add(connection, _annotation(code, unit or store.text_unit(code.source, code.text), codebook))
        if not dry_run:
            audit.note(connection, caller, "import codes", format_name, codes=len(codes), coders=list(_coders(codes)))
    return Imported(len(codes), _coders(codes), of_articles, dry_run)


def _coders(codes: Sequence[Code]) -> tuple[str, ...]:
    return tuple(sorted({code.coder for code in codes}))


def _annotation(code: Code, unit: store.Unit, codebook: Codebook) -> store.NewAnnotation:
    selection: store.Selection = "chosen"
    if code.selection in ("random", "uncertain"):
        selection = "random" if code.selection == "random" else "uncertain"
    return store.NewAnnotation(
        coder=code.coder,
        role="coder",
        unit=unit,
        frames=code.frames,
        note=code.note,
        codebook_version=code.codebook_version or codebook.version,
        selection=selection,
        inclusion_probability=code.inclusion_probability,
    )


def _code(stored: store.StoredAnnotation, text: str) -> Code:
    annotation = stored.annotation
    return Code(
        coder=annotation.coder,
        text=text,
        source=annotation.unit.source,
        frames=annotation.frames,
        article_id=annotation.unit.article_id,
        paragraph=annotation.unit.paragraph,
        note=annotation.note,
        selection=annotation.selection,
        inclusion_probability=annotation.inclusion_probability,
        codebook_version=annotation.codebook_version,
        created_at=stored.created_at.isoformat(),
    )
