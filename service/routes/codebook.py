"""GET /v1/codebook: the definitions of the frames."""

from fastapi import APIRouter

from service.coding.answers import codebook_answer
from service.http.dependencies import GuardedRoute, UseCodebook, needs
from service.http.responses import guarded
from service.schemas.annotations import CodebookAnswer

router = APIRouter(prefix="/v1", tags=["codebook"], route_class=GuardedRoute)


@router.get("/codebook", dependencies=needs["reader"], responses=guarded(503))
def codebook(codebook: UseCodebook) -> CodebookAnswer:
    """The codebook that new annotations and models follow."""
    return codebook_answer(codebook)
