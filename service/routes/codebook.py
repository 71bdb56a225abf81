"""GET /v1/codebook: what the frames mean."""

from fastapi import APIRouter

from service.access.needs import needs
from service.answers import codebook_answer
from service.schemas.annotations import CodebookAnswer
from service.state import State

router = APIRouter(prefix="/v1", tags=["codebook"])


@router.get("/codebook", dependencies=needs["reader"])
def codebook(state: State) -> CodebookAnswer:
    """The codebook that new annotations and models follow."""
    return codebook_answer(state.codebook)
