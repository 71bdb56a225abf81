"""/coding: the coding queue, a paragraph at a time in its context, for the keyboard."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse

from labels.agreement import RELIABLE, TENTATIVE
from labels.annotations import STANCES, UNSPECIFIED
from labels.codebook import Codebook
from service.coding.agreement import stored_agreement
from service.coding.answers import annotation_answer
from service.http.dependencies import Coder, UseDatabase, UseSettings
from service.pages.assignments import own_assignments, when_due
from service.pages.render import PageRoute, UseSite
from service.store import annotations, draws

router = APIRouter(include_in_schema=False, route_class=PageRoute)

# The key of each frame, in the order of the codebook: figures, then the letters that no command of the page uses.
# Frames beyond these are chosen by the first letters of their names.
FRAME_KEYS = "1234567890bcefhjklopqtvxyz"
_RECENT = 20


@router.get("/coding")
def coding(
    site: UseSite,
    database: UseDatabase,
    settings: UseSettings,
    caller: Coder,
    coder: Annotated[str, Query(max_length=128, pattern=r"^[^\x00]*$")] = "",
    whole: bool = False,
    later_frames: bool = False,
) -> HTMLResponse:
    """The coding queue of a coder; without a name, a form that asks for it."""
    name = coder.strip() if caller.may("admin") else caller.name
    coded, lacking, pairs, settled, recent, assigned = 0, 0, [], [], [], []
    if name:
        with database.read() as connection:
            coded = annotations.count_by(connection, name)
            lacking = draws.count_lacking_frames(connection, name, site.codebook)
            recent = annotations.latest_by(connection, name, _RECENT)
            assigned = own_assignments(connection, name)
        agreement = stored_agreement(database, site.codebook, name)
        pairs = [pair for pair in agreement.pairs if name in pair.coders]
        settled = [figures for own in agreement.with_adjudicated for figures in own.frames]
    return site.page(
        "coding.html",
        "/coding",
        coder=name,
        whole=whole,
        later_frames=later_frames,
        lacking=lacking,
        coded=coded,
        pairs=[(next(other for other in pair.coders if other != name), pair.frames) for pair in pairs],
        settled=settled,
        stances=[stance for stance in STANCES if stance != UNSPECIFIED],
        guess=settings.coding_guess,
        reliable=RELIABLE,
        tentative=TENTATIVE,
        frame_keys=FRAME_KEYS,
        concepts={concept: " ".join(words) for concept, words in site.codebook.concepts.items()},
        recent=[_recent(entry, site.codebook) for entry in recent],
        assigned=assigned,
        when_due=when_due,
    )


def _recent(entry: annotations.RecentAnnotation, codebook: Codebook) -> dict[str, Any]:
    """An annotation as the API returns it, with its paragraph."""
    answer = annotation_answer(entry.stored, codebook).model_dump(mode="json")
    return {**answer, "text": entry.text, "title": entry.title, "outlet": entry.outlet}
