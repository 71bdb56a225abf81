"""POST /v1/classify: the framing of an article, without storing anything."""

from fastapi import APIRouter, Response

from service.articles.answers import as_json, classified_answer
from service.articles.reading import classify_article, count_decisions, read_article
from service.http.body import FORM, StrictJsonRoute
from service.http.dependencies import UseMetrics, UseModel, UseScoringPool, UseSettings, needs
from service.http.responses import guarded
from service.schemas.articles import ArticleRequest, Classified

router = APIRouter(prefix="/v1", tags=["classification"], route_class=StrictJsonRoute)


@router.post(
    "/classify",
    dependencies=needs["submitter"],
    response_model=Classified,
    responses=guarded(400, 413, 422, 503),
    openapi_extra=FORM,
)
def classify(
    request: ArticleRequest, model: UseModel, settings: UseSettings, metrics: UseMetrics, pool: UseScoringPool
) -> Response:
    """The framing of an article, per paragraph and as a whole, with the words that carried it. Stores nothing.

    The body is that of POST /v1/articles, so that the same file serves both.
    """
    article = read_article(request, model, settings)
    pooled = pool.answer(request, article, model)
    if pooled is not None:
        content, classification = pooled.content, pooled.classification
    else:
        classification = classify_article(article, request, model)
        answer = classified_answer(request, article, classification, model, evidence_terms=settings.evidence_terms)
        content = as_json(answer)
    count_decisions(metrics, article, classification)
    return Response(content, media_type="application/json")
