"""Assignments: what is drawn for coders at once, and how it is divided among them.

An assignment is a simple random sample of what nobody has received yet in the articles that it names, so each of its
paragraphs had the same known probability (`service.store.draws.inclusion` counts it together with all other draws).
Which coder receives which paragraph is chance, too.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime

import numpy as np
from sqlalchemy import Connection

from labels.wording import counted
from service.errors import AssignmentError, require_period
from service.schemas.assignments import AssignmentAnswer, AssignmentRequest, CoderShare
from service.store import draws
from service.store.coding import assignments as store
from service.store.coding import gold
from service.store.coding.assignments import Assignment, NewAssignment, Standing
from service.store.draws.reach import Reach

_MOST_PARAGRAPHS = 10_000
_MOST_ARTICLES = 1000
# The paragraphs of a unit that was drawn: of an article, the article itself and its paragraphs.
_Unit = Sequence[draws.Candidate]


def assign(
    connection: Connection, request: AssignmentRequest, created_by: str, generator: np.random.Generator
) -> Assignment:
    """Draws what a request wants, divides it among the coders, and stores both; raises `AssignmentError`."""
    coders = _coders(request)
    _require_bounded(request)
    require_not_over(request.due, "due")
    require_period(request.since, request.until, "to")
    _require_gold_items(connection, request.training)
    reach = Reach(None if request.outlets is None else tuple(request.outlets), request.since, request.until)
    units, pool = _drawn(connection, request, reach)
    now = datetime.now(UTC)
    new = NewAssignment(
        coders=coders,
        reach=reach,
        whole=request.whole,
        coders_each=request.coders_each,
        units=len(units),
        pool=pool,
        training=request.training,
        due=request.due,
        note=request.note,
        created_by=created_by,
    )
    assignment = store.add(connection, new, now)
    for coder, drawn in _divided(units, assignment, generator).items():
        draws.add(connection, coder, drawn, now)
    return assignment


def _coders(request: AssignmentRequest) -> tuple[str, ...]:
    coders = tuple(name.strip() for name in request.coders)
    twice = next((name for name, times in Counter(coders).items() if times > 1), None)
    if twice is not None:
        raise AssignmentError(f"The coder '{twice}' is named twice.", "coders")
    if request.coders_each > len(coders):
        raise AssignmentError(
            f"Each paragraph is to go to {request.coders_each} coders, but the assignment names only {len(coders)}.",
            "coders_each",
        )
    if not request.n and not request.training:
        raise AssignmentError("Nothing is assigned: ask for paragraphs, for gold items to train with, or both.", "n")
    return coders


def _require_bounded(request: AssignmentRequest) -> None:
    """Raises `AssignmentError` for more than is drawn and stored while nobody else can write."""
    most, noun = (_MOST_ARTICLES, "whole article") if request.whole else (_MOST_PARAGRAPHS, "paragraph")
    if request.n * request.coders_each > most:
        raise AssignmentError(
            f"An assignment gives out at most {counted(most, noun)}, counting each for every coder who receives it.",
            "n",
        )


def require_not_over(due: date | None, field: str) -> None:
    """Raises `AssignmentError` for a last day that has passed."""
    if due is not None and due < datetime.now(UTC).date():
        raise AssignmentError(f"The last day, {due}, has passed.", field)


def require_running(assignment: Assignment) -> None:
    """Raises `AssignmentError` for an assignment that has ended."""
    if assignment.ended_at is not None:
        raise AssignmentError("The assignment has ended, so nobody waits for its last day.", "due")


def _require_gold_items(connection: Connection, wanted: int) -> None:
    ready = gold.count_ready(connection) if wanted else 0
    if wanted > ready:
        raise AssignmentError(
            f"Coders can train with {counted(ready, 'gold item')}, and {wanted:,} are wanted. Settled paragraphs "
            "become gold items on the page of assignments or by POST /v1/gold-items.",
            "training",
        )


def _drawn(connection: Connection, request: AssignmentRequest, reach: Reach) -> tuple[list[_Unit], int]:
    """The units that are drawn, in a random order, and the number of those that they are drawn from."""
    if not request.n:
        return [], 0
    units: list[_Unit]
    if request.whole:
        articles, pool = draws.undrawn_articles(connection, request.n, reach)
        units = list(articles)
    else:
        paragraphs, pool = draws.undrawn(connection, request.n, reach)
        units = [[paragraph] for paragraph in paragraphs]
    if not units:
        what = "No article is left that was not drawn as a whole" if request.whole else "No paragraph is left to draw"
        which = " in the articles of these outlets and days" if reach.is_limited else ""
        raise AssignmentError(f"{what}{which}.", "n")
    return units, pool


def why_fewer(request: AssignmentRequest, assignment: Assignment) -> str | None:
    """Says why fewer units were drawn than requested; None if as many were drawn."""
    drawn = assignment.content.units
    if drawn == request.n:
        return None
    left = counted(drawn, "article" if request.whole else "paragraph")
    return f"Only {left} {'was' if drawn == 1 else 'were'} left to draw."


def _divided(
    units: Sequence[_Unit], assignment: Assignment, generator: np.random.Generator
) -> Mapping[str, Sequence[draws.NewDraw]]:
    """The draws of each coder. Loads differ by a unit at most, and all pairs of coders share units."""
    content = assignment.content
    order = generator.permutation(len(content.coders))
    shares: dict[str, list[draws.NewDraw]] = {content.coders[place]: [] for place in order}
    loads, together = Counter[str](), Counter[tuple[str, str]]()
    for unit in units:
        receiving: list[str] = []
        for _ in range(content.coders_each):
            receiving.append(_next_coder(shares, receiving, loads, together))
        for place, coder in enumerate(receiving):
            loads[coder] += 1
            together.update((other, coder) for other in receiving if other != coder)
            shares[coder] += _draws_of(unit, assignment, overlap=place > 0)
    return shares


def _next_coder(
    coders: Iterable[str], receiving: Sequence[str], loads: Mapping[str, int], together: Mapping[tuple[str, str], int]
) -> str:
    """The coder with the fewest units so far; of several, whoever shares the fewest with those who receive it."""
    others = (coder for coder in coders if coder not in receiving)
    return min(others, key=lambda coder: (loads[coder], sum(together[other, coder] for other in receiving)))


def _draws_of(unit: _Unit, assignment: Assignment, *, overlap: bool) -> list[draws.NewDraw]:
    content, probability = assignment.content, assignment.inclusion_probability or 0.0
    return [
        draws.NewDraw(
            candidate, "random", probability, overlap, content.pool, whole=content.whole, assignment=assignment.number
        )
        for candidate in unit
    ]


def training_left(connection: Connection, assignment: Assignment, coder: str, answered: Sequence[datetime]) -> int:
    """Number of gold items that a coder has still to answer; `answered` are the times of all answers of the coder."""
    left = assignment.training_left(answered)
    return min(left, len(gold.waiting_for(connection, coder))) if left else 0


def assignment_answers(
    connection: Connection, assignments: Sequence[Assignment], coder: str | None = None
) -> list[AssignmentAnswer]:
    """Assignments as the API returns them; with `coder`, with the share of that coder only."""
    standings = store.standings(connection, [assignment.number for assignment in assignments])
    answered: dict[str, list[datetime]] = defaultdict(list)
    for name, moment in gold.answer_times(connection):
        answered[name].append(moment)
    return [
        _answer(
            assignment,
            [
                _share(
                    connection, assignment, name, standings.get((assignment.number, name), Standing()), answered[name]
                )
                for name in assignment.content.coders
                if coder in (None, name)
            ],
        )
        for assignment in assignments
    ]


def _share(
    connection: Connection, assignment: Assignment, coder: str, standing: Standing, answered: Sequence[datetime]
) -> CoderShare:
    return CoderShare(
        coder=coder,
        paragraphs=standing.received,
        annotated=standing.annotated,
        returned=standing.returned,
        waiting=standing.waiting,
        training_left=training_left(connection, assignment, coder, answered),
    )


def _answer(assignment: Assignment, shares: list[CoderShare]) -> AssignmentAnswer:
    content = assignment.content
    return AssignmentAnswer.model_validate(
        {
            "id": assignment.id,
            "coders": shares,
            "note": content.note,
            "outlets": content.reach.outlets and list(content.reach.outlets),
            "from": content.reach.since,
            "to": content.reach.until,
            "whole": content.whole,
            "coders_each": content.coders_each,
            "drawn": content.units,
            "pool": content.pool,
            "inclusion_probability": assignment.inclusion_probability,
            "training": content.training,
            "due": content.due,
            "created_by": content.created_by,
            "created_at": assignment.created_at,
            "ended_at": assignment.ended_at,
        }
    )
