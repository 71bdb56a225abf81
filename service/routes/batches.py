"""Many articles in one request: JSON Lines in, a result line for each out, in their order."""

from collections.abc import Sequence
from typing import TypeVar

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError
from sqlalchemy.exc import OperationalError

from labels.errors import FramingError
from service.access.needs import Submitter, needs
from service.articles import ingest
from service.articles.answers import classified, stored_article
from service.articles.reading import read_article
from service.http.body import BodyTooLargeError, parse_json
from service.http.dependencies import Services, State
from service.http.json_lines import MEDIA_TYPE, Line, LinesAnswer
from service.http.problem_details import describe, describe_invalid, describe_unexpected
from service.routes import Responses, guarded
from service.schemas.articles import ArticleRequest, ClassifyRequest
from service.schemas.batches import ArticleLine, ClassifiedLine, ClassifyLine
from service.schemas.problems import Problem
from service.store.callers import Caller
from service.store.new_articles import NewArticle, id_of

router = APIRouter(prefix="/v1", tags=["batches"])

Asked = TypeVar("Asked", bound=ClassifyRequest)


_CONTENT = {MEDIA_TYPE: {"schema": {"type": "string"}}}
_LINES = {"requestBody": {"description": "JSON Lines: an article a line.", "content": _CONTENT}}
_RESULTS: Responses = {
    200: {
        "description": "A line for each that is not blank, in their order: `line` (its number), `external_id`, "
        "`status`, and `answer` (as to that article alone) or `problem`",
        "content": _CONTENT,
    }
}


@router.post(
    "/classify:batch",
    dependencies=needs["submitter"],
    response_class=Response,
    responses={**_RESULTS, **guarded(503)},
    openapi_extra=_LINES,
)
async def classify_lines(request: Request, state: State) -> Response:
    """The framing of many articles; stores nothing. A line is what /v1/classify takes, with an id of your own.

    A line that cannot be classified is answered with its problem, and the others go on. Read while you send.
    """
    model = state.champion.model()
    path = request.url.path

    def one(line: Line) -> str:
        asked = _asked(line, ClassifyLine, state, path)
        if isinstance(asked, Problem):
            return _line(ClassifiedLine(line=line.number, status=asked.status, problem=asked))
        number, own = line.number, asked.external_id
        try:
            reading = read_article(asked, model, state.settings)
        except Exception as error:  # noqa: BLE001 - a line that nobody foresaw must not take the others with it
            found = _problem(path, error)
            return _line(ClassifiedLine(line=number, external_id=own, status=found.status, problem=found))
        state.metrics.count(len(reading.article.paragraphs), reading.classification.article)
        answer = classified(asked, reading, model.card, evidence_terms=state.settings.evidence_terms)
        return _line(ClassifiedLine.model_construct(line=number, external_id=own, status=200, answer=answer))

    return LinesAnswer(request, _limit(state), lambda lines: "".join(map(one, lines)).encode())


@router.post(
    "/articles:batch",
    response_class=Response,
    responses={**_RESULTS, **guarded(503)},
    openapi_extra=_LINES,
)
async def store_lines(request: Request, state: State, caller: Submitter) -> Response:
    """Stores many articles with their framing. A line is what POST /v1/articles takes; what is answered is stored.

    The same article again (same external_id, url, or text and outlet) answers 200, so after a break send all of it
    again: what was stored is passed over. A line that cannot be stored is answered with its problem, and the others
    go on. Read while you send.
    """
    state.champion.model()
    path = request.url.path
    return LinesAnswer(request, _limit(state), lambda lines: _store(lines, state, caller, path).encode())


def _store(lines: Sequence[Line], state: Services, caller: Caller, path: str) -> str:
    """Stores the articles of some lines in one transaction and answers once it is durable."""
    model = state.champion.model()
    ready: dict[int, tuple[ArticleRequest, NewArticle | str]] = {}
    results: dict[int, ArticleLine] = {}
    for line in lines:
        asked = _asked(line, ArticleRequest, state, path)
        if isinstance(asked, Problem):
            results[line.number] = ArticleLine(line=line.number, status=asked.status, problem=asked)
            continue
        try:
            ready[line.number] = asked, _known(state, asked) or ingest.prepare(asked, model, state.settings)
        except Exception as error:  # noqa: BLE001 - as above
            results[line.number] = _failed(line.number, asked, _problem(path, error))
    new = [one for _, one in ready.values() if isinstance(one, NewArticle)]
    try:
        with state.database.write() as connection:
            identifiers = iter(ingest.add_all(connection, new, [caller] * len(new)))
    except Exception as error:  # noqa: BLE001 - none of them was stored
        found = _problem(path, error)
        results |= {number: _failed(number, asked, found) for number, (asked, _) in ready.items()}
    else:
        for number, (asked, one) in ready.items():
            identifier = one if isinstance(one, str) else next(identifiers)
            results[number] = _stored(number, asked, one, identifier, state)
    return "".join(_line(results[line.number]) for line in lines)


def _known(state: Services, asked: ArticleRequest) -> str | None:
    """The id of an article that was stored under the same external_id: it need not be scored again."""
    if asked.external_id is None:
        return None
    with state.database.read() as connection:
        return id_of(connection, asked.external_id)


def _stored(number: int, asked: ArticleRequest, one: NewArticle | str, identifier: str, state: Services) -> ArticleLine:
    own = asked.external_id
    if isinstance(one, str) or one.article.id != identifier:
        return ArticleLine(line=number, external_id=own, status=200, id=identifier)
    state.metrics.count(len(one.article.split.paragraphs), one.article.scoring.classification.article)
    answer = stored_article(one.article, evidence_terms=state.settings.evidence_terms)
    return ArticleLine.model_construct(line=number, external_id=own, status=201, id=identifier, answer=answer)


def _failed(number: int, asked: ArticleRequest, found: Problem) -> ArticleLine:
    return ArticleLine(line=number, external_id=asked.external_id, status=found.status, problem=found)


def _asked(line: Line, kind: type[Asked], state: Services, path: str) -> Asked | Problem:
    """What a line asks for, or what is wrong with it."""
    try:
        if line.content is None:
            raise BodyTooLargeError(f"The line is longer than {state.settings.max_body_mib} MiB.")
        content = parse_json(line.content)
        return kind.model_validate(content) if isinstance(content, dict) else _not_an_object(path)
    except ValidationError as error:
        return describe_invalid(path, [{**fault, "loc": ("body", *fault["loc"])} for fault in error.errors()])
    except ValueError:
        return describe_invalid(path, [_NO_JSON])
    except Exception as error:  # noqa: BLE001 - as above
        return _problem(path, error)


_NO_JSON = {"loc": ("body",), "type": "json_invalid", "ctx": {"error": "it cannot be parsed"}, "msg": ""}


def _not_an_object(path: str) -> Problem:
    return describe_invalid(path, [{"loc": ("body",), "type": "dict_type", "msg": "Send a JSON object a line."}])


def _problem(path: str, error: Exception) -> Problem:
    known = isinstance(error, FramingError | OperationalError)
    return describe(path, error) if known else describe_unexpected(path, error)


def _line(result: ClassifiedLine | ArticleLine) -> str:
    return f"{result.model_dump_json(exclude_none=True)}\n"


def _limit(state: Services) -> int:
    return state.settings.max_body_mib * 2**20
