"""/classify: paste or choose an article and see its framing. Nothing is stored."""

from dataclasses import dataclass
from typing import Any, Literal

from anyio import to_thread
from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from pydantic import ValidationError
from starlette.datastructures import UploadFile

from labels.errors import ArticleError, FramingError
from service.access.needs import needs
from service.articles.answers import classified
from service.articles.reading import read_article
from service.http.body import StrictJsonRequest
from service.http.dependencies import Services, State
from service.pages.article_view import blocks, cuts_of, marks
from service.pages.render import PageRoute, page, places, status_of, titles
from service.schemas.articles import ClassifyRequest
from training.scoring.operating_points import OPERATING_POINTS

router = APIRouter(include_in_schema=False, route_class=PageRoute)

Kind = Literal["text", "html"]


@router.get("/classify", dependencies=needs["submitter"])
def form(state: State) -> HTMLResponse:
    return _page(state, _Submitted())


@router.post("/classify", dependencies=needs["submitter"])
async def classify(request: Request, state: State) -> HTMLResponse:
    submitted = await _submitted(request, state)
    return await to_thread.run_sync(_answer, state, submitted)


@dataclass(frozen=True, slots=True)
class _Submitted:
    """What the form held."""

    content: str = ""
    kind: Kind = "text"
    operating_point: str = "balanced"


async def _submitted(request: Request, state: Services) -> _Submitted:
    bounded = StrictJsonRequest(request.scope, request.receive)
    await bounded.body()  # refuses what is too large before any of it is kept
    limit = state.settings.max_body_mib * 2**20
    async with bounded.form(max_files=1, max_fields=20, max_part_size=limit) as form:
        kind: Kind = "html" if form.get("kind") == "html" else "text"
        content, file = str(form.get("content") or ""), form.get("file")
        if isinstance(file, UploadFile) and file.filename:
            data = await file.read()
            kind = "html" if file.filename.lower().endswith((".html", ".htm")) else "text"
            content = data.decode("utf-8", errors="replace")
        point = str(form.get("operating_point") or "balanced")
    content = content.replace("\r\n", "\n")  # forms send them so, and offsets count what was pasted
    return _Submitted(content, kind, point if point in OPERATING_POINTS else "balanced")


def _answer(state: Services, submitted: _Submitted) -> HTMLResponse:
    model = state.champion.model()
    try:
        fields: dict[str, Any] = {submitted.kind: submitted.content, "operating_point": submitted.operating_point}
        try:
            request = ClassifyRequest(**fields)
        except ValidationError as error:
            raise ArticleError(f"The text {error.errors()[0]['msg'].removeprefix('Value error, ')}.", "text") from error
        reading = read_article(request, model, state.settings)
    except FramingError as error:
        return _page(state, submitted, problem=str(error), status=status_of(error))
    answer = classified(request, reading, model.card, evidence_terms=state.settings.evidence_terms)
    state.metrics.count(len(answer.paragraphs), reading.classification.article)
    named, placed = titles(state), places(state)
    return _page(
        state,
        submitted,
        answer=answer,
        blocks=blocks(answer, named, placed, {}),
        summary=marks(answer.article.frames, named, placed),
        cuts=cuts_of(model.card),
        exported=answer.model_dump(mode="json", exclude_none=True),
    )


def _page(state: Services, submitted: _Submitted, status: int = 200, **context: Any) -> HTMLResponse:
    empty: dict[str, Any] = {"answer": None, "problem": "", "blocks": [], "summary": [], "cuts": {}, "exported": {}}
    return page(state, "classify.html", "/classify", status, submitted=submitted, **{**empty, **context})
