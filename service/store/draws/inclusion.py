"""How probable it was that each drawn paragraph came to be annotated, from the draws and what became of them."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy import Connection, Row, cast, select, union_all

from service.store.draws import WHOLE, incomplete
from service.store.draws.reach import EVERYTHING, Reach
from service.store.sql.insertion import UtcDateTime
from service.store.tables import annotations, articles, assignments, draws, returned_draws
from training.estimates.inclusion import Draws, Returns, inclusion_probabilities


@dataclass(frozen=True, slots=True)
class Inclusion:
    """The probability of a drawn paragraph to come to be annotated, by any draw since its article was stored.

    `as_whole` is that of its article to be drawn as a whole by any draw; 0 if none drew it so. While the store grows,
    early paragraphs go through more draws than late ones, and their annotations stand for fewer paragraphs. `reach` is
    what the draw that took it could take.
    """

    probability: float
    as_whole: float
    reach: Reach = EVERYTHING

    @property
    def weight(self) -> float:
        """How many paragraphs an annotation of this one stands for."""
        return 1 / self.probability

    @property
    def article_weight(self) -> float:
        """How many articles this one stands for among those that were drawn as a whole; 0 if it was not."""
        return 1 / self.as_whole if self.as_whole else 0.0


@dataclass(slots=True)
class _Stay:
    """The time of a unit outside the pool: the draw that took it, and all draws of coders who received it since."""

    drawn: Row[Any]
    received: list[Row[Any]] = field(default_factory=list)
    is_annotated: bool = False

    @property
    def returned_at(self) -> datetime | None:
        """When the last coder returned the unit; None while any of them has it."""
        moments = [row.returned_at for row in self.received]
        return None if None in moments else max(moments)


# Who annotated a unit, and when.
_Annotators = Mapping[str, Sequence[tuple[str, datetime]]]


def inclusions(connection: Connection) -> dict[str, Inclusion]:
    """How probable it was that each drawn paragraph came to be annotated, by its unit.

    A paragraph that a second coder received too counts with its first draw; what was returned and drawn again, with its
    last. Paragraphs of draws of which nothing is annotated are left out, and so is what was returned, unless a coder
    who had received it annotated it nevertheless.
    """
    stays, reaches = _stays(connection), _reaches(connection)
    whole = _of_articles(stays)
    of_articles = {
        stay.drawn.article_number: value
        for stay, value in zip(whole, _probabilities(whole, reaches), strict=True)
        if stay.returned_at is None
    }
    return {
        stay.drawn.unit: Inclusion(
            value,
            of_articles.get(stay.drawn.article_number, 0.0),
            reaches.get(stay.drawn.assignment, EVERYTHING),
        )
        for stay, value in zip(stays, _probabilities(stays, reaches), strict=True)
        if stay.drawn.paragraph != WHOLE and value and (stay.returned_at is None or stay.is_annotated)
    }


def _reaches(connection: Connection) -> Mapping[int, Reach]:
    """The reach of each assignment that could not draw from all articles, by its number."""
    columns = (assignments.c.number, assignments.c.outlets, assignments.c.since, assignments.c.until)
    reaches = {
        number: Reach(None if outlets is None else tuple(outlets), since, until)
        for number, outlets, since, until in connection.execute(select(*columns))
    }
    return {number: reach for number, reach in reaches.items() if reach.is_limited}


def _stays(connection: Connection) -> list[_Stay]:
    """All times of units outside the pool, in their order."""
    stays: list[_Stay] = []
    latest: dict[str, _Stay] = {}
    for row in _drawn(connection):
        if not row.overlap:
            latest[row.unit] = _Stay(row)
            stays.append(latest[row.unit])
        if row.unit in latest:
            latest[row.unit].received.append(row)
    annotators, lacking = _annotators(connection), _incomplete_articles(connection)
    for unit, stay in latest.items():
        if stay.drawn.paragraph == WHOLE:
            stay.is_annotated = stay.returned_at is None and stay.drawn.article_number not in lacking
        else:
            stay.is_annotated = _is_annotated(stay, annotators.get(unit, ()))
    return stays


def _is_annotated(stay: _Stay, annotators: Sequence[tuple[str, datetime]]) -> bool:
    """Whether a unit came to be annotated before it was returned, or later by a coder who had received it."""
    if stay.returned_at is None:
        return bool(stay.drawn.is_coded)
    coders = {row.coder for row in stay.received}
    return any(coder in coders or at <= stay.returned_at for coder, at in annotators)


def _drawn(connection: Connection) -> Iterable[Row[Any]]:
    """The draws in their order, returned ones too, with the time of the article and whether the unit is coded now."""
    held = select(draws, cast(None, UtcDateTime()).label("returned_at"))
    either = union_all(held, select(returned_draws)).subquery()
    coded = select(annotations.c.unit).where(annotations.c.replaced_at.is_(None))
    of_article = articles.c.created_at, articles.c.outlet, articles.c.dated_at
    query = select(either, *of_article, either.c.unit.in_(coded).label("is_coded")).join(
        articles, articles.c.number == either.c.article_number
    )
    return connection.execute(query.order_by(either.c.drawn_at, either.c.overlap, either.c.number))


def _of_articles(stays: Sequence[_Stay]) -> list[_Stay]:
    """The articles that were drawn as a whole; of a draw by an earlier release, which stored only these, paragraphs."""
    articles_drawn = {
        (stay.drawn.drawn_at, stay.drawn.article_number) for stay in stays if stay.drawn.paragraph == WHOLE
    }
    return [
        stay
        for stay in stays
        if stay.drawn.paragraph == WHOLE
        or (stay.drawn.whole and (stay.drawn.drawn_at, stay.drawn.article_number) not in articles_drawn)
    ]


def _incomplete_articles(connection: Connection) -> set[int]:
    """The articles that were drawn as a whole and of which any paragraph lacks an annotation."""
    drawn = select(draws.c.article_number).where(draws.c.paragraph == WHOLE)
    lacking = select(articles.c.number).where(articles.c.number.in_(drawn), incomplete(articles.c.number).exists())
    return set(connection.scalars(lacking))


def _annotators(connection: Connection) -> _Annotators:
    """Who annotated the units that were ever returned."""
    by_unit: dict[str, list[tuple[str, datetime]]] = defaultdict(list)
    query = select(annotations.c.unit, annotations.c.coder, annotations.c.created_at)
    returned = annotations.c.unit.in_(select(returned_draws.c.unit))
    for row in connection.execute(query.where(returned, annotations.c.replaced_at.is_(None))):
        by_unit[row.unit].append((row.coder, row.created_at))
    return by_unit


def _probabilities(stays: Sequence[_Stay], reaches: Mapping[int, Reach]) -> list[float]:
    by_draw: dict[tuple[Any, ...], list[_Stay]] = {}
    for stay in stays:
        by_draw.setdefault(_draw_of(stay), []).append(stay)
    if not by_draw:
        return []
    places = {draw: place for place, draw in enumerate(by_draw)}
    probabilities: list[float] = inclusion_probabilities(
        _as_draws(list(by_draw.values())),
        [places[_draw_of(stay)] for stay in stays],
        [stay.drawn.inclusion_probability for stay in stays],
        [stay.drawn.created_at.timestamp() for stay in stays],
        {
            place: np.array([reach.includes(stay.drawn.outlet, stay.drawn.dated_at) for stay in stays])
            for (assignment, *_), place in places.items()
            if (reach := reaches.get(assignment)) is not None
        },
    ).tolist()
    return probabilities


def _draw_of(stay: _Stay) -> tuple[Any, ...]:
    """What was drawn at once: by an assignment for all of its coders, otherwise for a single coder."""
    assigned = stay.drawn.assignment is not None
    return (stay.drawn.assignment, None if assigned else stay.drawn.coder, stay.drawn.drawn_at)


def _as_draws(by_draw: Sequence[Sequence[_Stay]]) -> Draws:
    """The draws, from the units of each; an article that was drawn as a whole is a single unit."""
    drawn = [len({stay.drawn.article_number for stay in stays} if stays[0].drawn.whole else stays) for stays in by_draw]
    followed = [_followed(stays) for stays in by_draw]
    annotated = [sum(stay.is_annotated for stay in stays) / len(stays) for stays in followed]
    first = [stays[0].drawn for stays in by_draw]
    return Draws(
        at=np.array([row.drawn_at.timestamp() for row in first]),
        pool=np.array([max(row.pool, 1) for row in first], dtype=float),
        drawn=np.array(drawn, dtype=float),
        annotated=np.array([units * share for units, share in zip(drawn, annotated, strict=True)]),
        whole=np.array([row.whole for row in first]),
        returns=_returns(followed),
        even=np.array([row.assignment is not None for row in first]),
    )


def _followed(stays: Sequence[_Stay]) -> Sequence[_Stay]:
    """The units that tell what became of a draw: paragraphs, or articles where it only took those coded already."""
    return [stay for stay in stays if stay.drawn.paragraph != WHOLE] or stays


def _returns(followed: Sequence[Sequence[_Stay]]) -> Returns:
    """What came back of each draw at each moment, as a share of what is not annotated."""
    moments = []
    for place, stays in enumerate(followed):
        waiting = [stay for stay in stays if not stay.is_annotated]
        counted = Counter(stay.returned_at for stay in waiting if stay.returned_at is not None)
        moments += [(place, at.timestamp(), count / len(waiting)) for at, count in counted.items()]
    places, at, share = zip(*moments, strict=True) if moments else ((), (), ())
    return Returns(np.array(places, dtype=np.int64), np.array(at, dtype=float), np.array(share, dtype=float))
