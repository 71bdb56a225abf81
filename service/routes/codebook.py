"""GET /v1/codebook: what the frames mean."""

from fastapi import APIRouter

from service.access.needs import needs
from service.articles.answers import codebook_answer
from service.http.dependencies import State
from service.routes import guarded
from service.schemas.annotations import CodebookAnswer

router = APIRouter(prefix="/v1", tags=["codebook"])


@router.get("/codebook", dependencies=needs["reader"], responses=guarded(503))
def codebook(state: State) -> CodebookAnswer:
    """The codebook that new annotations and models follow."""
    return codebook_answer(state.codebook)
