"""/v1/articles: articles kept with their framing."""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Header, Path, Query, Response

from service.access.needs import Admin, Submitter, needs
from service.articles import ingest
from service.articles.answers import as_json, listed_article, stored_article
from service.http.body import StrictJsonRoute
from service.http.dependencies import Services, State
from service.http.problem_details import NotFoundError, UnknownFrameError
from service.routes import Responses, guarded
from service.schemas.articles import ArticleList, ArticleRequest, StoredArticleAnswer
from service.schemas.fields import Day, end_of, start_of
from service.store import article_list, audit, idempotency
from service.store import articles as store
from training.scoring.classification import Classification
from training.scoring.frame_model import FrameModel
from training.scoring.operating_points import Decision

router = APIRouter(prefix="/v1/articles", tags=["articles"], route_class=StrictJsonRoute)

CURSOR_PATTERN = r"^[0-9]{1,18}-[0-9]{1,18}$"
ArticleId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$", description="Id of a stored article.")]

_LOCATION = {
    "Location": {"description": "Address of the stored article.", "schema": {"type": "string"}, "required": True}
}
_CREATED: Responses = {201: {"description": "Stored and scored", "model": StoredArticleAnswer, "headers": _LOCATION}}
_KNOWN: Responses = {
    200: {"description": "This article is stored already; nothing was stored again", "headers": _LOCATION}
}


@router.post(
    "",
    status_code=200,
    response_model=StoredArticleAnswer,
    responses={**_KNOWN, **_CREATED, **guarded(400, 409, 413, 422, 503)},
)
def create(
    request: ArticleRequest,
    state: State,
    caller: Submitter,
    idempotency_key: Annotated[
        str | None,
        Header(
            min_length=1,
            max_length=255,
            pattern=r"^[\x21-\x7e]+$",
            description="The same request sent again under one key is done once and answered alike.",
        ),
    ] = None,
) -> Response:
    """Stores an article with its framing, in one transaction.

    The same article again (same external_id, url, or text and outlet) answers 200 with the one that is stored.
    """
    model, settings = state.champion.model(), state.settings
    digest = ""
    if idempotency_key is not None:
        digest = hashlib.sha256(request.model_dump_json().encode()).hexdigest()
        with state.database.read() as connection:
            known = idempotency.remembered(connection, [idempotency_key]).get(idempotency_key)
        if known is not None:
            known.require(digest)
            return _answer(known.article_id, known.response, 201)
    new = ingest.prepare(request, model, settings)

    def answer() -> str:
        return as_json(stored_article(new.article, evidence_terms=settings.evidence_terms))

    # Under a key the answer is stored too; all others are made while somebody else stores the article.
    kept = answer() if idempotency_key is not None else ""
    put = state.submissions.put(ingest.Submission(new, caller, idempotency_key, digest, kept))
    try:
        body = kept or answer()
    finally:
        receipt = state.submissions.result(put)
    if receipt.stored:
        state.metrics.count(len(new.article.split.paragraphs), new.article.scoring.classification.article)
        return _answer(receipt.article_id, body, 201)
    if receipt.answer is not None:
        return _answer(receipt.article_id, receipt.answer, 201)
    return _answer(receipt.article_id, read_stored(state, receipt.article_id, explain=request.explain), 200)


@router.get("", dependencies=needs["reader"], response_model_exclude_none=True, responses=guarded(422, 503))
def listing(
    state: State,
    outlet: Annotated[str | None, Query(max_length=256, description="Only of this outlet.")] = None,
    since: Annotated[Day | None, Query(alias="from", description="Published from this date or time on.")] = None,
    until: Annotated[Day | None, Query(alias="to", description="Published up to this day or before this time.")] = None,
    frame: Annotated[str | None, Query(max_length=64, description="Only with the decision on this frame.")] = None,
    decision: Annotated[
        Decision | None, Query(description="Which decision; `present` where only a frame is named.")
    ] = None,
    q: Annotated[
        str | None, Query(max_length=256, description="Only with all of these words in title or text.")
    ] = None,
    cursor: Annotated[str | None, Query(pattern=CURSOR_PATTERN, description="The `next` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=200, description="Articles a page.")] = 50,
) -> ArticleList:
    """Stored articles, newest first (by publication, else by arrival)."""
    if frame is not None:
        card = state.champion.model().card
        if frame not in card.frames:
            raise UnknownFrameError(
                f"The model has no frame '{frame}'; its frames are {', '.join(card.frame_keys)}.", "query/frame"
            )
    filters = article_list.Filters(
        outlet=outlet,
        since=start_of(since) if since else None,
        until=end_of(until) if until else None,
        frame=frame,
        decision=decision,
        words=q,
    )
    with state.database.read() as connection:
        page, following = article_list.newest(connection, filters, read_cursor(cursor), limit, state.champion.version())
    return ArticleList(
        articles=[listed_article(article) for article in page],
        next=write_cursor(following) if following else None,
    )


@router.get(
    "/{id:id}", dependencies=needs["reader"], response_model=StoredArticleAnswer, responses=guarded(404, 422, 503)
)
def get(
    id: ArticleId,
    state: State,
    explain: Annotated[bool, Query(description="Whether to answer with evidence.")] = True,
) -> Response:
    """One stored article with its framing. Evidence is given while the model that scored it is in use."""
    return _answer(id, read_stored(state, id, explain=explain), 200)


@router.delete("/{id:id}", status_code=204, response_class=Response, responses=guarded(404, 422, 503))
def delete(id: ArticleId, state: State, caller: Admin) -> None:
    """Deletes an article with its paragraphs and scores, everywhere."""
    with state.database.write() as connection:
        if not store.remove(connection, id):
            raise NotFoundError(f"No article is stored under the id {id}.")
        audit.note(connection, caller, "delete article", id)
    state.database.scrub()


def read_stored(state: Services, identifier: str, *, explain: bool) -> str:
    with state.database.read() as connection:
        article = store.get(connection, identifier, state.champion.version())
    if article is None:
        raise NotFoundError(f"No article is stored under the id {identifier}.")
    if explain:
        article = explained(article, state.champion.model())
    answer = stored_article(article, evidence_terms=state.settings.evidence_terms)
    return as_json(answer)


def explained(article: store.StoredArticle, model: FrameModel) -> store.StoredArticle:
    """The article with evidence for the scores stored, if the model that gave them is at hand."""
    if model.card.version != article.scoring.model_version:
        return article
    _, explanations = model.score_and_explain([paragraph.text for paragraph in article.split.paragraphs])
    frames = model.card.frame_keys
    found = article.scoring.classification
    explained = tuple(
        {frame: paragraph[frame]._replace(explanation=explanation[k]) for k, frame in enumerate(frames)}
        for paragraph, explanation in zip(found.paragraphs, explanations, strict=True)
    )
    return replace(article, scoring=replace(article.scoring, classification=Classification(explained, found.article)))


def _answer(identifier: str, body: str, status: int) -> Response:
    return Response(body, status, {"Location": f"/v1/articles/{identifier}"}, "application/json")


_FIRST = datetime.min.replace(tzinfo=UTC)
_LAST = datetime.max.replace(tzinfo=UTC)


def write_cursor(cursor: article_list.Cursor) -> str:
    return f"{(cursor.dated_at - _FIRST) // timedelta(microseconds=1)}-{cursor.number}"


def read_cursor(cursor: str | None) -> article_list.Cursor | None:
    if cursor is None:
        return None
    microseconds, number = map(int, cursor.split("-"))
    return article_list.Cursor(_FIRST + min(timedelta(microseconds=microseconds), _LAST - _FIRST), number)
