"""The reach of a draw: the articles whose paragraphs it could take. Others had no chance, which weights must say."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import ColumnElement, and_, func, true

from service.store.daily import end_of, start_of
from service.store.tables import articles


@dataclass(frozen=True, slots=True)
class Reach:
    """Articles of some outlets (None: all; an empty name: none), dated `since` to `until`, both included, in UTC."""

    outlets: Sequence[str] | None = None
    since: date | None = None
    until: date | None = None

    @property
    def is_limited(self) -> bool:
        """Whether any article can lie outside."""
        return self != EVERYTHING

    def includes(self, outlet: str | None, dated_at: datetime) -> bool:
        """Whether an article lies within."""
        return (
            (self.outlets is None or (outlet or "") in self.outlets)
            and (self.since is None or dated_at >= start_of(self.since))
            and (self.until is None or dated_at < end_of(self.until))
        )

    def conditions(self) -> list[ColumnElement[bool]]:
        """The conditions that limit a query over articles to those within."""
        conditions: list[ColumnElement[bool]] = []
        if self.outlets is not None:
            conditions.append(func.coalesce(articles.c.outlet, "").in_(self.outlets))
        if self.since is not None:
            conditions.append(articles.c.dated_at >= start_of(self.since))
        if self.until is not None:
            conditions.append(articles.c.dated_at < end_of(self.until))
        return conditions

    def of_sums(self, outlet: ColumnElement[str], day: ColumnElement[date]) -> ColumnElement[bool]:
        """The condition for sums by outlet (empty: none) and day of which all articles lie within."""
        conditions: list[ColumnElement[bool]] = []
        if self.outlets is not None:
            conditions.append(outlet.in_(self.outlets))
        if self.since is not None:
            conditions.append(day >= self.since)
        if self.until is not None:
            conditions.append(day <= self.until)
        return and_(true(), *conditions)


EVERYTHING = Reach()
