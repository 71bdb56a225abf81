"""POST /v1/classify: the framing of an article, with nothing stored."""

from fastapi import APIRouter, Response

from service.access.needs import needs
from service.articles.answers import as_json, classified
from service.articles.reading import open_article, read
from service.http.body import StrictJsonRoute
from service.http.dependencies import State
from service.routes import guarded
from service.schemas.articles import Classified, ClassifyRequest

router = APIRouter(prefix="/v1", tags=["classification"], route_class=StrictJsonRoute)


@router.post(
    "/classify", dependencies=needs["submitter"], response_model=Classified, responses=guarded(400, 413, 422, 503)
)
def classify_article(request: ClassifyRequest, state: State) -> Response:
    """The framing of an article, per paragraph and as a whole, with the words that carried it. Stores nothing."""
    model = state.champion.model()
    opened = open_article(request, model, state.settings)
    huge = state.helpers.answer(request, opened, model.card)
    if huge is not None:
        content, article = huge.content, huge.article
    else:
        reading = read(opened, request, model)
        answer = classified(request, reading, model.card, evidence_terms=state.settings.evidence_terms)
        content, article = as_json(answer), reading.classification.article
    state.metrics.count(len(opened.article.paragraphs), article)
    return Response(content, media_type="application/json")
