"""POST /v1/classify: the framing of an article, with nothing stored."""

from fastapi import APIRouter, Response

from service.access.needs import needs
from service.answers import as_json, classified
from service.body import StrictJsonRoute
from service.intake import read_article
from service.routes import guarded
from service.schemas.articles import Classified, ClassifyRequest
from service.state import State

router = APIRouter(prefix="/v1", tags=["classification"], route_class=StrictJsonRoute)


@router.post(
    "/classify", dependencies=needs["submitter"], response_model=Classified, responses=guarded(400, 413, 422, 503)
)
def classify_article(request: ClassifyRequest, state: State) -> Response:
    """The framing of an article, per paragraph and as a whole, with the words that carried it. Stores nothing."""
    model = state.champion.model()
    reading = read_article(request, model, state.settings)
    state.metrics.count(reading.classification)
    answer = classified(request, reading, model.card, evidence_terms=state.settings.evidence_terms)
    return Response(as_json(answer), media_type="application/json")
