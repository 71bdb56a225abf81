"""Many articles in a request: JSON Lines in, a result line for each line, in their order."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError

from labels.files.json_records import on_a_single_line
from service.articles.answers import classified_answer, stored_answer
from service.articles.ingest import Scored, Submission, metadata_of, require_no_conflict, scored_unless_stored
from service.articles.reading import classify_article, count_decisions, read_article
from service.http.body import BodyTooLargeError, parse_json
from service.http.dependencies import (
    GuardedRoute,
    Submitter,
    UseArticleWriter,
    UseChampion,
    UseDatabase,
    UseMetrics,
    UseModel,
    UseSettings,
    needs,
)
from service.http.json_lines import MEDIA_TYPE, Line, LinesAnswer
from service.http.problem_details import describe, describe_invalid
from service.http.responses import Responses, guarded
from service.routes.articles import Replace
from service.schemas.articles import ArticleRequest
from service.schemas.batches import ArticleLine, ClassifiedLine
from service.schemas.problems import Problem
from service.settings import Settings
from service.store.articles import Placement
from service.store.sql.group_commit import Ticket
from training.encoder.stopping import begin_article

router = APIRouter(prefix="/v1", tags=["batches"], route_class=GuardedRoute)

_CONTENT = {MEDIA_TYPE: {"schema": {"type": "string"}}}
_LINES = {"requestBody": {"description": "JSON Lines: an article per line.", "content": _CONTENT}}
_RESULTS: Responses = {
    200: {
        "description": "A line for each line that is not blank, in their order: `line` (its number), `external_id`, "
        "`status`, and `answer` (as for that article alone) or `problem`",
        "content": _CONTENT,
    }
}
_NOT_JSON = {"loc": ("body",), "type": "json_invalid", "ctx": {"error": "it cannot be parsed"}, "msg": ""}


@router.post(
    "/classify:batch",
    dependencies=needs["submitter"],
    response_class=Response,
    responses={**_RESULTS, **guarded(408, 503)},
    openapi_extra=_LINES,
)
async def classify_lines(request: Request, model: UseModel, settings: UseSettings, metrics: UseMetrics) -> Response:
    """The framing of many articles; stores nothing.

    Each line is a request as for /v1/classify; the answer repeats its `external_id`. A line that cannot be classified
    is answered with its problem, and the others continue. Read the answer while you send.
    """
    path = request.url.path

    def answer(line: Line) -> ClassifiedLine:
        parsed = _parse(line, settings, path)
        if isinstance(parsed, Problem):
            return ClassifiedLine(line=line.number, status=parsed.status, problem=parsed)
        try:
            begin_article()
            article = read_article(parsed, model, settings)
            classification = classify_article(article, parsed, model)
        except Exception as error:  # noqa: BLE001 - an unforeseen error of a line must not end the others
            problem = describe(path, error)
            return ClassifiedLine(
                line=line.number, external_id=parsed.external_id, status=problem.status, problem=problem
            )
        count_decisions(metrics, article, classification)
        evidence = settings.evidence_terms
        return ClassifiedLine.model_construct(
            line=line.number,
            external_id=parsed.external_id,
            status=200,
            answer=classified_answer(parsed, article, classification, model, evidence_terms=evidence),
        )

    return _lines_answer(request, settings, lambda lines: list(map(answer, lines)), stores=False)


@dataclass(frozen=True, slots=True)
class _Pending:
    """An article of a line that was handed over to be stored."""

    scored: Scored
    ticket: Ticket


@router.post(
    "/articles:batch",
    response_class=Response,
    responses={**_RESULTS, **guarded(408, 503)},
    openapi_extra=_LINES,
)
async def store_lines(
    request: Request,
    champion: UseChampion,
    settings: UseSettings,
    database: UseDatabase,
    writer: UseArticleWriter,
    metrics: UseMetrics,
    caller: Submitter,
    replace: Replace = False,
) -> Response:
    """Stores many articles with their framing.

    Each line is a request as for POST /v1/articles; what has been answered has been stored. The same article again
    answers 200, so after a broken connection send everything again: articles that are stored are not stored twice. A
    line that cannot be stored is answered with its problem, such as a conflict (409) where another text is stored under
    its external_id or url, and the others continue. Read the answer while you send.
    """
    champion.model()
    path = request.url.path

    def begin(line: Line) -> tuple[ArticleRequest | None, _Pending | Problem | Placement]:
        """The request of a line, and the article that is being stored, the article stored before, or the problem."""
        parsed = _parse(line, settings, path)
        if isinstance(parsed, Problem):
            return None, parsed
        try:
            begin_article()
            scored = scored_unless_stored(database, parsed, champion.model(), settings, replace=replace)
            if isinstance(scored, Placement):
                require_no_conflict(scored, metadata_of(parsed))
                return parsed, scored
        except Exception as error:  # noqa: BLE001 - an unforeseen error of a line must not end the others
            return parsed, describe(path, error)
        return parsed, _Pending(scored, writer.put(Submission(scored.new, caller, replace=replace)))

    def finish(number: int, parsed: ArticleRequest | None, outcome: _Pending | Problem | Placement) -> ArticleLine:
        """The result of a line, once its article is stored."""
        own = parsed.external_id if parsed else None
        result = stored(number, own, outcome) if isinstance(outcome, _Pending) else outcome
        if isinstance(result, Problem):
            return ArticleLine(line=number, external_id=own, status=result.status, problem=result)
        if isinstance(result, Placement):
            replaced: Literal[True] | None = True if result.outcome == "replaced" else None
            return ArticleLine(line=number, external_id=own, status=200, id=result.id, replaced=replaced)
        return result

    def stored(number: int, own: str | None, pending: _Pending) -> ArticleLine | Problem | Placement:
        """The result of a line with a new article; else the problem, or the article stored before."""
        try:
            receipt = writer.result(pending.ticket)
            require_no_conflict(receipt.placement, pending.scored.new.article.metadata)
        except Exception as error:  # noqa: BLE001 - as above
            return describe(path, error)
        if receipt.stored or receipt.replaced:
            count_decisions(metrics, pending.scored.article, pending.scored.classification)
        if not receipt.stored:
            return receipt.placement
        article = pending.scored.new.article
        article = article.without_url() if receipt.placement.without_url else article
        answer = stored_answer(article, evidence_terms=settings.evidence_terms)
        return ArticleLine.model_construct(
            line=number, external_id=own, status=201, id=receipt.article_id, answer=answer
        )

    def store(lines: Sequence[Line]) -> list[ArticleLine]:
        # All are handed over before the first is waited for, so that they share a transaction.
        outcomes = [(line.number, *begin(line)) for line in lines]
        return [finish(*outcome) for outcome in outcomes]

    return _lines_answer(request, settings, store, stores=True)


def _lines_answer(
    request: Request,
    settings: Settings,
    answer: Callable[[Sequence[Line]], Sequence[ClassifiedLine | ArticleLine]],
    *,
    stores: bool,
) -> Response:
    def write(lines: Sequence[Line]) -> bytes:
        return "".join(
            f"{on_a_single_line(result.model_dump_json(exclude_none=True))}\n" for result in answer(lines)
        ).encode()

    return LinesAnswer(request, settings.max_body_mib * 2**20, write, stores=stores)


def _not_an_object(path: str, content: Any) -> Problem:
    """The problem of a line that is JSON but no article."""
    kind = "a JSON array" if isinstance(content, list) else "no JSON object"
    sentence = f"The line is {kind}: send one JSON object a line, each of them an article."
    problem = describe_invalid(path, [{"loc": ("body",), "type": "dict_type", "msg": sentence}])
    return problem.model_copy(update={"detail": sentence})


def _parse(line: Line, settings: Settings, path: str) -> ArticleRequest | Problem:
    """The request of a line, or its problem."""
    try:
        if line.content is None:
            raise BodyTooLargeError(f"The line is longer than {settings.max_body_mib} MiB.")
        content = parse_json(line.content)
        if not isinstance(content, dict):
            return _not_an_object(path, content)
        return ArticleRequest.model_validate(content)
    except ValidationError as error:
        return describe_invalid(path, [{**fault, "loc": ("body", *fault["loc"])} for fault in error.errors()])
    except ValueError:
        return describe_invalid(path, [_NOT_JSON])
    except Exception as error:  # noqa: BLE001 - an unforeseen error of a line must not end the others
        return describe(path, error)
