"""Coders' annotations, with their history: per coder, role and unit, only the newest annotation is in force."""

import hashlib
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Row, Select, func, insert, select, update

from labels.annotations import Annotation, CodedParagraph, Selection, Stance, annotation_today
from labels.codebook import Codebook
from service.store.sql.database import Database
from service.store.sql.paging import newest_page
from service.store.tables import annotations, articles, paragraphs

CoderRole = Literal["coder", "adjudicator"]


@dataclass(frozen=True, slots=True)
class CodingUnit:
    """What is coded: a paragraph of a stored article, or a text that the request contains."""

    key: str
    source: str
    article_number: int | None = None
    article_id: str | None = None
    paragraph: int | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class NewAnnotation:
    """A coder's decision on a unit, and why the unit was coded."""

    coder: str
    role: CoderRole
    unit: CodingUnit
    frames: Mapping[str, Stance]
    note: str
    codebook_version: int
    selection: Selection = "chosen"
    inclusion_probability: float | None = None
    # The keys of the frames that the coder decided about; None where only the version of the codebook is known.
    covered: frozenset[str] | None = None
    # Whether the coder asks for another look at the decision.
    unsure: bool = False

    def today(self, codebook: Codebook) -> Annotation:
        """The annotation in the frames of today's codebook."""
        return annotation_today(self.coder, self.frames, codebook, covered=self.covered, version=self.codebook_version)

    def completed_by(self, earlier: "NewAnnotation", codebook: Codebook) -> "NewAnnotation":
        """The annotation with what an earlier one says of the frames that it does not cover, in today's frames."""
        before, covered = earlier.today(codebook), self.covered or frozenset()
        decided = frozenset(key for key in codebook.keys if before.decides(key))
        others = {frame: stance for frame, stance in before.frames.items() if frame not in covered}
        drawn = earlier if self.inclusion_probability is None else self
        return replace(
            self,
            frames={**others, **self.frames},
            covered=covered | decided,
            note=self.note or earlier.note,
            unsure=self.unsure or earlier.unsure,
            selection=drawn.selection,
            inclusion_probability=drawn.inclusion_probability,
        )


@dataclass(frozen=True, slots=True)
class StoredAnnotation:
    """A stored annotation; `replaced_at` is None while it is in force."""

    id: str
    annotation: NewAnnotation
    created_at: datetime
    replaced_at: datetime | None


@dataclass(frozen=True, slots=True)
class RecentAnnotation:
    """An annotation in force of a stored paragraph, with the text of the paragraph and what is known of its article."""

    stored: StoredAnnotation
    text: str
    title: str | None
    outlet: str | None


@dataclass(frozen=True, slots=True)
class AnnotationFilters:
    """Which annotations to list; `history` includes those that have been replaced or deleted."""

    coder: str | None = None
    article_id: str | None = None
    source: str | None = None
    selection: Selection | None = None
    unsure: bool | None = None
    history: bool = False


def article_unit(connection: Connection, article_id: str, paragraph: int) -> CodingUnit | None:
    """The unit of a stored paragraph; None if the article or the paragraph is not stored."""
    if paragraph < 0:
        return _former_unit(connection, article_id, paragraph)
    row = connection.execute(
        select(articles.c.number, articles.c.outlet)
        .select_from(articles)
        .join(paragraphs, paragraphs.c.article_number == articles.c.number)
        .where(articles.c.id == article_id, paragraphs.c.paragraph == paragraph)
    ).first()
    if row is None:
        return None
    return CodingUnit(f"{article_id}:{paragraph}", row.outlet or "stored", row.number, article_id, paragraph)


def _former_unit(connection: Connection, article_id: str, paragraph: int) -> CodingUnit | None:
    """The unit of a paragraph of a former version: its annotations hold its text (`service.store.replacement`)."""
    key = f"{article_id}:{paragraph}"
    row = connection.execute(select(annotations).where(annotations.c.unit == key)).first()
    return None if row is None else CodingUnit(key, row.source, row.article_number, article_id, paragraph, row.text)


def text_unit(source: str, text: str) -> CodingUnit:
    """The unit of a text that the request contains."""
    digest = hashlib.sha256(f"{source}\0{text}".encode()).hexdigest()
    return CodingUnit(f"text:{digest[:48]}", source, text=text)


def add(connection: Connection, new: NewAnnotation) -> StoredAnnotation:
    """Stores an annotation; the coder's previous annotation of the unit stays in the history."""
    now = datetime.now(UTC)
    connection.execute(
        update(annotations)
        .where(
            annotations.c.coder == new.coder,
            annotations.c.role == new.role,
            annotations.c.unit == new.unit.key,
            annotations.c.replaced_at.is_(None),
        )
        .values(replaced_at=now)
    )
    identifier = uuid.uuid4().hex
    connection.execute(
        insert(annotations),
        {
            "id": identifier,
            "coder": new.coder,
            "role": new.role,
            "unit": new.unit.key,
            "article_number": new.unit.article_number,
            "paragraph": new.unit.paragraph,
            "source": new.unit.source,
            "text": new.unit.text,
            "frames": dict(new.frames),
            "note": new.note,
            "codebook_version": new.codebook_version,
            "covered": None if new.covered is None else sorted(new.covered),
            "unsure": new.unsure,
            "selection": new.selection,
            "inclusion_probability": new.inclusion_probability,
            "created_at": now,
        },
    )
    return StoredAnnotation(identifier, new, now, None)


def earlier(connection: Connection, new: NewAnnotation) -> NewAnnotation | None:
    """The coder's annotation in force of the same unit in the same role; None without one."""
    row = connection.execute(
        _query().where(
            annotations.c.coder == new.coder,
            annotations.c.role == new.role,
            annotations.c.unit == new.unit.key,
            annotations.c.replaced_at.is_(None),
        )
    ).first()
    return None if row is None else _stored(row).annotation


def remove(connection: Connection, identifier: str, *, coder: str | None = None) -> bool:
    """Deletes an annotation, which stays in the history; False if the id is not that of an annotation in force.

    With `coder`, only an annotation by that coder is deleted.
    """
    by_coder = () if coder is None else (annotations.c.coder == coder,)
    removed = connection.execute(
        update(annotations)
        .where(annotations.c.id == identifier, annotations.c.replaced_at.is_(None), *by_coder)
        .values(replaced_at=datetime.now(UTC))
    )
    return removed.rowcount > 0


def own_text(connection: Connection, identifier: str) -> str | None:
    """The text that an annotation came with; None for a paragraph of a stored article, or without that annotation."""
    text: str | None = connection.scalar(select(annotations.c.text).where(annotations.c.id == identifier))
    return text


def listing(
    connection: Connection, filters: AnnotationFilters, after: int | None, limit: int
) -> tuple[list[StoredAnnotation], int | None]:
    """Up to `limit` annotations, newest first, and the number after which the next page starts, or None."""
    rows, following = newest_page(connection, _query().where(*_conditions(filters)), annotations.c.number, after, limit)
    return [_stored(row) for row in rows], following


def count_since(connection: Connection, moment: datetime | None) -> int:
    """Number of annotations in force that were made after a moment; of all if it is None."""
    query = select(func.count()).select_from(annotations).where(annotations.c.replaced_at.is_(None))
    if moment is not None:
        query = query.where(annotations.c.created_at > moment)
    return connection.scalar(query) or 0


def count_by(connection: Connection, coder: str) -> int:
    """Number of annotations by a coder that are in force."""
    query = select(func.count()).where(annotations.c.coder == coder, annotations.c.replaced_at.is_(None))
    return connection.scalar(query) or 0


def note_covered(database: Database, codebook: Codebook) -> None:
    """Notes the frames of today's codebook in annotations of its version that lack them, before another version comes.

    Only annotations that an earlier release of this program stored lack them.
    """
    lacking = annotations.c.covered.is_(None) & (annotations.c.codebook_version == codebook.version)
    with database.read() as connection:
        if connection.execute(select(annotations.c.number).where(lacking).limit(1)).first() is None:
            return
    with database.write() as connection:
        connection.execute(update(annotations).where(lacking).values(covered=sorted(codebook.keys)))


def covered_in(connection: Connection, version: int) -> frozenset[str] | None:
    """The frames that the newest annotation of a version of the codebook was about; None without any."""
    query = select(annotations.c.covered).where(
        annotations.c.codebook_version == version, annotations.c.covered.is_not(None)
    )
    covered = connection.scalar(query.order_by(annotations.c.number.desc()).limit(1))
    return None if covered is None else frozenset(covered)


def coded_paragraphs(connection: Connection, codebook: Codebook, *, adjudicated: bool) -> tuple[CodedParagraph, ...]:
    """Every coded unit with its annotations in force, for training or for agreement, in the frames of the codebook.

    With `adjudicated`, an adjudicator's annotation replaces those of the coders, on the frames that it decides about;
    without it, only those of the coders are returned. Annotations that decide about no frame of the codebook are left
    out.
    """
    query = _in_force_with_text().order_by(annotations.c.unit, annotations.c.number)
    units: dict[str, list[Row[Any]]] = {}
    for row in connection.execute(query):
        units.setdefault(row.unit, []).append(row)
    coded = (_coded(rows, codebook, adjudicated=adjudicated) for rows in units.values())
    return tuple(paragraph for paragraph in coded if paragraph is not None)


def in_force(connection: Connection, units: Collection[str] | None = None) -> list[tuple[StoredAnnotation, str]]:
    """Every annotation in force, or those of some units, with the text of its paragraph; oldest first."""
    query = _in_force_with_text().order_by(annotations.c.number)
    if units is not None:
        query = query.where(annotations.c.unit.in_(units))
    return [(_stored(row), _unit_text(row)) for row in connection.execute(query)]


def latest_by(connection: Connection, coder: str, limit: int) -> list[RecentAnnotation]:
    """The coder's latest annotations of stored paragraphs, newest first; none that settles a disagreement."""
    query = (
        _in_force_with_text()
        .add_columns(articles.c.title, articles.c.outlet)
        .where(annotations.c.coder == coder, annotations.c.role == "coder", paragraphs.c.paragraph.is_not(None))
        .order_by(annotations.c.number.desc())
        .limit(limit)
    )
    return [RecentAnnotation(_stored(row), _unit_text(row), row.title, row.outlet) for row in connection.execute(query)]


def settled_by(connection: Connection) -> dict[tuple[str, int], str]:
    """The adjudicator of each settled unit, by article and index as in `coded_paragraphs`."""
    query = _query().where(annotations.c.replaced_at.is_(None), annotations.c.role == "adjudicator")
    return {
        (row.unit, 0) if row.article_id is None else (row.article_id, row.paragraph): row.coder
        for row in connection.execute(query.order_by(annotations.c.number))
    }


def adjudications(connection: Connection, codebook: Codebook) -> dict[tuple[str, int], Annotation]:
    """The adjudication in force of each settled unit, by article and index as in `coded_paragraphs`."""
    query = _query().where(annotations.c.replaced_at.is_(None), annotations.c.role == "adjudicator")
    return {
        (row.unit, 0) if row.article_id is None else (row.article_id, row.paragraph): today(row, codebook)
        for row in connection.execute(query.order_by(annotations.c.number))
    }


def _coded(rows: Sequence[Row[Any]], codebook: Codebook, *, adjudicated: bool) -> CodedParagraph | None:
    by_coders = [today(row, codebook) for row in rows if row.role == "coder"]
    settled = [today(row, codebook) for row in rows if row.role == "adjudicator"][-1:]
    counted = _with_adjudication(settled[0], by_coders, codebook) if adjudicated and settled else by_coders
    counted = [annotation for annotation in counted if annotation.covered != frozenset()]
    if not counted:
        return None
    first = rows[0]
    return CodedParagraph(
        article=first.article_id or first.unit,
        index=first.paragraph or 0,
        source=first.source,
        text=_unit_text(first),
        annotations=tuple(counted),
    )


def _with_adjudication(settled: Annotation, by_coders: Sequence[Annotation], codebook: Codebook) -> list[Annotation]:
    """An adjudication, and what the coders say of frames that it does not decide about: those that came later."""
    besides = {a.coder: _besides(a, settled, codebook) for a in by_coders}
    own = besides.pop(settled.coder, None)
    if own is not None and settled.covered is not None and own.covered is not None:
        settled = Annotation(settled.coder, {**own.frames, **settled.frames}, settled.covered | own.covered)
    return [settled, *besides.values()]


def today(row: Row[Any], codebook: Codebook) -> Annotation:
    """The annotation in a row of `annotations`, in the frames of the codebook."""
    return annotation_today(row.coder, row.frames, codebook, covered=row.covered, version=row.codebook_version)


def _besides(annotation: Annotation, settled: Annotation, codebook: Codebook) -> Annotation:
    """What an annotation says of the frames that the adjudication does not decide about."""
    open_still = frozenset(key for key in codebook.keys if annotation.decides(key) and not settled.decides(key))
    frames = {frame: stance for frame, stance in annotation.frames.items() if frame in open_still}
    return Annotation(annotation.coder, frames, open_still)


def _in_force_with_text() -> Select[Any]:
    """Annotations in force, with the columns from which `_unit_text` takes the text."""
    return (
        _query(articles.c.text.label("article_text"), paragraphs.c.start_offset, paragraphs.c.end_offset)
        .outerjoin(
            paragraphs,
            (paragraphs.c.article_number == annotations.c.article_number)
            & (paragraphs.c.paragraph == annotations.c.paragraph),
        )
        .where(annotations.c.replaced_at.is_(None))
    )


def _unit_text(row: Row[Any]) -> str:
    """The text that the request contained, or that of the stored paragraph."""
    return str(row.text if row.text is not None else row.article_text[row.start_offset : row.end_offset])


def _query(*columns: Any) -> Select[Any]:
    return (
        select(annotations, articles.c.id.label("article_id"), *columns)
        .select_from(annotations)
        .outerjoin(articles, articles.c.number == annotations.c.article_number)
    )


def _conditions(filters: AnnotationFilters) -> list[ColumnElement[bool]]:
    values = {
        annotations.c.coder: filters.coder,
        annotations.c.source: filters.source,
        annotations.c.selection: filters.selection,
        annotations.c.unsure: filters.unsure,
        articles.c.id: filters.article_id,
    }
    conditions = [column == value for column, value in values.items() if value is not None]
    return conditions if filters.history else [*conditions, annotations.c.replaced_at.is_(None)]


def _stored(row: Row[Any]) -> StoredAnnotation:
    unit = CodingUnit(row.unit, row.source, row.article_number, row.article_id, row.paragraph, row.text)
    annotation = NewAnnotation(
        coder=row.coder,
        role=row.role,
        unit=unit,
        frames=row.frames,
        note=row.note,
        codebook_version=row.codebook_version,
        selection=row.selection,
        inclusion_probability=row.inclusion_probability,
        covered=None if row.covered is None else frozenset(row.covered),
        unsure=row.unsure,
    )
    return StoredAnnotation(row.id, annotation, row.created_at, row.replaced_at)
