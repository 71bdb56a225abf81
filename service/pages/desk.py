"""/coding/desk and /coding/disagreements: the progress of all coders, and what an adjudicator settles."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse

from labels.annotations import STANCES, UNSPECIFIED
from service.coding.adjudication import Wanted, paragraphs_to_settle
from service.coding.progress import progress_of_coders
from service.errors import require_frames
from service.http.dependencies import Admin, UseDatabase, needs
from service.pages.coding import FRAME_KEYS
from service.pages.render import PageRoute, UseSite
from service.schemas.coders import REASONS, Reason

router = APIRouter(include_in_schema=False, route_class=PageRoute)

# What the filter calls each reason.
_REASONS: dict[Reason, str] = {
    "presence": "some see a frame, others do not",
    "stance": "the stance differs",
    "unsure": "a coder is unsure",
}


@router.get("/coding/desk", dependencies=needs["admin"])
def desk(site: UseSite, database: UseDatabase) -> HTMLResponse:
    """How far each coder has come, and how much waits for an adjudicator."""
    to_settle, _ = paragraphs_to_settle(database, site.codebook, Wanted(), None, 1)
    differing = {key: counts for key, counts in to_settle.by_frame.items() if counts.presence or counts.stance}
    return site.page(
        "desk.html",
        "/coding/desk",
        coders=progress_of_coders(database, site.codebook).coders,
        to_settle=to_settle,
        differing=differing,
        reasons=_REASONS,
    )


@router.get("/coding/disagreements")
def disagreements(
    site: UseSite,
    caller: Admin,
    frame: Annotated[str, Query(max_length=64)] = "",
    reason: Annotated[str, Query(pattern=f"^({'|'.join(REASONS)})?$")] = "",
    coder: Annotated[str, Query(max_length=128)] = "",
    settled: bool = False,
) -> HTMLResponse:
    """The page of the paragraphs on which coders differ, which it fetches from the API."""
    require_frames([frame] if frame else [], site.codebook.keys, "query/frame", owner="codebook")
    return site.page(
        "adjudication.html",
        "/coding/disagreements",
        chosen_frame=frame,
        reason=reason,
        reasons=_REASONS,
        coder=coder.strip(),
        settled=settled,
        # A name of the settings or of this machine is nobody's.
        adjudicator=caller.name if caller.key_id else "",
        stances=[stance for stance in STANCES if stance != UNSPECIFIED],
        frame_keys=FRAME_KEYS,
    )
