"""Lists of stored articles, filtered and in pages, newest first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Select, and_, or_, select

from labels.codebook import OTHER
from service.errors import PeriodError
from service.store.article_lookup import metadata_of
from service.store.articles import Metadata
from service.store.daily import end_of, start_of
from service.store.points import counts
from service.store.points.cuts import PointCuts, decides
from service.store.scorings import SCORING_FACTS, about_in, article_frames, shown_scoring
from service.store.tables import article_scores, articles, scorings
from training.scoring.classification import ArticleFrame
from training.scoring.operating_points import Decision
from training.scoring.subject import About

AboutWhat = Literal["subject", "other"]


@dataclass(frozen=True, slots=True)
class ArticleInList:
    """An article in a list, with the frames of the whole article."""

    id: str
    created_at: datetime
    metadata: Metadata
    language: str
    model_version: str
    codebook_version: int
    frames: Mapping[str, ArticleFrame]
    about: About | None


@dataclass(frozen=True, slots=True)
class Cursor:
    """The place after an article in the order newest first."""

    dated_at: datetime
    number: int


@dataclass(frozen=True, slots=True)
class ArticleFilters:
    """Which articles to list: of `outlets`, before `until` (exclusive), with `decision` on any of `frames`.

    Without outlets or frames, all count.

    `about` keeps those about the subject of the codebook or those about something else. With a `point`, the model of
    the point decides at it, and articles that it has not scored are left out. With `first_copies`, each story is listed
    once.
    """

    outlets: Sequence[str] = ()
    since: datetime | None = None
    until: datetime | None = None
    frames: Sequence[str] = ()
    decision: Decision | None = None
    words: str | None = None
    about: AboutWhat | None = None
    point: PointCuts | None = None
    first_copies: bool = False


def filters(
    outlets: Sequence[str | None] = (),
    since: date | datetime | None = None,
    until: date | datetime | None = None,
    frames: Sequence[str | None] = (),
    decision: Decision | None = None,
    words: str | None = None,
    about: AboutWhat | None = None,
    point: PointCuts | None = None,
    *,
    first_copies: bool = False,
) -> ArticleFilters:
    """Makes filters from the fields of a query or form: empty texts do not filter, and `until` includes its day.

    Raises `PeriodError` where the period ends before it begins.
    """
    first, end = start_of(since) if since else None, end_of(until) if until else None
    if first is not None and end is not None and (end < first or (end == first and not isinstance(until, datetime))):
        raise PeriodError(str(since), str(until), "query/to")
    return ArticleFilters(
        outlets=tuple(outlet for outlet in outlets if outlet),
        since=first,
        until=end,
        frames=tuple(frame for frame in frames if frame),
        decision=decision,
        words=words or None,
        about=about,
        point=point,
        first_copies=first_copies,
    )


def newest(
    connection: Connection, filters: ArticleFilters, after: Cursor | None, limit: int, model_version: str | None = None
) -> tuple[list[ArticleInList], Cursor | None]:
    """Up to `limit` articles, newest first, and the cursor of the next page, or None.

    Each has its scoring by `model_version`, else its newest scoring.
    """
    query = (
        select(articles, scorings.c.number.label("scoring_number"), *SCORING_FACTS)
        .select_from(articles)
        .join(scorings, scorings.c.number == shown_scoring(model_version))
        .where(*_conditions(filters))
        .order_by(articles.c.dated_at.desc(), articles.c.number.desc())
        .limit(limit + 1)
    )
    rows = connection.execute(_after(query, after)).all()
    page, more = rows[:limit], len(rows) > limit
    frames = _frames(connection, [row.scoring_number for row in page], filters.point)
    listed = [
        ArticleInList(
            id=row.id,
            created_at=row.created_at,
            metadata=metadata_of(row),
            language=row.language,
            model_version=row.model_version,
            codebook_version=row.codebook_version,
            frames=frames[row.scoring_number],
            about=about_in(row),
        )
        for row in page
    ]
    return listed, Cursor(page[-1].dated_at, page[-1].number) if more else None


def _frames(
    connection: Connection, scoring_numbers: Sequence[int], point: PointCuts | None
) -> dict[int, dict[str, ArticleFrame]]:
    if point is None:
        return article_frames(connection, scoring_numbers)
    return counts.article_frames(connection, scoring_numbers, point)


def _after(query: Select[Any], after: Cursor | None) -> Select[Any]:
    if after is None:
        return query
    return query.where(
        or_(
            articles.c.dated_at < after.dated_at,
            and_(articles.c.dated_at == after.dated_at, articles.c.number < after.number),
        )
    )


def _conditions(filters: ArticleFilters) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if filters.outlets:
        conditions.append(articles.c.outlet.in_(filters.outlets))
    if filters.first_copies:
        conditions.append(articles.c.story == articles.c.number)
    if filters.since is not None:
        conditions.append(articles.c.dated_at >= filters.since)
    if filters.until is not None:
        conditions.append(articles.c.dated_at < filters.until)
    conditions += [
        or_(articles.c.text.icontains(word, autoescape=True), articles.c.title.icontains(word, autoescape=True))
        for word in (filters.words or "").split()
    ]
    if filters.about is not None:
        conditions.append(scorings.c.about == OTHER if filters.about == "other" else scorings.c.about != OTHER)
    if filters.point is not None:
        conditions.append(scorings.c.model_version == filters.point.model_version)
    if filters.frames or filters.decision is not None:
        conditions.append(_decided(filters.frames, filters.decision or "present", filters.point))
    return conditions


def _decided(frames: Sequence[str], decision: Decision, point: PointCuts | None) -> ColumnElement[bool]:
    """Selects articles by the decision of their scoring on any of the frames; on any at all if none is named."""
    if point is not None and point.articles is None:
        return counts.decided_by_paragraphs(frames, decision, point)
    own = article_scores.c
    decided = own.decision == decision
    if point is not None and point.articles is not None:
        decided = decides(own, point.articles, decision)
    query = select(own.frame).where(own.scoring_number == scorings.c.number, decided)
    if frames:
        query = query.where(own.frame.in_(frames))
    return query.correlate(scorings).exists()
