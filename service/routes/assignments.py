"""/v1/assignments and /v1/gold-items: who annotates what until when, and what coders train with."""

from typing import Annotated

import numpy as np
from fastapi import APIRouter, Path, Query, Response

from service.coding.annotate import permitted_coder, require_own
from service.coding.assignments import assign, assignment_answers, require_not_over, require_running, why_fewer
from service.coding.gold import answer_gold, gold_item_answers, gold_scores, make_gold
from service.errors import NotFoundError, require_period
from service.http.body import StrictJsonRoute
from service.http.dependencies import Admin, Coder, UseCodebook, UseDatabase, needs
from service.http.paging import NumberCursor, read_number_cursor, write_number_cursor
from service.http.responses import guarded
from service.schemas.assignments import (
    AssignmentAnswer,
    AssignmentChange,
    AssignmentEnd,
    AssignmentList,
    AssignmentRequest,
    AssignmentSupply,
    GoldAnswerRequest,
    GoldFeedback,
    GoldItemAnswer,
    GoldItemList,
    GoldItemRequest,
    GoldScoreList,
)
from service.schemas.fields import ID_PATTERN, WholeDay
from service.store import audit, draws
from service.store.coding import assignments as store
from service.store.coding import gold
from service.store.draws.reach import Reach

router = APIRouter(prefix="/v1", tags=["annotations"], route_class=StrictJsonRoute)

AssignmentId = Annotated[str, Path(pattern=ID_PATTERN, description="Id of an assignment.")]
GoldItemId = Annotated[str, Path(pattern=ID_PATTERN, description="Id of a gold item.")]


@router.post("/assignments", status_code=201, responses=guarded(400, 413, 422, 503))
def create(request: AssignmentRequest, database: UseDatabase, caller: Admin) -> AssignmentAnswer:
    """Draws paragraphs, or whole articles, of some outlets and days for coders, who receive them before all others.

    They are a random sample of what nobody has received or annotated there, and which coder receives which is chance:
    annotations of them correct shares like those of the coding queue. With `outlets`, `from` or `to` they say
    nothing of other articles, and correct no share of more than these unless enough is annotated of what was drawn from
    all.
    """
    with database.write() as connection:
        assignment = assign(connection, request, caller.name, np.random.default_rng())
        facts = {"drawn": assignment.content.units, "due": request.due and request.due.isoformat()}
        audit.note(connection, caller, "assign", assignment.id, coders=list(assignment.content.coders), **facts)
        [answer] = assignment_answers(connection, [assignment])
    return answer.model_copy(update={"fewer_because": why_fewer(request, assignment)})


@router.get("/assignments", responses=guarded(422, 503))
def listing(
    database: UseDatabase,
    caller: Coder,
    coder: Annotated[str | None, Query(max_length=128, description="Only the assignments of this coder.")] = None,
    cursor: NumberCursor = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> AssignmentList:
    """Assignments, newest first, with how far their coders are. A key of the role coder lists its own."""
    only = permitted_coder(caller, coder)
    with database.read() as connection:
        page, following = store.listing(connection, only, read_number_cursor(cursor), limit)
        answers = assignment_answers(connection, page, only)
    return AssignmentList(assignments=answers, next=write_number_cursor(following))


@router.get("/assignments/supply", dependencies=needs["admin"], responses=guarded(422, 503))
def supply(
    database: UseDatabase,
    outlet: Annotated[list[str] | None, Query(max_length=100, description="Only these outlets.")] = None,
    since: Annotated[WholeDay | None, Query(alias="from", description="Only articles from this day on.")] = None,
    until: Annotated[WholeDay | None, Query(alias="to", description="Only articles up to this day.")] = None,
) -> AssignmentSupply:
    """What an assignment could draw from."""
    require_period(since, until, "query/to")
    reach = Reach(None if outlet is None else tuple(outlet), since, until)
    with database.read() as connection:
        return AssignmentSupply(
            paragraphs=draws.undrawn(connection, 0, reach)[1],
            articles=draws.undrawn_articles(connection, 0, reach)[1],
            gold_items=gold.count_ready(connection),
        )


@router.get("/assignments/{id:id}", responses=guarded(404, 422, 503))
def get(id: AssignmentId, database: UseDatabase, caller: Coder) -> AssignmentAnswer:
    """An assignment. A key of the role coder reaches its own."""
    only = permitted_coder(caller, None)
    with database.read() as connection:
        assignment = store.require(connection, id)
        if only is not None and only not in assignment.content.coders:
            raise NotFoundError(f"No assignment of yours has the id {id}.")
        [answer] = assignment_answers(connection, [assignment], only)
    return answer


@router.patch("/assignments/{id:id}", responses=guarded(400, 404, 413, 422, 503))
def change(id: AssignmentId, request: AssignmentChange, database: UseDatabase, caller: Admin) -> AssignmentAnswer:
    """Gives the coders of a running assignment time up to another day.

    What they have not annotated by then can be drawn again.
    """
    require_not_over(request.due, "due")
    with database.write() as connection:
        require_running(store.require(connection, id))
        assignment = store.change_due(connection, id, request.due)
        audit.note(connection, caller, "change assignment", id, due=request.due and request.due.isoformat())
        [answer] = assignment_answers(connection, [assignment])
    return answer


@router.post("/assignments/{id:id}/end", responses=guarded(404, 422, 503))
def end(id: AssignmentId, database: UseDatabase, caller: Admin) -> AssignmentEnd:
    """Ends an assignment: what its coders have not annotated goes back to the pool, for every coder to receive.

    What they have annotated stays. An assignment that has ended does not change.
    """
    with database.write() as connection:
        assignment = store.require(connection, id)
        returned = draws.return_assigned(connection, assignment.number)
        if assignment.ended_at is None:
            store.end(connection, assignment.number)
            audit.note(connection, caller, "end assignment", id, paragraphs=returned)
    return AssignmentEnd(id=id, returned=returned)


@router.post("/gold-items", status_code=201, responses=guarded(400, 404, 413, 422, 503))
def create_gold_item(
    request: GoldItemRequest, database: UseDatabase, codebook: UseCodebook, caller: Admin
) -> GoldItemAnswer:
    """Makes a settled paragraph a gold item. Its label is the adjudication in force, also if that changes later."""
    with database.write() as connection:
        identifier = make_gold(connection, request, caller.name)
        audit.note(connection, caller, "add gold item", identifier, article=request.article_id)
        [answer] = gold_item_answers(connection, [gold.require(connection, identifier)], codebook)
    return answer


@router.get("/gold-items", dependencies=needs["admin"], responses=guarded(422, 503))
def list_gold_items(
    database: UseDatabase,
    codebook: UseCodebook,
    cursor: NumberCursor = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> GoldItemList:
    """The gold items in use, newest first, with their labels."""
    with database.read() as connection:
        page, following = gold.listing(connection, read_number_cursor(cursor), limit)
        answers = gold_item_answers(connection, page, codebook)
    return GoldItemList(gold_items=answers, next=write_number_cursor(following))


@router.get("/gold-items/scores", responses=guarded(422, 503))
def scores(
    database: UseDatabase,
    codebook: UseCodebook,
    caller: Coder,
    coder: Annotated[str | None, Query(max_length=128, description="Only the score of this coder.")] = None,
) -> GoldScoreList:
    """What coders have answered to gold items, against the adjudicated labels. A key of the role coder sees its own."""
    with database.read() as connection:
        return GoldScoreList(scores=gold_scores(connection, codebook, permitted_coder(caller, coder)))


@router.post("/gold-items/{id:id}/answers", responses=guarded(400, 404, 413, 422, 503))
def answer(
    id: GoldItemId, request: GoldAnswerRequest, database: UseDatabase, codebook: UseCodebook, caller: Coder
) -> GoldFeedback:
    """Compares what a coder sees in a gold item with the adjudicated label, and says why that was decided.

    The answer is no annotation: it trains no model and corrects no share. The first answer of a coder counts.
    """
    require_own(caller, request.coder)
    with database.write() as connection:
        return answer_gold(connection, id, request, codebook)


@router.delete("/gold-items/{id:id}", status_code=204, response_class=Response, responses=guarded(404, 422, 503))
def withdraw(id: GoldItemId, database: UseDatabase, caller: Admin) -> None:
    """Gives a gold item to no coder any longer. What was answered to it still counts."""
    with database.write() as connection:
        if not gold.withdraw(connection, id):
            raise NotFoundError(f"No gold item in use has the id {id}.")
        audit.note(connection, caller, "withdraw gold item", id)
