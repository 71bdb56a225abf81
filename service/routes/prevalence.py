"""/v1/prevalence, /v1/compare and /v1/profile: the prevalence of frames, with intervals."""

import hashlib
import json
import re
from collections.abc import Iterator
from datetime import date
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

from labels.annotations import SPECIFIED_STANCES
from service.errors import OverlapError
from service.http.dependencies import GuardedRoute, UseChampion, UseCodebook, UseDatabase, UseSettings, needs
from service.http.responses import Responses, guarded
from service.metrics import product_version
from service.prevalence import answers
from service.prevalence.estimates import Question
from service.prevalence.file_names import file_name
from service.prevalence.population import ScoredPopulation, Selected, scored_population
from service.schemas.fields import Articles, WholeDay
from service.schemas.prevalence import ComparisonAnswer, PrevalenceAnswer, PrevalenceRow, ProfileAnswer, Unit, Weight
from service.store import prevalence as store
from service.store.prevalence import PERIODS
from service.tabular import MEDIA_TYPES, Column, Format, stream
from training.estimates.prevalence import WANTED_WIDTH
from training.scoring.operating_points import OperatingPoint

router = APIRouter(prefix="/v1", tags=["prevalence"], route_class=GuardedRoute)

TableFormat = Literal["json", "csv", "parquet", "arrow"]
_ROWS_AT_ONCE = 1000

# The fields of `PrevalenceRow`, with for each stance its share and both ends of the interval; then where the row comes
# from, which is in every row, so that no file loses it.
COLUMNS = (
    Column("period", "day"),
    Column("outlet", "text"),
    Column("frame", "text"),
    Column("count", "whole"),
    Column("uncertain", "whole"),
    Column("total", "whole"),
    Column("articles", "whole"),
    Column("raw_share", "number"),
    Column("corrected_share", "number"),
    Column("low", "number"),
    Column("high", "number"),
    Column("correction", "text"),
    Column("annotations", "whole"),
    Column("annotations_needed", "whole"),
    Column("reliability_tier", "text"),
    *(Column(f"{stance}{end}", "number") for stance in SPECIFIED_STANCES for end in ("", "_low", "_high")),
    Column("population", "text"),
    Column("first_day", "day"),
    Column("last_day", "day"),
    Column("unscored_articles", "whole"),
    Column("standard_error", "number"),
    Column("tuning", "number"),
    Column("unit", "text"),
    Column("weight", "text"),
    Column("dedup", "flag"),
    Column("model_version", "text"),
    Column("operating_point", "text"),
    Column("codebook_version", "whole"),
    Column("estimator", "text"),
    Column("confidence", "number"),
    Column("queried_at", "moment"),
)

Since = Annotated[
    WholeDay | None, Query(alias="from", description="First day (of publication, or of arrival if that is unknown).")
]
Until = Annotated[WholeDay | None, Query(alias="to", description="Last day.")]
Frames = Annotated[
    list[str] | None, Query(alias="frame", max_length=50, description="Only these frames; may be repeated.")
]
Outlets = Annotated[
    list[str] | None, Query(alias="outlet", max_length=100, description="Only these outlets; may be repeated.")
]
Dedup = Annotated[bool, Query(description="Count a story only once, in the outlet of its first stored copy.")]
PopulationParameter = Annotated[
    Articles | None,
    Query(
        alias="population",
        description="`on_subject` leaves out the articles that the model says are about something else; default: the "
        "setting FRAMING_POPULATION.",
    ),
]
PointParameter = Annotated[
    OperatingPoint | None,
    Query(
        description="The operating point that decides what is present; default: for each article the point with which "
        "it was stored. Corrected shares rest on scores, and are the same at every point."
    ),
]
UnitParameter = Annotated[
    Unit, Query(description="What is counted; an article carries the frames of all its paragraphs.")
]
WeightParameter = Annotated[
    Weight,
    Query(
        description="`article`: each article counts the same, however long; `outlet`: each outlet, however prolific."
    ),
]
WidthParameter = Annotated[
    float, Query(ge=0.01, le=1, description="Width of the interval for which `annotations_needed` plans.")
]
_PERIOD = f"({'|'.join(PERIODS)})"
_CELLS = f"^((outlet,)?{_PERIOD}|({_PERIOD},)?outlet)?$"


def _known_cells(by: str) -> str:
    if re.fullmatch(_CELLS, by):
        return by
    raise PydanticCustomError(
        "cells", "Write outlet, a period ({periods}), or both with a comma.", {"periods": ", ".join(PERIODS)}
    )


def read_scope(
    champion: UseChampion,
    settings: UseSettings,
    codebook: UseCodebook,
    frame: Frames = None,
    since: Since = None,
    until: Until = None,
    outlet: Outlets = None,
    dedup: Dedup = False,
    articles: PopulationParameter = None,
    operating_point: PointParameter = None,
) -> ScoredPopulation:
    """Reads the parameters that several routes share; raises `UnknownFrameError` or `NoSubjectError`."""
    selected = Selected(frame, since, until, outlet, dedup, articles, operating_point)
    return scored_population(selected, champion.model().card, codebook, settings)


UseScope = Annotated[ScoredPopulation, Depends(read_scope)]

_TABLE: Responses = {
    200: {
        "description": "All rows; the answer is not split into pages",
        "model": PrevalenceAnswer,
        "headers": {"ETag": {"schema": {"type": "string"}, "required": True}},
        "content": {MEDIA_TYPES[name].split(";")[0]: {} for name in ("csv", "parquet", "arrow")},
    },
    304: {"description": "Nothing has changed since the answer of that ETag"},
}


@router.get(
    "/prevalence",
    dependencies=needs["reader"],
    response_model=PrevalenceAnswer,
    responses={**_TABLE, **guarded(409, 422, 503)},
)
def prevalence(
    request: Request,
    database: UseDatabase,
    scope: UseScope,
    by: Annotated[
        str,
        AfterValidator(_known_cells),
        Query(
            json_schema_extra={"pattern": _CELLS},
            description="Cells: `outlet`, a period (`day`, `week`, `month`, `year`), or both with a comma; `week` "
            "if it is left out, a single cell if it is empty.",
        ),
    ] = "week",
    unit: UnitParameter = "paragraph",
    weight: WeightParameter = "unit",
    correct: Annotated[bool, Query(description="Whether to correct classification errors by annotations.")] = True,
    borrow: Annotated[
        bool, Query(description="Whether cells with too few annotations borrow those of all cells (`borrowed`).")
    ] = False,
    width: WidthParameter = WANTED_WIDTH,
    table_format: Annotated[TableFormat, Query(alias="format")] = "json",
    if_none_match: Annotated[str | None, Header(include_in_schema=False)] = None,
) -> Response:
    """Prevalence of frames by outlet and time: the raw share, and the share corrected for classification errors.

    The corrected share has a 95% interval, from annotated paragraphs that the coding queue drew. If these are too few,
    `annotations_needed` says how many more to annotate.
    """
    parts = by.split(",")
    question = Question(
        population=scope.population,
        by_outlet="outlet" in parts,
        period=next((period for period in PERIODS if period in parts), None),
        unit=unit,
        weight=weight,
        correct=correct,
        borrow=borrow,
        width=width,
    )
    with database.read() as connection:
        counted = f"{scope.card.version} {scope.population.articles} {scope.population.codebook}"
        etag = _etag(request, store.revision(connection, scope.card.version), counted)
        if if_none_match == etag:
            return Response(status_code=304, headers={"ETag": etag})
        answer = answers.prevalence(connection, question, scope.card)
    cells = [] if "by" in request.query_params else [("by", by)]
    name = file_name("prevalence", [*cells, *request.query_params.multi_items()])
    return _table(answer, table_format, etag, name)


def _etag(request: Request, revision: str, counted: str) -> str:
    """The ETag of an answer; `counted` has what the settings or the champion determine, and not the address.

    It is weak, because the same figures come with the time of another query.
    """
    content = json.dumps([revision, counted, product_version(), request.url.query])
    return f'W/"{hashlib.sha256(content.encode()).hexdigest()[:32]}"'


def _table(answer: PrevalenceAnswer, table_format: TableFormat, etag: str, name: str) -> Response:
    headers = {"ETag": etag, "Cache-Control": "no-cache"}
    if table_format == "json":
        return StreamingResponse(_json(answer), media_type="application/json", headers=headers)
    chosen: Format = table_format
    headers["Content-Disposition"] = f'attachment; filename="{name}.{chosen}"'
    rows = [_cells(row, answer) for row in answer.rows]
    batches = (rows[start : start + _ROWS_AT_ONCE] for start in range(0, len(rows), _ROWS_AT_ONCE))
    return StreamingResponse(stream(COLUMNS, batches, chosen), media_type=MEDIA_TYPES[chosen], headers=headers)


def _cells(row: PrevalenceRow, answer: PrevalenceAnswer) -> tuple[Any, ...]:
    shares = dict.fromkeys(f"{stance}{end}" for stance in SPECIFIED_STANCES for end in ("", "_low", "_high"))
    for stance, share in (row.stances or {}).items():
        shares |= {stance: share.share, f"{stance}_low": share.low, f"{stance}_high": share.high}
    # The estimator is that of the row.
    cells = {**dict(answer), **dict(row), **shares, "estimator": answers.ESTIMATORS.get(row.correction)}
    return tuple(cells[column.name] for column in COLUMNS)


def _json(answer: PrevalenceAnswer) -> Iterator[str]:
    """Yields the JSON of the answer in pieces of some rows."""
    head = answer.model_copy(update={"rows": []}).model_dump_json()
    yield head.removesuffix("]}")
    for start in range(0, len(answer.rows), _ROWS_AT_ONCE):
        rows = answer.rows[start : start + _ROWS_AT_ONCE]
        yield ("," if start else "") + ",".join(row.model_dump_json() for row in rows)
    yield "]}"


@router.get("/compare", dependencies=needs["reader"], responses=guarded(409, 422, 503))
def compare(
    champion: UseChampion,
    database: UseDatabase,
    settings: UseSettings,
    codebook: UseCodebook,
    frame: Frames = None,
    a_outlet: Annotated[str | None, Query(max_length=256)] = None,
    a_from: WholeDay | None = None,
    a_to: WholeDay | None = None,
    b_outlet: Annotated[str | None, Query(max_length=256)] = None,
    b_from: WholeDay | None = None,
    b_to: WholeDay | None = None,
    unit: UnitParameter = "paragraph",
    weight: WeightParameter = "unit",
    dedup: Dedup = False,
    articles: PopulationParameter = None,
    width: WidthParameter = WANTED_WIDTH,
) -> ComparisonAnswer:
    """Compares two outlets or two periods, frame by frame: the difference a - b with its 95% interval."""
    if _overlap((a_outlet, a_from, a_to), (b_outlet, b_from, b_to)):
        raise OverlapError(
            "Side a and side b have articles in common: name two outlets (a_outlet, b_outlet) or two periods that do "
            "not overlap (a_from, a_to, b_from, b_to)."
        )
    selected = Selected(frame, first_copies=dedup, articles=articles)
    scope = scored_population(selected, champion.model().card, codebook, settings)
    question = Question(population=scope.population, unit=unit, weight=weight, width=width)
    a = answers.without_periods(question, a_from, a_to, a_outlet, "a")
    b = answers.without_periods(question, b_from, b_to, b_outlet, "b")
    with database.read() as connection:
        return answers.compare(connection, a, b, scope.card)


_Set = tuple[str | None, date | None, date | None]


def _overlap(a: _Set, b: _Set) -> bool:
    if a[0] is not None and b[0] is not None and a[0] != b[0]:
        return False
    return (a[1] or date.min) <= (b[2] or date.max) and (b[1] or date.min) <= (a[2] or date.max)


@router.get("/profile", dependencies=needs["reader"], responses=guarded(409, 422, 503))
def profile(
    database: UseDatabase,
    scope: UseScope,
    unit: UnitParameter = "paragraph",
    weight: WeightParameter = "unit",
    width: WidthParameter = WANTED_WIDTH,
) -> ProfileAnswer:
    """The prevalence of frames in a set of articles as a whole, and which of them share paragraphs or articles."""
    question = Question(population=scope.population, unit=unit, weight=weight, width=width)
    with database.read() as connection:
        return answers.profile(connection, question, scope.card)
