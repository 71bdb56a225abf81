"""The paragraphs that an adjudicator settles: coders differ about a frame or its stance, or a coder is unsure."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, Row, Select, Text, cast, func, or_, select

from labels.agreement import Differences
from labels.codebook import Codebook
from service.coding.decisions import DECISION, DecisionsToday
from service.errors import require_frames
from service.schemas.coders import (
    REASONS,
    Decision,
    DifferencesOnFrame,
    ParagraphsToSettle,
    ParagraphToSettle,
    Reason,
)
from service.store.annotations import StoredAnnotation, in_force
from service.store.sql.database import Database
from service.store.tables import annotations, articles


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which paragraphs an adjudicator wants: open or settled, for a reason, about a frame, or coded by somebody."""

    settled: bool = False
    reason: Reason | None = None
    frame: str | None = None
    coder: str | None = None


@dataclass(frozen=True, slots=True)
class _Unit:
    """A unit of coding to settle; `number` is that of its newest annotation, by which units are in order."""

    key: str
    number: int
    coders: frozenset[str]
    differences: Differences
    reasons: Sequence[Reason]
    settled: bool

    def is_wanted(self, wanted: Wanted) -> bool:
        differing = {"presence": self.differences.presence, "stance": self.differences.stance}
        frames = differing.get(wanted.reason or "", self.differences.frames)
        return (
            self.settled == wanted.settled
            and wanted.reason in (None, *self.reasons)
            and (wanted.frame is None or wanted.frame in frames)
            and (wanted.coder is None or wanted.coder in self.coders)
        )


def paragraphs_to_settle(
    database: Database, codebook: Codebook, wanted: Wanted, after: int | None, limit: int
) -> tuple[ParagraphsToSettle, int | None]:
    """Up to `limit` paragraphs with all their decisions, and the number after which the next page starts, or None.

    Raises `UnknownFrameError`.
    """
    require_frames([wanted.frame] if wanted.frame else [], codebook.keys, "query/frame", owner="codebook")
    with database.read() as connection:
        units = [unit for unit in _units(connection, codebook) if unit.is_wanted(wanted)]
        waiting = sorted((unit for unit in units if unit.number > (after or 0)), key=attrgetter("number"))
        page = waiting[:limit]
        paragraphs = _paragraphs(connection, page, codebook)
    following = page[-1].number if len(waiting) > len(page) else None
    return _answer(units, paragraphs, codebook), following


def _units(connection: Connection, codebook: Codebook) -> Iterator[_Unit]:
    """Every unit that has or had something to settle."""
    decisions = DecisionsToday(codebook)
    query = (
        select(annotations.c.number, annotations.c.unit, annotations.c.coder, annotations.c.role, annotations.c.unsure)
        .add_columns(*DECISION)
        .where(annotations.c.replaced_at.is_(None), annotations.c.unit.in_(_candidates()))
        .order_by(annotations.c.unit, annotations.c.number)
    )
    for key, rows in groupby(connection.execute(query).all(), attrgetter("unit")):
        unit = _unit(key, list(rows), decisions)
        if unit.reasons:
            yield unit


def _candidates() -> Select[Any]:
    """Units that may have something to settle: the decisions of two coders are not written in the same words.

    This spares reading what most coders agree on, which is most of a large database.
    """
    by_coder = annotations.c.role == "coder"
    frames = cast(annotations.c.frames, Text)
    differ = func.min(frames).filter(by_coder) != func.max(frames).filter(by_coder)
    unsure = func.count().filter(by_coder & annotations.c.unsure) > 0
    in_force = annotations.c.replaced_at.is_(None)
    return select(annotations.c.unit).where(in_force).group_by(annotations.c.unit).having(or_(differ, unsure))


def _unit(key: str, rows: Sequence[Row[Any]], decisions: DecisionsToday) -> _Unit:
    by_coders = [row for row in rows if row.role == "coder"]
    adjudications = [decisions.of(row) for row in rows if row.role == "adjudicator"]
    differing = decisions.differences_of(by_coders)
    # The last adjudication counts. Of frames that came into the codebook later it says nothing.
    settled = bool(adjudications) and all(adjudications[-1].decides(frame) for frame in differing.frames)
    return _Unit(
        key=key,
        number=max(row.number for row in by_coders),
        coders=frozenset(row.coder for row in by_coders),
        differences=differing,
        reasons=_reasons(differing, unsure=any(row.unsure for row in by_coders)),
        settled=settled,
    )


def _reasons(differing: Differences, *, unsure: bool) -> list[Reason]:
    reasons: dict[Reason, object] = {"presence": differing.presence, "stance": differing.stance, "unsure": unsure}
    return [reason for reason, holds in reasons.items() if holds]


def _paragraphs(connection: Connection, units: Sequence[_Unit], codebook: Codebook) -> list[ParagraphToSettle]:
    entries: dict[str, list[tuple[StoredAnnotation, str]]] = defaultdict(list)
    for stored, text in in_force(connection, [unit.key for unit in units]):
        entries[stored.annotation.unit.key].append((stored, text))
    numbers = {stored.annotation.unit.article_number for of_unit in entries.values() for stored, _ in of_unit}
    columns = (articles.c.number, articles.c.title, articles.c.outlet, articles.c.published_at)
    query: Select[Any] = select(*columns).where(
        articles.c.number.in_([number for number in numbers if number is not None])
    )
    by_number = {row.number: row for row in connection.execute(query)}
    return [_paragraph(unit, entries[unit.key], by_number, codebook) for unit in units]


def _paragraph(
    unit: _Unit, entries: Sequence[tuple[StoredAnnotation, str]], by_number: dict[int, Row[Any]], codebook: Codebook
) -> ParagraphToSettle:
    first, text = entries[0]
    coded = first.annotation.unit
    article = by_number.get(coded.article_number or 0)
    adjudications = [stored for stored, _ in entries if stored.annotation.role == "adjudicator"]
    return ParagraphToSettle(
        article_id=coded.article_id,
        paragraph=coded.paragraph,
        text=text,
        source=coded.source,
        title=None if article is None else article.title,
        outlet=None if article is None else article.outlet,
        published_at=None if article is None else article.published_at,
        reasons=list(unit.reasons),
        presence=_in_order(unit.differences.presence, codebook),
        stance=_in_order(unit.differences.stance, codebook),
        annotations=[_decision(stored, codebook) for stored, _ in entries if stored.annotation.role == "coder"],
        settled=_decision(adjudications[-1], codebook) if adjudications else None,
    )


def _in_order(frames: Iterable[str], codebook: Codebook) -> list[str]:
    return [key for key in codebook.keys if key in frames]


def _decision(stored: StoredAnnotation, codebook: Codebook) -> Decision:
    annotation, today = stored.annotation, stored.annotation.today(codebook)
    return Decision(
        id=stored.id,
        coder=annotation.coder,
        frames=dict(today.frames),
        covered=[key for key in codebook.keys if today.decides(key)],
        note=annotation.note,
        unsure=annotation.unsure,
        created_at=stored.created_at,
    )


def _answer(units: Sequence[_Unit], paragraphs: list[ParagraphToSettle], codebook: Codebook) -> ParagraphsToSettle:
    presence = Counter(frame for unit in units for frame in unit.differences.presence)
    stance = Counter(frame for unit in units for frame in unit.differences.stance)
    reasons = Counter(reason for unit in units for reason in unit.reasons)
    return ParagraphsToSettle(
        paragraphs=paragraphs,
        total=len(units),
        by_frame={key: DifferencesOnFrame(presence=presence[key], stance=stance[key]) for key in codebook.keys},
        by_reason={reason: reasons[reason] for reason in REASONS},
    )
