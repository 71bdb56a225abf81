"""Import and export of annotations: between files of other tools and the database."""

from dataclasses import dataclass, replace

from sqlalchemy import Connection

from labels.annotations import Selection
from labels.codebook import Codebook
from labels.exchange import UNKNOWN_CODER, ExchangedAnnotation, ExchangeError, require_format
from labels.exchange.refi_qda import write_codebook
from service.store import annotations as store
from service.store import audit
from service.store.callers import Caller
from service.store.sql.database import Database

CODEBOOK_FORMAT = "refi-qdc"


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import stored or, in a dry run, would store."""

    annotations: int
    coders: tuple[str, ...]
    of_stored_articles: int
    dry_run: bool


def export_annotations(database: Database, codebook: Codebook, format_name: str, *, coder: str | None = None) -> bytes:
    """The coders' annotations in force, all or those by `coder`, as a file in the format.

    The format `refi-qdc` holds the codebook alone. Raises `ExchangeError` for an unknown format.
    """
    if format_name == CODEBOOK_FORMAT:
        return write_codebook(codebook)
    exchange_format = require_format(format_name)
    with database.read() as connection:
        in_force = store.in_force(connection)
    annotations = [
        _exchanged(stored, text)
        for stored, text in in_force
        if stored.annotation.role == "coder" and coder in (None, stored.annotation.coder)
    ]
    return exchange_format.write(annotations, codebook)


def import_annotations(
    database: Database,
    codebook: Codebook,
    format_name: str,
    data: bytes,
    *,
    coder: str | None = None,
    dry_run: bool = False,
    caller: Caller,
) -> Imported:
    """Stores the annotations of a file, all or none; those without a coder are by `coder`.

    An annotation with the article id, paragraph number and text of a stored paragraph belongs to that paragraph. Any
    other is stored together with its text. Raises `ExchangeError`, which names every bad row.
    """
    exchanged = require_format(format_name).read(data, codebook)
    nameless = sum(annotation.coder == UNKNOWN_CODER for annotation in exchanged)
    if nameless and not coder:
        raise ExchangeError(
            "The file", [f"{nameless} of its {len(exchanged)} annotations name no coder; name a coder for them"]
        )
    exchanged = [
        replace(annotation, coder=coder or "") if annotation.coder == UNKNOWN_CODER else annotation
        for annotation in exchanged
    ]
    coders = tuple(sorted({annotation.coder for annotation in exchanged}))
    with database.write() as connection:
        stored_units = [_stored_unit(connection, annotation) for annotation in exchanged]
        if not dry_run:
            for annotation, stored_unit in zip(exchanged, stored_units, strict=True):
                unit = stored_unit or store.text_unit(annotation.source, annotation.text)
                store.add(connection, _new_annotation(annotation, unit, codebook))
            audit.note(
                connection, caller, "import annotations", format_name, annotations=len(exchanged), coders=list(coders)
            )
    return Imported(len(exchanged), coders, sum(unit is not None for unit in stored_units), dry_run)


def _stored_unit(connection: Connection, annotation: ExchangedAnnotation) -> store.CodingUnit | None:
    """The unit of a stored paragraph with the article id, number and text of the annotation."""
    if annotation.article_id is None or annotation.paragraph is None:
        return None
    if store.paragraph_text(connection, annotation.article_id, annotation.paragraph) != annotation.text:
        return None
    return store.article_unit(connection, annotation.article_id, annotation.paragraph)


def _new_annotation(annotation: ExchangedAnnotation, unit: store.CodingUnit, codebook: Codebook) -> store.NewAnnotation:
    selection: Selection = "chosen"
    if annotation.selection in ("random", "uncertain"):
        selection = "random" if annotation.selection == "random" else "uncertain"
    return store.NewAnnotation(
        coder=annotation.coder,
        role="coder",
        unit=unit,
        frames=annotation.frames,
        note=annotation.note,
        codebook_version=annotation.codebook_version or codebook.version,
        selection=selection,
        inclusion_probability=annotation.inclusion_probability,
    )


def _exchanged(stored: store.StoredAnnotation, text: str) -> ExchangedAnnotation:
    annotation = stored.annotation
    return ExchangedAnnotation(
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
