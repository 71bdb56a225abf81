"""/articles: what is stored, to search and to read, with scores and codes side by side."""

from collections import defaultdict
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import HTMLResponse

from labels.annotations import STANCES
from service.access.needs import Reader, needs
from service.articles.answers import annotation_answer, listed_article, stored_article
from service.http.dependencies import State
from service.http.problem_details import NotFoundError
from service.pages.article_view import blocks, cuts_of, marks
from service.pages.render import PageRoute, page, places, titles
from service.routes.articles import CURSOR_PATTERN, explained, read_cursor, write_cursor
from service.schemas.annotations import AnnotationAnswer
from service.schemas.fields import WholeDay, end_of, start_of
from service.store import annotations, article_list, articles, prevalence
from training.scoring.operating_points import Decision

router = APIRouter(prefix="/articles", include_in_schema=False, route_class=PageRoute)

_A_PAGE = 25
_MOST_CODES = 5000


@router.get("", dependencies=needs["reader"])
def listing(
    request: Request,
    state: State,
    q: Annotated[str, Query(max_length=256)] = "",
    outlet: Annotated[str, Query(max_length=256)] = "",
    since: Annotated[WholeDay | Literal[""], Query(alias="from")] = "",
    until: Annotated[WholeDay | Literal[""], Query(alias="to")] = "",
    frame: Annotated[str, Query(max_length=64)] = "",
    decision: Decision | Literal[""] = "",
    cursor: Annotated[str, Query(pattern=f"^$|{CURSOR_PATTERN}")] = "",
) -> HTMLResponse:
    """Stored articles, newest first, by words, outlet, days and frames."""
    filters = article_list.Filters(
        outlet=outlet or None,
        since=start_of(since) if since else None,
        until=end_of(until) if until else None,
        frame=frame or None,
        decision=decision or None,
        words=q or None,
    )
    with state.database.read() as connection:
        found, following = article_list.newest(
            connection, filters, read_cursor(cursor or None), _A_PAGE, state.champion.version()
        )
        outlets = prevalence.outlets(connection)
    named, placed = titles(state), places(state)
    listed = [listed_article(article) for article in found]
    asked = {"q": q, "outlet": outlet, "from": since, "to": until, "frame": frame, "decision": decision}
    more = {**asked, "cursor": write_cursor(following)} if following else None
    return page(
        state,
        "articles.html",
        "/articles",
        asked=asked,
        filtered=any(asked.values()),
        outlets=outlets,
        listed=[{"article": a, "marks": marks(a.article.frames, named, placed)} for a in listed],
        titles=named,
        later=f"{request.url.path}?{urlencode({k: v for k, v in more.items() if v})}" if more else None,
        at_start=not cursor,
    )


@router.get("/{id:id}")
def article(id: Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")], state: State, caller: Reader) -> HTMLResponse:
    """One article: its framing, its codes, and a form to correct it in place."""
    model = state.champion.model()
    with state.database.read() as connection:
        found = articles.get(connection, id, model.card.version)
        own = annotations.Filters(coder=None if caller.may("admin") else caller.name, article_id=id)
        given, _ = annotations.listing(connection, own, None, _MOST_CODES)
    if found is None:
        raise NotFoundError(f"No article is stored under the id {id}.")
    answer = stored_article(explained(found, model), evidence_terms=state.settings.evidence_terms)
    codes: dict[int, list[AnnotationAnswer]] = defaultdict(list)
    for annotation in map(annotation_answer, reversed(given)):
        codes[annotation.paragraph or 0].append(annotation)
    named, placed = titles(state), places(state)
    known: dict[str, Any] = cuts_of(model.card) if answer.model.version == model.card.version else {}
    return page(
        state,
        "article.html",
        "/articles",
        answer=answer,
        blocks=blocks(answer, named, placed, codes),
        summary=marks(answer.article.frames, named, placed),
        cuts=known,
        titles=named,
        stances=STANCES,
        exported=answer.model_dump(mode="json", exclude_none=True),
    )
