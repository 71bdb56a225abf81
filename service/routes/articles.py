"""/v1/articles: stored articles and their framing."""

import hashlib
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from service.articles.answers import as_json, former_answer, listed_answer, stored_answer
from service.articles.ingest import Submission, require_no_conflict, scored_article, with_imprint
from service.articles.lookup import require_article, with_evidence
from service.articles.reading import classify_article, count_decisions, read_article
from service.errors import NotFoundError, require_frames
from service.http.body import FORM, StrictJsonRoute
from service.http.dependencies import (
    Admin,
    IdempotencyKey,
    Submitter,
    UseArticleWriter,
    UseChampion,
    UseDatabase,
    UseMetrics,
    UseModel,
    UseModelIfAny,
    UseRegistry,
    UseSettings,
    needs,
)
from service.http.paging import ArticleCursor, read_article_cursor, write_article_cursor
from service.http.responses import Responses, guarded
from service.jobs.removal import Remover
from service.schemas.articles import (
    ArticleList,
    ArticleRequest,
    FormerVersions,
    RemovalAnswer,
    StoredArticleAnswer,
)
from service.schemas.fields import ID_PATTERN, Day
from service.settings import Settings
from service.store import article_list, idempotency
from service.store.article_list import AboutWhat
from service.store.article_lookup import former_versions_of
from service.store.articles import stored_ids
from service.store.points.cuts import cuts_of
from service.store.sql.database import Database
from training.scoring.frame_model import FrameModel
from training.scoring.operating_points import Decision, OperatingPoint

router = APIRouter(prefix="/v1/articles", tags=["articles"], route_class=StrictJsonRoute)

ArticleId = Annotated[str, Path(pattern=ID_PATTERN, description="Id of a stored article.")]

Replace = Annotated[
    bool,
    Query(
        description="Whether a text stored under the same external_id or url is replaced; the old text stays as a "
        "former version."
    ),
]

_LOCATION = {
    "Location": {"description": "Address of the stored article.", "schema": {"type": "string"}, "required": True}
}
_CREATED: Responses = {201: {"description": "Stored and scored", "model": StoredArticleAnswer, "headers": _LOCATION}}
_KNOWN: Responses = {
    200: {"description": "This article is stored already, or now replaces the stored text", "headers": _LOCATION}
}

_ERASING: Responses = {
    202: {
        "description": "Deleted; something still has bytes of its text",
        "model": RemovalAnswer,
        "headers": {"Location": {**_LOCATION["Location"], "description": "Address of the state of the removal."}},
    }
}
# A client waits for so long; then the worker continues.
_ERASING_SECONDS = 1.0


@router.post(
    "",
    status_code=200,
    response_model=StoredArticleAnswer,
    responses={**_KNOWN, **_CREATED, **guarded(400, 409, 413, 422, 503)},
    openapi_extra=FORM,
)
def create(
    request: ArticleRequest,
    model: UseModel,
    settings: UseSettings,
    database: UseDatabase,
    writer: UseArticleWriter,
    metrics: UseMetrics,
    caller: Submitter,
    idempotency_key: IdempotencyKey = None,
    replace: Replace = False,
) -> Response:
    """Stores an article with its framing, in a single transaction.

    The same article again answers 200 with the stored article. It is the same if its external_id (of this outlet), its
    url, or its outlet and text are stored. Another text under the same external_id or url answers 409, unless `replace`
    is true: the new text is then scored and takes the place of the old text, which stays as a former version.
    """
    digest = ""
    if idempotency_key is not None:
        content = request.model_dump_json() + ("replace" if replace else "")
        digest = hashlib.sha256(content.encode()).hexdigest()
        replay = _replay(database, idempotency_key, digest)
        if replay is not None:
            return replay
    article = read_article(request, model, settings)
    sent, request = request, with_imprint(request, article.split.imprint, database)
    classification = classify_article(article, request, model)
    scored = scored_article(request, article, classification, model, sent)

    def answer() -> str:
        return as_json(stored_answer(scored.article, evidence_terms=settings.evidence_terms))

    # The answer under a key is stored too; other answers are written while another thread stores the article.
    remembered = answer() if idempotency_key is not None else ""
    ticket = writer.put(Submission(scored, caller, idempotency_key, digest, remembered, replace))
    try:
        body = remembered or answer()
    finally:
        receipt = writer.result(ticket)
    require_no_conflict(receipt.placement, scored.article.metadata)
    if receipt.stored:
        count_decisions(metrics, article, classification)
        if receipt.placement.without_url:
            own = scored.article.without_url()
            body = as_json(stored_answer(own, evidence_terms=settings.evidence_terms))
        return _answer(receipt.article_id, body, 201)
    if receipt.answer is not None:
        return _answer(receipt.article_id, receipt.answer, 201)
    if receipt.replaced:
        count_decisions(metrics, article, classification)
    return _answer(receipt.article_id, _stored(database, settings, receipt.article_id, model, request.explain), 200)


@router.get("", dependencies=needs["reader"], response_model_exclude_none=True, responses=guarded(422, 503))
def listing(
    database: UseDatabase,
    champion: UseChampion,
    outlet: Annotated[str | None, Query(max_length=256, description="Only of this outlet.")] = None,
    since: Annotated[Day | None, Query(alias="from", description="Published from this date or time on.")] = None,
    until: Annotated[Day | None, Query(alias="to", description="Published up to this day or before this time.")] = None,
    frame: Annotated[str | None, Query(max_length=64, description="Only with the decision on this frame.")] = None,
    decision: Annotated[
        Decision | None, Query(description="Which decision; `present` if only a frame is named.")
    ] = None,
    q: Annotated[
        str | None, Query(max_length=256, description="Only with all of these words in title or text.")
    ] = None,
    about: Annotated[
        AboutWhat | None, Query(description="Only about the subject of the codebook, or only about something else.")
    ] = None,
    operating_point: Annotated[
        OperatingPoint | None,
        Query(
            description="The operating point that decides, for articles that the current model has scored; others are "
            "left out. Default: for each article the point with which it was stored."
        ),
    ] = None,
    cursor: ArticleCursor = None,
    limit: Annotated[int, Query(ge=1, le=200, description="Articles per page.")] = 50,
) -> ArticleList:
    """Stored articles, newest first (by publication, else by arrival)."""
    if frame is not None:
        require_frames([frame], champion.model().frames, "query/frame")
    point = None if operating_point is None else cuts_of(champion.model().card, operating_point)
    filters = article_list.filters([outlet], since, until, [frame], decision, q, about, point)
    with database.read() as connection:
        page, following = article_list.newest(
            connection, filters, read_article_cursor(cursor), limit, champion.version()
        )
    return ArticleList(articles=[listed_answer(article) for article in page], next=write_article_cursor(following))


@router.get(
    "/{id:id}", dependencies=needs["reader"], response_model=StoredArticleAnswer, responses=guarded(404, 422, 503)
)
def get(
    id: ArticleId,
    database: UseDatabase,
    model: UseModelIfAny,
    settings: UseSettings,
    explain: Annotated[bool, Query(description="Whether to answer with evidence.")] = True,
) -> Response:
    """A stored article with its framing. It has evidence as long as the model that scored it is the champion."""
    return _answer(id, _stored(database, settings, id, model, explain), 200)


@router.get("/{id:id}/versions", dependencies=needs["reader"], responses=guarded(404, 422, 503))
def versions(id: ArticleId, database: UseDatabase) -> FormerVersions:
    """The former versions of an article: the texts that were replaced, oldest first, with their paragraphs."""
    with database.read() as connection:
        if not stored_ids(connection, [id]):
            raise NotFoundError.article(id)
        return FormerVersions(versions=list(map(former_answer, former_versions_of(connection, [id]))))


@router.delete(
    "/{id:id}",
    status_code=204,
    response_class=Response,
    responses={204: {"description": "Deleted, and its text is gone"}, **_ERASING, **guarded(404, 422, 503)},
)
def delete(
    id: ArticleId, settings: UseSettings, database: UseDatabase, registry: UseRegistry, caller: Admin
) -> Response:
    """Deletes an article with everything that has its text, such as annotations of its paragraphs, and their bytes.

    204 says that the text is gone from the database's files too. 202 says that something still has bytes of it, such
    as another connection that reads the database; the worker erases them as soon as it can. The address under Location
    has the state.
    """
    removal = Remover(settings, database, registry).delete(id, caller, _ERASING_SECONDS)
    if removal.erased_at is not None:
        return Response(status_code=204)
    location = {"Location": f"/v1/articles/{id}/removal"}
    return Response(RemovalAnswer.of(removal).model_dump_json(), 202, location, "application/json")


@router.get("/{id:id}/removal", dependencies=needs["admin"], responses=guarded(404, 422, 503))
def removal(id: ArticleId, settings: UseSettings, database: UseDatabase, registry: UseRegistry) -> RemovalAnswer:
    """Whether the text of a deleted or purged article is gone from every file, and what has it if not."""
    return RemovalAnswer.of(Remover(settings, database, registry).removal(id))


def _replay(database: Database, key: str, digest: str) -> Response | None:
    """The answer remembered under an Idempotency-Key; None if the key is new."""
    with database.read() as connection:
        remembered = idempotency.remembered(connection, [key]).get(key)
    if remembered is None:
        return None
    remembered.require(digest)
    return _answer(remembered.article_id, remembered.response, 201)


def _stored(database: Database, settings: Settings, identifier: str, model: FrameModel | None, explain: bool) -> str:
    """The JSON of a stored article as the model scored it, with evidence if `explain`."""
    with database.read() as connection:
        article = require_article(connection, identifier, model.card.version if model else None)
    if explain and model is not None:
        article = with_evidence(article, model)
    return as_json(stored_answer(article, evidence_terms=settings.evidence_terms))


def _answer(identifier: str, body: str, status: int) -> Response:
    return Response(body, status, {"Location": f"/v1/articles/{identifier}"}, "application/json")
