"""Many articles in one request: JSON Lines in, a result line for each line, in their order."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError

from service.articles.answers import classified_answer, stored_answer
from service.articles.ingest import Submission, scored_article
from service.articles.reading import ReadArticle, classify_article, count_decisions, read_article
from service.http.body import BodyTooLargeError, parse_json
from service.http.dependencies import (
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
from service.schemas.articles import ArticleRequest, ClassifyRequest
from service.schemas.batches import ArticleLine, ClassifiedLine, ClassifyLine
from service.schemas.problems import Problem
from service.settings import Settings
from service.store.articles import NewArticle, id_of
from service.store.sql.database import Database
from service.store.sql.group_commit import Ticket
from training.scoring.classification import Classification

router = APIRouter(prefix="/v1", tags=["batches"])

Parsed = TypeVar("Parsed", bound=ClassifyRequest)

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
_NOT_AN_OBJECT = {"loc": ("body",), "type": "dict_type", "msg": "Send a JSON object per line."}


@router.post(
    "/classify:batch",
    dependencies=needs["submitter"],
    response_class=Response,
    responses={**_RESULTS, **guarded(503)},
    openapi_extra=_LINES,
)
async def classify_lines(request: Request, model: UseModel, settings: UseSettings, metrics: UseMetrics) -> Response:
    """The framing of many articles; stores nothing.

    Each line is a request as for /v1/classify, with an optional id (`external_id`). A line that cannot be classified is
    answered with its problem, and the others continue. Read the answer while you send.
    """
    path = request.url.path

    def answer(line: Line) -> ClassifiedLine:
        parsed = _parse(line, ClassifyLine, settings, path)
        if isinstance(parsed, Problem):
            return ClassifiedLine(line=line.number, status=parsed.status, problem=parsed)
        try:
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

    return _lines_answer(request, settings, lambda lines: list(map(answer, lines)))


@dataclass(frozen=True, slots=True)
class _Pending:
    """An article of a line that was handed over to be stored."""

    article: ReadArticle
    classification: Classification
    scored: NewArticle
    ticket: Ticket


@router.post(
    "/articles:batch",
    response_class=Response,
    responses={**_RESULTS, **guarded(503)},
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
) -> Response:
    """Stores many articles with their framing.

    Each line is a request as for POST /v1/articles; what has been answered has been stored. The same article again
    (same external_id, url, or text and outlet) answers 200, so after a broken connection send everything again:
    articles that are stored are not stored twice. A line that cannot be stored is answered with its problem, and the
    others continue. Read the answer while you send.
    """
    champion.model()
    path = request.url.path

    def begin(line: Line) -> tuple[ArticleRequest | None, _Pending | Problem | str]:
        """The request of a line, and the article that is being stored, the id of a stored article, or the problem."""
        parsed = _parse(line, ArticleRequest, settings, path)
        if isinstance(parsed, Problem):
            return None, parsed
        try:
            identifier = _stored_id(database, parsed)
            if identifier is not None:
                return parsed, identifier
            model = champion.model()
            article = read_article(parsed, model, settings)
            classification = classify_article(article, parsed, model)
            scored = scored_article(parsed, article, classification, model)
        except Exception as error:  # noqa: BLE001 - an unforeseen error of a line must not end the others
            return parsed, describe(path, error)
        return parsed, _Pending(article, classification, scored, writer.put(Submission(scored, caller)))

    def finish(number: int, parsed: ArticleRequest | None, outcome: _Pending | Problem | str) -> ArticleLine:
        """The result of a line, once its article is stored."""
        own = parsed.external_id if parsed else None
        if isinstance(outcome, _Pending):
            try:
                receipt = writer.result(outcome.ticket)
            except Exception as error:  # noqa: BLE001 - as above
                outcome = describe(path, error)
            else:
                if receipt.stored:
                    count_decisions(metrics, outcome.article, outcome.classification)
                    answer = stored_answer(outcome.scored.article, evidence_terms=settings.evidence_terms)
                    return ArticleLine.model_construct(
                        line=number, external_id=own, status=201, id=receipt.article_id, answer=answer
                    )
                outcome = receipt.article_id
        if isinstance(outcome, Problem):
            return ArticleLine(line=number, external_id=own, status=outcome.status, problem=outcome)
        return ArticleLine(line=number, external_id=own, status=200, id=outcome)

    def store(lines: Sequence[Line]) -> list[ArticleLine]:
        # All are handed over before the first is waited for, so that they share a transaction.
        outcomes = [(line.number, *begin(line)) for line in lines]
        return [finish(*outcome) for outcome in outcomes]

    return _lines_answer(request, settings, store)


def _lines_answer(
    request: Request, settings: Settings, answer: Callable[[Sequence[Line]], Sequence[ClassifiedLine | ArticleLine]]
) -> Response:
    def write(lines: Sequence[Line]) -> bytes:
        return "".join(f"{result.model_dump_json(exclude_none=True)}\n" for result in answer(lines)).encode()

    return LinesAnswer(request, settings.max_body_mib * 2**20, write)


def _stored_id(database: Database, parsed: ArticleRequest) -> str | None:
    """The id of an article that is stored under the same external_id: it need not be scored again."""
    if parsed.external_id is None:
        return None
    with database.read() as connection:
        return id_of(connection, parsed.external_id)


def _parse(line: Line, kind: type[Parsed], settings: Settings, path: str) -> Parsed | Problem:
    """The request of a line, or its problem."""
    try:
        if line.content is None:
            raise BodyTooLargeError(f"The line is longer than {settings.max_body_mib} MiB.")
        content = parse_json(line.content)
        if not isinstance(content, dict):
            return describe_invalid(path, [_NOT_AN_OBJECT])
        return kind.model_validate(content)
    except ValidationError as error:
        return describe_invalid(path, [{**fault, "loc": ("body", *fault["loc"])} for fault in error.errors()])
    except ValueError:
        return describe_invalid(path, [_NOT_JSON])
    except Exception as error:  # noqa: BLE001 - an unforeseen error of a line must not end the others
        return describe(path, error)
