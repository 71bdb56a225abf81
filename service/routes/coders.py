"""/v1/disagreements and /v1/coders: what an adjudicator settles, and the progress of all coders."""

from typing import Annotated

from fastapi import APIRouter, Query

from service.coding.adjudication import Wanted, paragraphs_to_settle
from service.coding.progress import progress_of_coders
from service.http.body import StrictJsonRoute
from service.http.dependencies import UseCodebook, UseDatabase, needs
from service.http.paging import NumberCursor, read_number_cursor, write_number_cursor
from service.http.responses import guarded
from service.schemas.coders import Coders, ParagraphsToSettle, Reason

router = APIRouter(prefix="/v1", tags=["annotations"], route_class=StrictJsonRoute)


@router.get("/disagreements", dependencies=needs["admin"], responses=guarded(422, 503))
def disagreements(
    database: UseDatabase,
    codebook: UseCodebook,
    settled: Annotated[bool, Query(description="Those that are settled, instead of those that are open.")] = False,
    reason: Annotated[
        Reason | None,
        Query(
            description="`presence`: some coders see a frame and others do not; `stance`: all see it, with different "
            "stances; `unsure`: a coder asks to look at it again. All of these by default."
        ),
    ] = None,
    frame: Annotated[str | None, Query(description="Only those in which coders differ about this frame.")] = None,
    coder: Annotated[str | None, Query(max_length=128, description="Only those that this coder has coded.")] = None,
    cursor: NumberCursor = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 20,
) -> ParagraphsToSettle:
    """Paragraphs that an adjudicator should settle, oldest first, with the decisions and notes of all their coders.

    An annotation with the role `adjudicator` settles a paragraph. If it decides about some frames only, it settles
    those: a paragraph is open until each frame on which its coders differ is decided.
    """
    wanted = Wanted(settled=settled, reason=reason, frame=frame, coder=coder)
    answer, following = paragraphs_to_settle(database, codebook, wanted, read_number_cursor(cursor), limit)
    return answer.model_copy(update={"next": write_number_cursor(following)})


@router.get("/coders", dependencies=needs["admin"], responses=guarded(503))
def coders(database: UseDatabase, codebook: UseCodebook) -> Coders:
    """The progress of all coders: what they annotated, what waits, and how it compares with what was adjudicated."""
    return progress_of_coders(database, codebook)
