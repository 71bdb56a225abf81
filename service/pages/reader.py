"""/articles: searching and reading stored articles, with scores beside annotations."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import HTMLResponse

from labels.annotations import STANCES
from service.articles.answers import listed_answer, stored_answer
from service.articles.lookup import require_article, with_evidence
from service.coding.annotate import permitted_coder
from service.coding.answers import annotation_answer
from service.http.dependencies import Reader, UseDatabase, UseModel, UseSettings, needs
from service.http.paging import ARTICLE_PATTERN, read_article_cursor, write_article_cursor
from service.pages.article_view import blocks, marks, thresholds_of
from service.pages.render import PageRoute, UseSite
from service.schemas.annotations import AnnotationAnswer
from service.schemas.fields import WholeDay
from service.store import annotations, article_list, prevalence
from service.store.article_list import AboutWhat
from training.scoring.operating_points import Decision

router = APIRouter(prefix="/articles", include_in_schema=False, route_class=PageRoute)

_ARTICLES_PER_PAGE = 25
_MAX_ANNOTATIONS = 5000


@router.get("", dependencies=needs["reader"])
def listing(
    request: Request,
    site: UseSite,
    database: UseDatabase,
    q: Annotated[str, Query(max_length=256)] = "",
    outlet: Annotated[str, Query(max_length=256)] = "",
    since: Annotated[WholeDay | Literal[""], Query(alias="from")] = "",
    until: Annotated[WholeDay | Literal[""], Query(alias="to")] = "",
    frame: Annotated[str, Query(max_length=64)] = "",
    decision: Decision | Literal[""] = "",
    about: AboutWhat | Literal[""] = "",
    cursor: Annotated[str, Query(pattern=f"^$|{ARTICLE_PATTERN}")] = "",
) -> HTMLResponse:
    """Stored articles, newest first, filtered by words, outlet, days and frames."""
    filters = article_list.filters(outlet, since or None, until or None, frame, decision or None, q, about or None)
    with database.read() as connection:
        articles, following = article_list.newest(
            connection, filters, read_article_cursor(cursor), _ARTICLES_PER_PAGE, site.champion.version()
        )
        outlets = prevalence.outlets(connection)
    names = site.frame_names
    listed = [listed_answer(article) for article in articles]
    fields = {"q": q, "outlet": outlet, "from": since, "to": until, "frame": frame, "decision": decision}
    fields["about"] = about
    model = site.champion.current
    subject = model.card.subject if model else None
    return site.page(
        "articles.html",
        "/articles",
        fields=fields,
        filtered=any(fields.values()),
        subject=subject.name if subject else None,
        outlets=outlets,
        listed=[{"article": article, "marks": marks(article.article.frames, names)} for article in listed],
        older=None if following is None else _address(request, {**fields, "cursor": write_article_cursor(following)}),
        at_start=not cursor,
    )


@router.get("/{id:id}")
def article(
    id: Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")],
    site: UseSite,
    model: UseModel,
    database: UseDatabase,
    settings: UseSettings,
    caller: Reader,
) -> HTMLResponse:
    """An article with its framing, its annotations, and a form that corrects it in place."""
    with database.read() as connection:
        stored = require_article(connection, id, model.card.version)
        visible = annotations.AnnotationFilters(coder=permitted_coder(caller, None), article_id=id)
        newest_first, _ = annotations.listing(connection, visible, None, _MAX_ANNOTATIONS)
    answer = stored_answer(with_evidence(stored, model), evidence_terms=settings.evidence_terms)
    by_paragraph: dict[int, list[AnnotationAnswer]] = defaultdict(list)
    for annotation in (annotation_answer(stored, site.codebook) for stored in reversed(newest_first)):
        by_paragraph[annotation.paragraph or 0].append(annotation)
    names = site.frame_names
    scored_by_current = answer.model.version == model.card.version
    return site.page(
        "article.html",
        "/articles",
        answer=answer,
        blocks=blocks(answer, names, by_paragraph),
        summary=marks(answer.article.frames, names),
        thresholds=thresholds_of(model.card, answer.article) if scored_by_current else {},
        stances=STANCES,
        exported=answer.model_dump(mode="json", exclude_none=True),
    )


def _address(request: Request, fields: Mapping[str, Any]) -> str:
    """The address of this page with other fields; empty fields are left out."""
    return f"{request.url.path}?{urlencode({name: value for name, value in fields.items() if value})}"
