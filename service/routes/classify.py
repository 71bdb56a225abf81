"""POST /v1/classify: the framing of an article, with nothing stored."""

from fastapi import APIRouter

from service.answers import classified
from service.body import StrictJsonRoute
from service.intake import language_of, require_frames, split_article
from service.routes import problems
from service.schemas import Classified, ClassifyRequest, ModelUsed
from service.state import State
from training.classification import classify, cuts_at

router = APIRouter(prefix="/v1", tags=["classification"], route_class=StrictJsonRoute)


@router.post("/classify", response_model_exclude_none=True, responses=problems(400, 413, 422, 503))
def classify_article(request: ClassifyRequest, state: State) -> Classified:
    """The framing of an article, per paragraph and as a whole, with the words that carried it. Stores nothing."""
    model = state.champion.model()
    require_frames(request, model.card)
    article = split_article(request, state.settings)
    language = language_of(article, request, model.card)
    cuts = cuts_at(model, request.operating_point, request.thresholds)
    texts = [paragraph.text for paragraph in article.paragraphs]
    classification = classify(model, texts, cuts, explain=request.explain)
    state.metrics.count(classification)
    return classified(
        article,
        language,
        classification,
        model=ModelUsed(version=model.card.version, codebook_version=model.card.codebook_version),
        operating_point=request.operating_point,
        evidence_terms=state.settings.evidence_terms,
        with_text=request.text is None,
    )
