"""/v1/annotations: what coders decided about paragraphs; /v1/agreement: how far they agree."""

from typing import Annotated

from fastapi import APIRouter, Body, Path, Query, Response

from service.agreement import agreement_answer
from service.answers import annotation_answer
from service.body import StrictJsonRoute
from service.coding import new_annotation
from service.problems import NotFoundError
from service.routes import problems
from service.schemas import AgreementAnswer, AnnotationList, AnnotationRequest
from service.state import State
from service.store import annotations as store
from service.store.annotations import Selection

router = APIRouter(prefix="/v1", tags=["annotations"], route_class=StrictJsonRoute)

MAX_AT_ONCE = 5000


@router.post("/annotations", status_code=201, responses=problems(400, 404, 413, 422, 503))
def create(
    request: AnnotationRequest | Annotated[list[AnnotationRequest], Body(min_length=1, max_length=MAX_AT_ONCE)],
    state: State,
) -> AnnotationList:
    """Stores one code, a list or JSON Lines of them, all or none.

    The same coder coding the same paragraph again replaces the code; the old one stays in the history.
    """
    requests = request if isinstance(request, list) else [request]
    with state.database.write() as connection:
        added = [
            store.add(connection, new_annotation(connection, one, state.codebook, None if one is request else place))
            for place, one in enumerate(requests)
        ]
    return AnnotationList(annotations=[annotation_answer(annotation) for annotation in added])


@router.get("/annotations", responses=problems(422, 503))
def listing(
    state: State,
    coder: Annotated[str | None, Query(max_length=128)] = None,
    article_id: Annotated[str | None, Query(pattern=r"^[0-9a-f]{32}$")] = None,
    source: Annotated[str | None, Query(max_length=256)] = None,
    selection: Selection | None = None,
    history: Annotated[bool, Query(description="Also those that were replaced or deleted.")] = False,
    cursor: Annotated[str | None, Query(pattern=r"^[0-9]{1,18}$", description="The `next` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> AnnotationList:
    """Annotations, newest first."""
    filters = store.Filters(coder, article_id, source, selection, history)
    with state.database.read() as connection:
        page, following = store.listing(connection, filters, int(cursor) if cursor else None, limit)
    return AnnotationList(
        annotations=[annotation_answer(annotation) for annotation in page],
        next=None if following is None else str(following),
    )


@router.delete("/annotations/{id}", status_code=204, response_class=Response, responses=problems(404, 422, 503))
def delete(
    id: Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")],
    state: State,
) -> None:
    """Takes a code out of force; it stays in the history."""
    with state.database.write() as connection:
        if not store.remove(connection, id):
            raise NotFoundError(f"No annotation in force has the id {id}.")


@router.get("/agreement", responses=problems(503))
def agreement(state: State) -> AgreementAnswer:
    """Krippendorff's alpha per frame, for stance and per pair of coders, and the disagreements to settle."""
    with state.database.read() as connection:
        own = store.coded_paragraphs(connection, state.codebook.keys, adjudicated=False)
        settled = store.settled_by(connection)
    return agreement_answer(own, settled, state.codebook)
