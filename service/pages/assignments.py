"""/coding/assignments: who annotates what until when, and the paragraphs by which coders train."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from sqlalchemy import Connection

from labels.codebook import Codebook
from service.coding.assignments import assignment_answers
from service.coding.gold import gold_item_answers, gold_scores
from service.http.dependencies import Coder, UseDatabase
from service.pages.render import PageRoute, UseSite
from service.schemas.assignments import AssignmentAnswer, CoderShare, GoldScore
from service.store import keys, prevalence
from service.store.coding import assignments as store
from service.store.coding import gold

router = APIRouter(include_in_schema=False, route_class=PageRoute)

_SHOWN = 100
_CANDIDATES = 50


@router.get("/coding/assignments")
def assignments(site: UseSite, database: UseDatabase, caller: Coder) -> HTMLResponse:
    """Assignments and how far their coders are; admins also assign, and choose what coders train with."""
    is_admin = caller.may("admin")
    only = None if is_admin else caller.name
    with database.read() as connection:
        page, following = store.listing(connection, only, None, _SHOWN)
        answers = assignment_answers(connection, page, only)
        scores = gold_scores(connection, site.codebook, only)
        of_admin = _of_admin(connection, site.codebook) if is_admin else {}
    return site.page(
        "assignments.html",
        "/coding/assignments",
        running=[answer for answer in answers if answer.ended_at is None],
        ended=[answer for answer in answers if answer.ended_at is not None],
        more=following is not None,
        when=when_due,
        scores=scores,
        weakest=_weakest,
        today=datetime.now(UTC).date(),
        coders=of_admin.get("coders", ()),
        outlets=of_admin.get("outlets", ()),
        gold_items=of_admin.get("gold_items", ()),
        candidates=of_admin.get("candidates", ()),
    )


def _of_admin(connection: Connection, codebook: Codebook) -> dict[str, Any]:
    items, _ = gold.listing(connection, None, _SHOWN)
    return {
        "coders": sorted(keys.coders(connection).union(store.known_coders(connection))),
        "outlets": prevalence.outlets(connection),
        "gold_items": gold_item_answers(connection, items, codebook),
        "candidates": gold.candidates(connection, _CANDIDATES),
    }


def own_assignments(connection: Connection, coder: str) -> list[tuple[AssignmentAnswer, CoderShare]]:
    """The running assignments of which a coder has something left, what is due first first, with the coder's share."""
    running = store.running(connection, coder)
    own = [(answer, answer.coders[0]) for answer in assignment_answers(connection, running, coder)]
    left = [(answer, share) for answer, share in own if share.waiting or share.training_left]
    return sorted(left, key=lambda entry: (entry[0].due or date.max, entry[0].created_at))


def when_due(due: date) -> str:
    """How long there is until a last day."""
    days = (due - datetime.now(UTC).date()).days
    if days < 0:
        return "the last day has passed"
    return {0: "today is the last day", 1: "1 day left"}.get(days, f"{days:,} days left")


def _weakest(score: GoldScore) -> Sequence[tuple[str, int, int]]:
    """The frames that a coder mistakes most often, at most three: each with how often it was missed and added."""
    wrong = [(frame.frame, frame.missed, frame.false_alarms) for frame in score.frames if frame.right < frame.answered]
    return sorted(wrong, key=lambda entry: -(entry[1] + entry[2]))[:3]
