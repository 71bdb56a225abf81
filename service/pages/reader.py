"""/articles: searching and reading stored articles, with scores beside annotations."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import HTMLResponse
from sqlalchemy import Connection

from labels.annotations import STANCES
from service.articles.answers import listed_answer, stored_answer
from service.articles.lookup import require_article, with_evidence
from service.coding.annotate import permitted_coder
from service.coding.answers import annotation_answer
from service.http.dependencies import Reader, UseDatabase, UseModel, UseSettings, needs
from service.http.paging import ARTICLE_PATTERN, read_article_cursor, write_article_cursor
from service.pages.article_view import SHOWN_FAINTLY, OtherPoints, blocks, marks, other_points
from service.pages.dashboard import choices, faults_of
from service.pages.render import PageRoute, UseSite
from service.schemas.annotations import AnnotationAnswer
from service.schemas.fields import WholeDay
from service.store import annotations, article_list, prevalence
from service.store.article_list import AboutWhat, ArticleInList, Cursor
from service.store.points.cuts import cuts_of
from training.model_card import ModelCard
from training.scoring.operating_points import Decision, OperatingPoint

router = APIRouter(prefix="/articles", include_in_schema=False, route_class=PageRoute)

_ARTICLES_PER_PAGE = 25
_MAX_ANNOTATIONS = 5000
# What a search that finds nothing can leave out, by the name of the field.
_WITHOUT = {
    "q": "without the words",
    "outlet": "from all outlets",
    "from": "from any earlier day",
    "to": "up to the latest day",
    "frame": "with any frame",
    "decision": "with any decision",
    "about": "about anything",
    "operating_point": "at the stored operating points",
}


@router.get("", dependencies=needs["reader"])
def listing(
    request: Request,
    site: UseSite,
    database: UseDatabase,
    q: Annotated[str, Query(max_length=256)] = "",
    outlet: Annotated[list[str] | None, Query(max_length=100)] = None,
    since: Annotated[WholeDay | Literal[""], Query(alias="from")] = "",
    until: Annotated[WholeDay | Literal[""], Query(alias="to")] = "",
    frame: Annotated[list[str] | None, Query(max_length=50)] = None,
    decision: Decision | Literal[""] = "",
    about: AboutWhat | Literal[""] = "",
    operating_point: OperatingPoint | Literal[""] = "",
    dedup: bool = False,
    cursor: Annotated[str, Query(pattern=f"^$|{ARTICLE_PATTERN}")] = "",
) -> HTMLResponse:
    """Stored articles, newest first, filtered by words, outlets, days and frames."""
    fields: dict[str, Any] = {
        "q": q.strip(),
        "outlet": [name for name in outlet or () if name],
        "from": since,
        "to": until,
        "frame": [key for key in frame or () if key],
        "decision": decision,
        "about": about,
        "operating_point": operating_point,
        "dedup": "true" if dedup else "",
    }
    card = site.champion.current.card if site.champion.current else None
    faults = dict(faults_of(since or None, until or None, fields["frame"], site.titles))
    if operating_point and card is None:
        faults["operating_point"] = "Without a model, nothing is decided at another operating point."
    with database.read() as connection:
        outlets = prevalence.outlets(connection)
        articles, following = ([], None) if faults else _page_of_articles(connection, fields, cursor, card)
    return site.page(
        "articles.html",
        "/articles",
        422 if faults else 200,
        fields=fields,
        faults=faults,
        filtered=any(fields.values()),
        without=[(words, _address(request, {**fields, name: ""})) for name, words in _WITHOUT.items() if fields[name]],
        subject=card.subject.name if card and card.subject else None,
        outlets=choices({name: name for name in outlets}, fields["outlet"]),
        choosable=choices(site.titles, fields["frame"]),
        listed=[
            {"article": article, "marks": marks(article.article.frames, site.frame_names)}
            for article in map(listed_answer, articles)
        ],
        newest=_address(request, fields),
        older=None if following is None else _address(request, {**fields, "cursor": write_article_cursor(following)}),
        at_start=not cursor,
    )


def _page_of_articles(
    connection: Connection, fields: Mapping[str, Any], cursor: str, card: ModelCard | None
) -> tuple[list[ArticleInList], Cursor | None]:
    """The articles of a page of the list, and where the next page begins."""
    filters = article_list.filters(
        fields["outlet"],
        fields["from"] or None,
        fields["to"] or None,
        fields["frame"],
        fields["decision"] or None,
        fields["q"],
        fields["about"] or None,
        cuts_of(card, fields["operating_point"]) if card and fields["operating_point"] else None,
        first_copies=bool(fields["dedup"]),
    )
    version = card.version if card else None
    return article_list.newest(connection, filters, read_article_cursor(cursor), _ARTICLES_PER_PAGE, version)


@router.get("/{id:id}")
def article(
    id: Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")],
    site: UseSite,
    model: UseModel,
    database: UseDatabase,
    settings: UseSettings,
    caller: Reader,
    operating_point: OperatingPoint | Literal[""] = "",
) -> HTMLResponse:
    """An article with its framing, its annotations, and a form that corrects it in place.

    The page opens at the `operating_point`, so that an address shows others what its sender saw.
    """
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
    others = other_points(model, answer, {}) if scored_by_current else OtherPoints()
    return site.page(
        "article.html",
        "/articles",
        answer=answer,
        blocks=blocks(answer, names, by_paragraph, others),
        summary=marks(answer.article.frames, names),
        thresholds=others.thresholds,
        known_languages=model.card.languages,
        operating_point=operating_point or answer.operating_point,
        stances=STANCES,
        exported=answer.model_dump(mode="json", exclude_none=True),
        function_words=SHOWN_FAINTLY,
    )


def _address(request: Request, fields: Mapping[str, Any]) -> str:
    """The address of this page with other fields; empty fields are left out."""
    chosen = urlencode({name: value for name, value in fields.items() if value}, doseq=True)
    return f"{request.url.path}?{chosen}" if chosen else request.url.path
