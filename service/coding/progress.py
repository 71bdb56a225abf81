"""The progress of coders: what they annotated, what waits for them, and how far adjudicators agree with them."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, func, select

from labels.annotations import Annotation
from labels.codebook import Codebook
from service.coding.decisions import DECISION, DecisionsToday
from service.schemas.coders import CoderProgress, Coders, WithAdjudicated
from service.store import keys
from service.store.draws import is_annotated
from service.store.sql.database import Database
from service.store.tables import annotations, draws

_RECENT = timedelta(days=7)


def progress_of_coders(database: Database, codebook: Codebook) -> Coders:
    """The progress of everybody who annotates, by name."""
    with database.read() as connection:
        counts = _counts(connection, datetime.now(UTC) - _RECENT)
        waiting = _waiting(connection)
        compared = _with_adjudicated(connection, codebook)
        with_keys = keys.coders(connection)
    names = sorted({name for name, _ in counts} | waiting.keys() | with_keys)
    return Coders(coders=[_progress(name, counts, waiting.get(name, 0), compared.get(name)) for name in names])


def _progress(
    name: str, counts: Mapping[tuple[str, str], Row[Any]], waiting: int, compared: "_Comparison | None"
) -> CoderProgress:
    own, adjudicated = counts.get((name, "coder")), counts.get((name, "adjudicator"))
    return CoderProgress(
        coder=name,
        annotations=own.annotations if own else 0,
        last_seven_days=own.recent if own else 0,
        waiting=waiting,
        unsure=own.unsure if own else 0,
        adjudications=adjudicated.annotations if adjudicated else 0,
        last_at=max((row.last_at for row in (own, adjudicated) if row), default=None),
        with_adjudicated=compared.answer() if compared else None,
    )


def _counts(connection: Connection, recent: datetime) -> dict[tuple[str, str], Row[Any]]:
    """Numbers of annotations in force, by coder and role."""
    query = (
        select(
            annotations.c.coder,
            annotations.c.role,
            func.count().label("annotations"),
            func.count().filter(annotations.c.created_at >= recent).label("recent"),
            func.count().filter(annotations.c.unsure).label("unsure"),
            func.max(annotations.c.created_at).label("last_at"),
        )
        .where(annotations.c.replaced_at.is_(None))
        .group_by(annotations.c.coder, annotations.c.role)
    )
    return {(row.coder, row.role): row for row in connection.execute(query)}


def _waiting(connection: Connection) -> dict[str, int]:
    """Number of paragraphs that each coder received and has not annotated."""
    query = (
        select(draws.c.coder, func.count().label("waiting"))
        # An article that was drawn as a whole is a draw of its own, beside those of its paragraphs.
        .where(draws.c.paragraph >= 0, ~is_annotated(draws.c.unit, draws.c.coder))
        .group_by(draws.c.coder)
    )
    return {row.coder: row.waiting for row in connection.execute(query)}


@dataclass(slots=True)
class _Comparison:
    """Counts what a coder decided as the adjudicator did, and otherwise."""

    paragraphs: int = 0
    same: int = 0
    missed: Counter[str] = field(default_factory=Counter)
    added: Counter[str] = field(default_factory=Counter)

    def add(self, decision: Annotation, settled: Annotation) -> None:
        """Counts a paragraph, on the frames that both decided about; nothing where these are none."""
        seen = {frame for frame in decision.frames if settled.decides(frame)}
        right = {frame for frame in settled.frames if decision.decides(frame)}
        if not (seen or right) and not _share_a_frame(decision, settled):
            return
        self.paragraphs += 1
        self.same += seen == right
        self.missed.update(right - seen)
        self.added.update(seen - right)

    def answer(self) -> WithAdjudicated | None:
        """The counts as the API returns them; None without a paragraph that both decided about."""
        if not self.paragraphs:
            return None
        return WithAdjudicated(
            paragraphs=self.paragraphs,
            same=self.same,
            missed=dict(self.missed.most_common()),
            added=dict(self.added.most_common()),
        )


def _share_a_frame(decision: Annotation, settled: Annotation) -> bool:
    if decision.covered is None or settled.covered is None:
        return bool(decision.covered != frozenset() and settled.covered != frozenset())
    return bool(decision.covered & settled.covered)


def _with_adjudicated(connection: Connection, codebook: Codebook) -> dict[str, _Comparison]:
    """Compares the decisions of each coder with the last adjudication of the same unit."""
    decisions = DecisionsToday(codebook)
    settled: dict[str, Annotation] = {}
    for row in _of_adjudicated(connection, "adjudicator"):
        settled[row.unit] = decisions.of(row)
    compared: dict[str, _Comparison] = {}
    for row in _of_adjudicated(connection, "coder"):
        compared.setdefault(row.coder, _Comparison()).add(decisions.of(row), settled[row.unit])
    return compared


def _of_adjudicated(connection: Connection, role: str) -> Iterator[Row[Any]]:
    """The annotations in force in a role of units that somebody adjudicated, oldest first."""
    in_force = annotations.c.replaced_at.is_(None)
    adjudicated = select(annotations.c.unit).where(in_force, annotations.c.role == "adjudicator")
    query = select(annotations.c.unit, annotations.c.coder, *DECISION).where(in_force, annotations.c.role == role)
    return iter(connection.execute(query.where(annotations.c.unit.in_(adjudicated)).order_by(annotations.c.number)))
