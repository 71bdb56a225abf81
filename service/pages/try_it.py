"""/classify: the framing of an article that the reader pastes or uploads. Nothing is stored."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from anyio import to_thread
from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from pydantic import ValidationError
from starlette.datastructures import FormData, UploadFile

from labels.errors import ArchiveError, ArticleError, FileError, FramingError, LanguageError
from labels.language import NEWS_LANGUAGES
from service.articles.answers import classified_answer
from service.articles.reading import classify_article, count_decisions, read_article
from service.articles.uploads import is_markup, read_upload
from service.http.body import FormRequest
from service.http.dependencies import UseMetrics, UseModel, UseScoringTurns, UseSettings, needs
from service.http.problem_details import problem_of
from service.metrics import Metrics
from service.pages.article_view import SHOWN_FAINTLY, blocks, marks, other_points
from service.pages.render import PageRoute, Site, UseSite
from service.schemas.articles import ArticleRequest
from service.settings import Settings
from training.scoring.frame_model import FrameModel

router = APIRouter(include_in_schema=False, route_class=PageRoute)

# How the text in the box is read; `recognised` means as what it looks like.
ContentKind = Literal["recognised", "text", "html"]
_KINDS: tuple[ContentKind, ...] = get_args(ContentKind)
# Fields of the article that the form offers, under the names that the API gives them.
_OPTIONS = ("operating_point", "force_language")


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
    """What was submitted: the text of the box, or the `fields` of the article in a file.

    `options` are the fields of the article that were chosen on the page. `file` is the name of the file, `notes` are
    sentences about how it was read, and `fault` says why it cannot be read.
    """

    content: str = ""
    kind: ContentKind = "recognised"
    options: Mapping[str, str] = field(default_factory=dict)
    file: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    fault: str = ""


@dataclass(frozen=True, slots=True)
class _Problem:
    """Why there is no answer, and which part of the form it is about: `content`, `file` or `language`."""

    sentence: str
    place: str
    status: int


async def _read_form(request: Request, settings: Settings) -> _Form:
    limit = settings.max_body_mib * 2**20
    async with request.form(max_files=1, max_fields=20, max_part_size=limit) as form:
        options = {name: value for name in _OPTIONS if (value := _text(form, name))}
        file = form.get("file")
        if isinstance(file, UploadFile) and file.filename:
            return await _read_file(file, limit, options, replaces=bool(_text(form, "content").strip()))
        kind: ContentKind = next((known for known in _KINDS if known == form.get("kind")), "recognised")
        # Forms send CRLF, and offsets refer to the pasted text.
        content = _text(form, "content").replace("\r\n", "\n")
    read_as = kind if kind != "recognised" else "html" if is_markup(content) else "text"
    return _Form(content, kind, options, fields={read_as: content})


def _text(form: FormData, name: str) -> str:
    value = form.get(name)
    return value if isinstance(value, str) else ""


async def _read_file(file: UploadFile, limit: int, options: Mapping[str, str], *, replaces: bool) -> _Form:
    """The form with the article of an uploaded file, which `replaces` what was in the box."""
    name = file.filename or ""
    try:
        upload = await to_thread.run_sync(read_upload, name, await file.read(), limit)
    except (FileError, ArchiveError) as error:
        return _Form(options=options, file=name, fault=f"{name}: {error}")
    encoding = f" ({upload.encoding})" if upload.encoding not in (None, "utf-8") else ""
    notes = [f"This was read from the file {name}{encoding}{', in place of the text in the box' if replaces else ''}."]
    if upload.fault:
        notes.append(upload.fault)
    kind: ContentKind = "html" if isinstance(upload.fields.get("html"), str) else "text"
    paragraphs = upload.fields.get("paragraphs")
    joined = "\n\n".join(map(str, paragraphs)) if isinstance(paragraphs, list) else ""
    content = str(upload.fields.get("html") or upload.fields.get("text") or joined)
    return _Form(content, kind, options, name, upload.fields, tuple(notes))


def _answer(
    page_request: Request, site: Site, model: FrameModel, settings: Settings, metrics: Metrics, submitted: _Form
) -> HTMLResponse:
    try:
        request = _request_of(submitted)
        article = read_article(request, model, settings)
    except FramingError as error:
        if isinstance(error, LanguageError):
            submitted = replace(submitted, options={**submitted.options, "force_language": error.code})
        return _page(site, submitted, problem=_problem(page_request, error, submitted))
    classification = classify_article(article, request, model)
    answer = classified_answer(request, article, classification, model, evidence_terms=settings.evidence_terms)
    count_decisions(metrics, article, classification)
    exported = answer.model_dump(mode="json", exclude_none=True)
    if submitted.file:  # its reader has no text to which the offsets could refer
        exported["text"] = article.split.text
    names, others = site.frame_names, other_points(model, answer, request.thresholds)
    return _page(
        site,
        replace(submitted, options={**submitted.options, "operating_point": answer.operating_point}),
        answer=answer,
        title=request.title,
        known_languages=model.card.languages,
        blocks=blocks(answer, names, {}, others),
        summary=marks(answer.article.frames, names),
        thresholds=others.thresholds,
        own_thresholds=request.thresholds,
        exported=exported,
        function_words=SHOWN_FAINTLY,
    )


def _request_of(submitted: _Form) -> ArticleRequest:
    """The request that the form describes; raises `ArticleError` for a text or a file that is not accepted."""
    if submitted.fault:
        raise ArticleError(submitted.fault, "file")
    try:
        return ArticleRequest(**{**submitted.fields, **submitted.options})
    except ValidationError as error:
        fault = error.errors()[0]
        reason = fault["msg"].removeprefix("Value error, ").rstrip(".")
        name = "/".join(map(str, fault["loc"]))
        if name in ("text", "html"):
            raise ArticleError(f"The text {reason}.", name) from error
        place = f"{submitted.file}: the" if submitted.file else "The"
        raise ArticleError(f"{place} field “{name}” is not as documented: {reason}.", name) from error


def _problem(page_request: Request, error: FramingError, submitted: _Form) -> _Problem:
    problem = problem_of(page_request, error)
    if isinstance(error, LanguageError):
        reason, _, _ = str(error).partition(";")
        way_out = "To score it all the same, send it again: its language is now chosen below."
        return _Problem(f"{reason}. {way_out}", "language", problem.status)
    return _Problem(problem.detail, "file" if submitted.file else "content", problem.status)


def _page(site: Site, submitted: _Form, problem: _Problem | None = None, **context: Any) -> HTMLResponse:
    """The page with the form; `context` has the answer, unless nothing was scored."""
    chosen = submitted.options.get("force_language", "")
    empty: dict[str, Any] = {
        "answer": None,
        "title": None,
        "known_languages": (),
        "blocks": [],
        "summary": [],
        "thresholds": {},
        "own_thresholds": {},
        "exported": {},
        "function_words": (),
    }
    return site.page(
        "classify.html",
        "/classify",
        200 if problem is None else problem.status,
        submitted=submitted,
        problem=problem,
        languages=sorted(NEWS_LANGUAGES | ({chosen} if chosen else set())),
        **{**empty, **context},
    )
