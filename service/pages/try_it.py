"""/classify: the framing of an article that the reader pastes or uploads. Nothing is stored."""

from dataclasses import dataclass
from typing import Any, Literal

from anyio import to_thread
from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from pydantic import ValidationError
from starlette.datastructures import UploadFile

from labels.errors import ArchiveError, ArticleError, FileError, FramingError
from service.articles.answers import classified_answer
from service.articles.reading import classify_article, count_decisions, read_article
from service.articles.uploads import read_upload
from service.http.body import FormRequest
from service.http.dependencies import UseMetrics, UseModel, UseScoringTurns, UseSettings, needs
from service.http.problem_details import problem_of
from service.metrics import Metrics
from service.pages.article_view import blocks, marks, thresholds_of
from service.pages.render import PageRoute, Site, UseSite
from service.schemas.articles import ClassifyRequest
from service.settings import Settings
from training.scoring.frame_model import FrameModel
from training.scoring.operating_points import OPERATING_POINTS

router = APIRouter(include_in_schema=False, route_class=PageRoute)

ContentKind = Literal["text", "html"]


@router.get("/classify", dependencies=needs["submitter"])
def form(site: UseSite) -> HTMLResponse:
    """The empty form."""
    return _page(site, _Form())


@router.post("/classify", dependencies=needs["submitter"])
async def classify(
    request: Request,
    site: UseSite,
    model: UseModel,
    settings: UseSettings,
    metrics: UseMetrics,
    turns: UseScoringTurns,
) -> HTMLResponse:
    """The framing of the article in the form."""
    bounded = FormRequest(request.scope, request.receive)
    await bounded.body()  # rejects a body that is too large before the form is parsed
    async with turns.turn(request.receive):
        submitted = await _read_form(bounded, settings)
        return await to_thread.run_sync(_answer, request, site, model, settings, metrics, submitted)


@dataclass(frozen=True, slots=True)
class _Form:
    """The content of the form; `fault` says why its file cannot be read."""

    content: str = ""
    kind: ContentKind = "text"
    operating_point: str = "balanced"
    fault: str = ""


async def _read_form(request: Request, settings: Settings) -> _Form:
    limit = settings.max_body_mib * 2**20
    async with request.form(max_files=1, max_fields=20, max_part_size=limit) as form:
        fault = ""
        kind: ContentKind = "html" if form.get("kind") == "html" else "text"
        content, file = str(form.get("content") or ""), form.get("file")
        if isinstance(file, UploadFile) and file.filename:
            kind, content, fault = await _read_file(file, limit)
        point = str(form.get("operating_point") or "balanced")
    content = content.replace("\r\n", "\n")  # forms send CRLF, and offsets refer to the pasted text
    return _Form(content, kind, point if point in OPERATING_POINTS else "balanced", fault)


async def _read_file(file: UploadFile, limit: int) -> tuple[ContentKind, str, str]:
    """Kind and content of an uploaded file; else a sentence that says why it cannot be read."""
    try:
        upload = await to_thread.run_sync(read_upload, file.filename or "", await file.read(), limit)
    except (FileError, ArchiveError) as error:
        return "text", "", str(error)
    fields = upload.fields
    if isinstance(fields.get("html"), str):
        return "html", fields["html"], ""
    paragraphs = fields.get("paragraphs") or ()
    return "text", str(fields.get("text") or "\n\n".join(map(str, paragraphs))), ""


def _answer(
    page_request: Request, site: Site, model: FrameModel, settings: Settings, metrics: Metrics, submitted: _Form
) -> HTMLResponse:
    try:
        request = _classify_request(submitted)
        article = read_article(request, model, settings)
    except FramingError as error:
        problem = problem_of(page_request, error)
        return _page(site, submitted, problem=problem.detail, status=problem.status)
    classification = classify_article(article, request, model)
    answer = classified_answer(request, article, classification, model, evidence_terms=settings.evidence_terms)
    count_decisions(metrics, article, classification)
    names = site.frame_names
    return _page(
        site,
        submitted,
        answer=answer,
        blocks=blocks(answer, names, {}),
        summary=marks(answer.article.frames, names),
        thresholds=thresholds_of(model.card, answer.article),
        exported=answer.model_dump(mode="json", exclude_none=True),
    )


def _classify_request(submitted: _Form) -> ClassifyRequest:
    """The request that the form describes; raises `ArticleError` for a text or a file that is not accepted."""
    if submitted.fault:
        raise ArticleError(submitted.fault, "text")
    fields: dict[str, Any] = {submitted.kind: submitted.content, "operating_point": submitted.operating_point}
    try:
        return ClassifyRequest(**fields)
    except ValidationError as error:
        reason = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise ArticleError(f"The text {reason}.", "text") from error


def _page(site: Site, submitted: _Form, status: int = 200, **context: Any) -> HTMLResponse:
    empty: dict[str, Any] = {
        "answer": None,
        "problem": "",
        "blocks": [],
        "summary": [],
        "thresholds": {},
        "exported": {},
    }
    return site.page("classify.html", "/classify", status, submitted=submitted, **{**empty, **context})
