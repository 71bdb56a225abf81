"""/coding: one paragraph at a time, in its context, keyboard first."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse

from labels.annotations import STANCES, UNSPECIFIED
from service.access.needs import Coder
from service.coding.agreement import agreement_answer
from service.http.dependencies import State
from service.pages.render import PageRoute, page
from service.store import annotations

router = APIRouter(include_in_schema=False, route_class=PageRoute)


@router.get("/coding")
def coding(
    state: State,
    caller: Coder,
    coder: Annotated[str, Query(max_length=128, pattern=r"^[^\x00]*$")] = "",
    whole: bool = False,
) -> HTMLResponse:
    """The coding queue of a coder; without a name, the question for it."""
    name = coder.strip() if caller.may("admin") else caller.name
    coded, pairs = 0, []
    if name:
        with state.database.read() as connection:
            coded = annotations.count_by(connection, name)
            shared = annotations.coded_paragraphs(connection, state.codebook.keys, adjudicated=False)
        own = [p for p in shared if len(p.annotations) > 1 and any(a.coder == name for a in p.annotations)]
        pairs = [pair for pair in agreement_answer(own, {}, state.codebook).pairs if name in pair.coders]
    return page(
        state,
        "coding.html",
        "/coding",
        coder=name,
        whole=whole,
        coded=coded,
        pairs=[(next(c for c in pair.coders if c != name), pair.frames) for pair in pairs],
        stances=[stance for stance in STANCES if stance != UNSPECIFIED],
        guess=state.settings.coding_guess,
    )
