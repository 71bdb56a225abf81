"""Import and export of annotations: between files of other tools and the database."""

from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from labels.annotations import Selection
from labels.codebook import Codebook
from labels.exchange import UNKNOWN_CODER, ExchangedAnnotation, ExchangeError, read_apart, require_format
from labels.exchange.options import DEFAULTS, ReadingOptions, spelled
from labels.exchange.reading import Reading, Reason, counted_frames, without_repeats
from labels.exchange.refi_qda import write_codebook
from service.coding.staging import ArticlesChangedError, places_of, require_storable, storing
from service.errors import DatabaseError
from service.store import annotations as store
from service.store import audit
from service.store.callers import Caller
from service.store.sql.database import Database

CODEBOOK_FORMAT = "refi-qdc"

# How often an import begins again because articles of the file were replaced or deleted meanwhile.
_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import stored or, in a dry run, would store, and what it set aside."""

    annotations: int
    coders: tuple[str, ...]
    of_stored_articles: int
    dry_run: bool
    without_frames: int
    adjudications: int
    by_frame: Mapping[str, int]
    by_coder: Mapping[str, int]
    set_aside: int
    reasons: tuple[Reason, ...]
    ignored_labels: Mapping[str, int]
    notes: tuple[str, ...]


def export_annotations(database: Database, codebook: Codebook, format_name: str, *, coder: str | None = None) -> bytes:
    """The annotations and adjudications in force, all or those by `coder`, as a file in the format.

    The format `refi-qdc` holds the codebook alone. Raises `ExchangeError` for an unknown format.
    """
    if format_name == CODEBOOK_FORMAT:
        return write_codebook(codebook)
    exchange_format = require_format(format_name)
    with database.read() as connection:
        in_force = store.in_force(connection)
    annotations = [
        exchanged
        for stored, text in in_force
        if coder in (None, stored.annotation.coder) and (exchanged := _exchanged(stored, text, codebook)) is not None
    ]
    return exchange_format.write(annotations, codebook)


def import_annotations(
    database: Database,
    codebook: Codebook,
    format_name: str,
    data: bytes,
    *,
    options: ReadingOptions = DEFAULTS,
    dry_run: bool = False,
    caller: Caller,
) -> Imported:
    """Stores the annotations of a file, all or none, and all at the same moment.

    Others can write while the file is read and checked (`service.coding.staging`).
    An annotation with the article id, paragraph number and text of a stored paragraph belongs to that paragraph. Any
    other is stored together with its text. Raises `ExchangeError`, which names every bad row, and for a file of which
    nothing would be stored.
    """
    reading = read_apart(format_name, data, codebook, options)
    _require_coders(reading)
    require_storable(reading.annotations, codebook)
    for _ in range(_ATTEMPTS):
        with suppress(ArticlesChangedError):
            return _imported(database, codebook, format_name, reading, dry_run=dry_run, caller=caller)
    raise DatabaseError("Articles of the file are being changed all the time; nothing was stored. Try again later.")


def _imported(
    database: Database, codebook: Codebook, format_name: str, reading: Reading, *, dry_run: bool, caller: Caller
) -> Imported:
    with database.read() as connection:
        places = places_of(connection, reading.annotations)
        covered = _covered_by_version(connection, reading, codebook)
    by_key = {place.unit.key: place for place in places}
    keyed = zip((place.unit.key for place in places), reading.annotations, strict=True)
    counted, repeated = without_repeats(keyed)
    reading = replace(
        reading,
        annotations=[annotation for _, annotation in counted],
        set_aside=[*reading.set_aside, *repeated],
    )
    _require_some(reading)
    of_stored_articles = sum(by_key[key].unit.article_id is not None for key, _ in counted)
    imported = _summary(reading, codebook, of_stored_articles, dry_run=dry_run)
    if not dry_run:
        new = ((_new_annotation(entry, by_key[key].unit, codebook, covered), by_key[key]) for key, entry in counted)
        with storing(database, new) as connection:
            coders, count = list(imported.coders), imported.annotations
            audit.note(connection, caller, "import annotations", format_name, annotations=count, coders=coders)
    return imported


def _require_coders(reading: Reading) -> None:
    nameless = sum(annotation.coder == UNKNOWN_CODER for annotation in reading.annotations)
    if nameless:
        count = f"{nameless} of its {len(reading.annotations)} annotations name no coder"
        raise ExchangeError("The file", [f"{count}; name a coder for them with {spelled('coder')}"])


def _require_some(reading: Reading) -> None:
    """Raises `ExchangeError` for a file without any annotation, with the reasons why all of it was set aside."""
    if not reading.annotations:
        reasons = [f"{entry.count} set aside: {entry.reason} ({', '.join(entry.first)})" for entry in reading.reasons]
        raise ExchangeError("The file", ["it has no annotation that could be stored", *reasons])


def _summary(reading: Reading, codebook: Codebook, of_stored_articles: int, *, dry_run: bool) -> Imported:
    annotations = reading.annotations
    by_coder = Counter(annotation.coder for annotation in annotations)
    return Imported(
        annotations=len(annotations),
        coders=tuple(sorted(by_coder)),
        of_stored_articles=of_stored_articles,
        dry_run=dry_run,
        without_frames=sum(not annotation.frames for annotation in annotations),
        adjudications=sum(annotation.role == "adjudicator" for annotation in annotations),
        by_frame=counted_frames(annotations, codebook.keys),
        by_coder=dict(sorted(by_coder.items())),
        set_aside=len(reading.set_aside),
        reasons=reading.reasons,
        ignored_labels=dict(reading.ignored),
        notes=tuple(reading.notes),
    )


def _covered_by_version(
    connection: Connection, reading: Reading, codebook: Codebook
) -> Mapping[int, frozenset[str] | None]:
    """The frames of each version of the codebook that a file names, as far as annotations stored here tell."""
    versions = {annotation.codebook_version or codebook.version for annotation in reading.annotations}
    return {
        version: frozenset(codebook.keys) if version == codebook.version else store.covered_in(connection, version)
        for version in versions
    }


def _new_annotation(
    annotation: ExchangedAnnotation,
    unit: store.CodingUnit,
    codebook: Codebook,
    covered: Mapping[int, frozenset[str] | None],
) -> store.NewAnnotation:
    selection: Selection = "chosen"
    if annotation.selection in ("random", "uncertain"):
        selection = "random" if annotation.selection == "random" else "uncertain"
    version = annotation.codebook_version or codebook.version
    return store.NewAnnotation(
        coder=annotation.coder,
        role=annotation.role,
        unit=unit,
        frames=annotation.frames,
        note=annotation.note,
        codebook_version=version,
        selection=selection,
        inclusion_probability=annotation.inclusion_probability,
        covered=covered[version] if annotation.covered is None else annotation.covered,
        unsure=annotation.unsure,
    )


def _exchanged(stored: store.StoredAnnotation, text: str, codebook: Codebook) -> ExchangedAnnotation | None:
    """A stored annotation in the frames of today's codebook; None if it decides about none of them."""
    annotation, today = stored.annotation, stored.annotation.today(codebook)
    covered = frozenset(codebook.keys) if today.covered is None else today.covered
    if not covered:
        return None
    return ExchangedAnnotation(
        coder=annotation.coder,
        text=text,
        source=annotation.unit.source,
        frames=today.frames,
        article_id=annotation.unit.article_id,
        paragraph=annotation.unit.paragraph,
        note=annotation.note,
        selection=annotation.selection,
        inclusion_probability=annotation.inclusion_probability,
        codebook_version=annotation.codebook_version,
        created_at=stored.created_at.isoformat(),
        role=annotation.role,
        covered=covered,
        unsure=annotation.unsure,
    )
