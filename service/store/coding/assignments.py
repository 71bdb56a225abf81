"""Assignments: paragraphs, or whole articles, that were drawn for coders at once, and how far each of them is."""

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import Connection, Row, case, func, insert, literal, select, union_all, update

from service.errors import NotFoundError
from service.store.draws import is_annotated
from service.store.draws.reach import Reach
from service.store.sql.paging import newest_page
from service.store.tables import annotations, assignments, draws, returned_draws


@dataclass(frozen=True, slots=True)
class NewAssignment:
    """An assignment to store.

    `units` paragraphs or, with `whole`, articles were drawn from `pool` of them, each for `coders_each` of the coders,
    who have time up to the day `due`, and receive `training` gold items.
    """

    coders: Sequence[str]
    reach: Reach
    whole: bool
    coders_each: int
    units: int
    pool: int
    training: int
    due: date | None
    note: str
    created_by: str


@dataclass(frozen=True, slots=True)
class Assignment:
    """A stored assignment; `ended_at` is None until an admin ends it."""

    number: int
    id: str
    content: NewAssignment
    created_at: datetime
    ended_at: datetime | None

    @property
    def inclusion_probability(self) -> float | None:
        """The probability with which each unit of the pool was drawn; None if nothing was drawn."""
        return self.content.units / self.content.pool if self.content.units else None

    def training_left(self, answered: Iterable[datetime]) -> int:
        """Number of gold items that a coder who answered some at these times has still to answer."""
        if self.ended_at is not None:
            return 0
        return max(0, self.content.training - sum(moment >= self.created_at for moment in answered))


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a coder is with an assignment: paragraphs received, of these annotated, and returned to the pool."""

    received: int = 0
    annotated: int = 0
    returned: int = 0

    @property
    def waiting(self) -> int:
        """Paragraphs that the coder has still to annotate."""
        return self.received - self.annotated - self.returned


def add(connection: Connection, new: NewAssignment, created_at: datetime) -> Assignment:
    """Stores an assignment; `service.store.draws` stores what it drew."""
    identifier, reach = uuid.uuid4().hex, new.reach
    values = {
        "id": identifier,
        "coders": list(new.coders),
        "note": new.note,
        "outlets": None if reach.outlets is None else list(reach.outlets),
        "since": reach.since,
        "until": reach.until,
        "whole": new.whole,
        "coders_each": new.coders_each,
        "units": new.units,
        "pool": new.pool,
        "training": new.training,
        "due": new.due,
        "created_by": new.created_by,
        "created_at": created_at,
    }
    number: int = connection.execute(insert(assignments).values(**values).returning(assignments.c.number)).scalar_one()
    return Assignment(number, identifier, new, created_at, None)


def require(connection: Connection, identifier: str) -> Assignment:
    """The assignment with an id; raises `NotFoundError` without it."""
    row = connection.execute(select(assignments).where(assignments.c.id == identifier)).first()
    if row is None:
        raise NotFoundError(f"No assignment has the id {identifier}.")
    return _assignment(row)


def listing(
    connection: Connection, coder: str | None, after: int | None, limit: int
) -> tuple[list[Assignment], int | None]:
    """Up to `limit` assignments, newest first, and the number after which the next page starts, or None.

    With `coder`, only those of the coder.
    """
    if coder is None:
        rows, following = newest_page(connection, select(assignments), assignments.c.number, after, limit)
        return [_assignment(row) for row in rows], following
    # A project has dozens of them, and the two databases look into JSON in different ways.
    own = [entry for entry in _all(connection) if coder in entry.content.coders]
    own = [entry for entry in own if after is None or entry.number < after]
    return own[:limit], own[limit - 1].number if len(own) > limit else None


def running(connection: Connection, coder: str) -> list[Assignment]:
    """The assignments of a coder that nobody has ended, whatever their last day, newest first."""
    return [entry for entry in _all(connection) if entry.ended_at is None and coder in entry.content.coders]


def standings(connection: Connection, numbers: Collection[int]) -> Mapping[tuple[int, str], Standing]:
    """How far the coders of assignments are, by number of the assignment and coder."""
    coded = is_annotated(draws.c.unit, draws.c.coder)
    held = select(draws.c.assignment, draws.c.coder, case((coded, 1), else_=0).label("annotated"), literal(0))
    back = select(returned_draws.c.assignment, returned_draws.c.coder, literal(0), literal(1).label("returned"))
    either = union_all(
        held.where(draws.c.assignment.in_(numbers), draws.c.paragraph >= 0),
        back.where(returned_draws.c.assignment.in_(numbers), returned_draws.c.paragraph >= 0),
    ).subquery()
    assignment, coder, annotated, returned = either.columns
    query = select(assignment, coder, func.count(), func.sum(annotated), func.sum(returned))
    return {
        (number, name): Standing(received, int(done), int(given_back))
        for number, name, received, done, given_back in connection.execute(query.group_by(assignment, coder))
    }


def change_due(connection: Connection, identifier: str, due: date | None) -> Assignment:
    """Gives the coders of an assignment time up to another day; raises `NotFoundError` without it."""
    connection.execute(update(assignments).where(assignments.c.id == identifier).values(due=due))
    return require(connection, identifier)


def end(connection: Connection, number: int) -> None:
    """Notes that an assignment has ended, if it has not ended before."""
    this = assignments.c.number == number, assignments.c.ended_at.is_(None)
    connection.execute(update(assignments).where(*this).values(ended_at=datetime.now(UTC)))


def known_coders(connection: Connection) -> list[str]:
    """Everybody who has annotated, received paragraphs or been assigned any, by name."""
    names = set(connection.scalars(select(annotations.c.coder).where(annotations.c.role == "coder").distinct()))
    names |= set(connection.scalars(select(draws.c.coder).distinct()))
    return sorted(names.union(*(entry.content.coders for entry in _all(connection))))


def _all(connection: Connection) -> list[Assignment]:
    return [_assignment(row) for row in connection.execute(select(assignments).order_by(assignments.c.number.desc()))]


def _assignment(row: Row[Any]) -> Assignment:
    reach = Reach(None if row.outlets is None else tuple(row.outlets), row.since, row.until)
    content = NewAssignment(
        coders=tuple(row.coders),
        reach=reach,
        whole=row.whole,
        coders_each=row.coders_each,
        units=row.units,
        pool=row.pool,
        training=row.training,
        due=row.due,
        note=row.note,
        created_by=row.created_by,
    )
    return Assignment(row.number, row.id, content, row.created_at, row.ended_at)
