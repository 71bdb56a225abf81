"""/v1/prevalence, /v1/compare and /v1/profile: how much of each frame there is, with honest uncertainty."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.responses import StreamingResponse

from labels.annotations import SPECIFIED_STANCES
from service.access.needs import needs
from service.http.dependencies import State
from service.http.problem_details import OverlapError, UnknownFrameError
from service.metrics import product_version
from service.prevalence import answers
from service.prevalence.estimates import Question
from service.routes import Responses, guarded
from service.schemas.fields import WholeDay
from service.schemas.prevalence import ComparisonAnswer, PrevalenceAnswer, PrevalenceRow, ProfileAnswer, Unit, Weight
from service.store import prevalence as store
from service.store.prevalence import PERIODS, Selection
from service.tabular import MEDIA_TYPES, Column, Format, stream
from training.prevalence import WANTED_WIDTH
from training.registry.card import ModelCard

router = APIRouter(prefix="/v1", tags=["prevalence"])

TableFormat = Literal["json", "csv", "parquet", "arrow"]
_ROWS_AT_ONCE = 1000

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
    Column("codes", "whole"),
    Column("codes_needed", "whole"),
    Column("tier", "text"),
    *(Column(f"{stance}{end}", "number") for stance in SPECIFIED_STANCES for end in ("", "_low", "_high")),
)
"""Those of `PrevalenceRow`, and for each stance its share with both ends."""

Since = Annotated[WholeDay | None, Query(alias="from", description="First day (by publication, else by arrival).")]
Until = Annotated[WholeDay | None, Query(alias="to", description="Last day.")]
Frames = Annotated[
    list[str] | None, Query(alias="frame", max_length=50, description="Only these frames; may be given repeatedly.")
]
Outlets = Annotated[
    list[str] | None, Query(alias="outlet", max_length=100, description="Only these outlets; may be given repeatedly.")
]
Dedup = Annotated[
    bool, Query(description="Count a story once, where its first copy was stored: wire copy counts in one outlet only.")
]
UnitParameter = Annotated[
    Unit, Query(description="What is counted; an article carries what any of its paragraphs carries.")
]
WeightParameter = Annotated[
    Weight,
    Query(description="`article`: each article counts alike, however long; `outlet`: each outlet, however prolific."),
]
WidthParameter = Annotated[float, Query(ge=0.01, le=1, description="Width of interval that codes are planned for.")]
_PERIOD = f"({'|'.join(PERIODS)})"


def _require_frames(frames: Sequence[str] | None, card: ModelCard) -> tuple[str, ...]:
    for frame in frames or ():
        if frame not in card.frames:
            raise UnknownFrameError(
                f"The model has no frame '{frame}'; its frames are {', '.join(card.frame_keys)}.", "query/frame"
            )
    return tuple(frame for frame in card.frame_keys if not frames or frame in frames)


@dataclass(frozen=True, slots=True)
class Asked:
    """Which articles and frames a request is about, and the card of the model that scored them."""

    selection: Selection
    card: ModelCard


def asked(
    state: State,
    frame: Frames = None,
    since: Since = None,
    until: Until = None,
    outlet: Outlets = None,
    dedup: Dedup = False,
) -> Asked:
    card = state.champion.model().card
    return Asked(Selection(card.version, _require_frames(frame, card), since, until, outlet, dedup), card)


About = Annotated[Asked, Depends(asked)]

_TABLE: Responses = {
    200: {
        "description": "All rows; there are no pages",
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
    responses={**_TABLE, **guarded(422, 503)},
)
def prevalence(
    request: Request,
    state: State,
    about: About,
    by: Annotated[
        str,
        Query(
            pattern=f"^((outlet,)?{_PERIOD}|({_PERIOD},)?outlet)?$",
            description="Cells: `outlet`, a period (`day`, `week`, `month`, `year`), or both with a comma.",
        ),
    ] = "week",
    unit: UnitParameter = "paragraph",
    weight: WeightParameter = "unit",
    correct: Annotated[bool, Query(description="Whether to correct the classifier's errors by codes.")] = True,
    borrow: Annotated[
        bool, Query(description="Whether cells with too few codes borrow those of the others (`borrowed`).")
    ] = False,
    width: WidthParameter = WANTED_WIDTH,
    table_format: Annotated[TableFormat, Query(alias="format")] = "json",
    if_none_match: Annotated[str | None, Header(include_in_schema=False)] = None,
) -> Response:
    """Prevalence of frames by outlet and time: counted raw, and corrected for the classifier's errors.

    The corrected share has a 95% interval from paragraphs that the coding queue drew. Where there are too few, the row
    says how many more are needed.
    """
    parts = by.split(",")
    question = Question(
        selection=about.selection,
        by_outlet="outlet" in parts,
        period=next((period for period in PERIODS if period in parts), None),
        unit=unit,
        weight=weight,
        correct=correct,
        borrow=borrow,
        width=width,
    )
    with state.database.read() as connection:
        etag = _etag(request, store.revision(connection, about.card.version), about.card.version)
        if if_none_match == etag:
            return Response(status_code=304, headers={"ETag": etag})
        answer = answers.prevalence(connection, question, about.card)
    return _table(answer, table_format, etag)


def _etag(request: Request, revision: str, version: str) -> str:
    content = json.dumps([revision, version, product_version(), request.url.query])
    return f'"{hashlib.sha256(content.encode()).hexdigest()[:32]}"'


def _table(answer: PrevalenceAnswer, table_format: TableFormat, etag: str) -> Response:
    headers = {"ETag": etag, "Cache-Control": "no-cache"}
    if table_format == "json":
        return StreamingResponse(_json(answer), media_type="application/json", headers=headers)
    chosen: Format = table_format
    headers["Content-Disposition"] = f'attachment; filename="prevalence.{chosen}"'
    rows = [_cells(row) for row in answer.rows]
    batches = (rows[start : start + _ROWS_AT_ONCE] for start in range(0, len(rows), _ROWS_AT_ONCE))
    return StreamingResponse(stream(COLUMNS, batches, chosen), media_type=MEDIA_TYPES[chosen], headers=headers)


def _cells(row: PrevalenceRow) -> tuple[Any, ...]:
    facts = (getattr(row, column.name) for column in COLUMNS[: -3 * len(SPECIFIED_STANCES)])
    stances = row.stances or {}
    found = (stances.get(stance) for stance in SPECIFIED_STANCES)
    return (*facts, *(cell for one in found for cell in ((one.share, one.low, one.high) if one else (None,) * 3)))


def _json(answer: PrevalenceAnswer) -> Iterator[str]:
    """The answer, written row by row."""
    head = answer.model_copy(update={"rows": []}).model_dump_json()
    yield head.removesuffix("]}")
    for start in range(0, len(answer.rows), _ROWS_AT_ONCE):
        rows = answer.rows[start : start + _ROWS_AT_ONCE]
        yield ("," if start else "") + ",".join(row.model_dump_json() for row in rows)
    yield "]}"


@router.get("/compare", dependencies=needs["reader"], responses=guarded(422, 503))
def compare(
    state: State,
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
    width: WidthParameter = WANTED_WIDTH,
) -> ComparisonAnswer:
    """Two outlets, two periods or both, frame by frame: the difference a - b with its 95% interval."""
    if _overlap((a_outlet, a_from, a_to), (b_outlet, b_from, b_to)):
        raise OverlapError(
            "Side a and side b have articles in common: name two outlets (a_outlet, b_outlet) or two periods that do "
            "not meet (a_from, a_to, b_from, b_to)."
        )
    card = state.champion.model().card
    selection = Selection(card.version, _require_frames(frame, card), first_copies=dedup)
    question = Question(selection=selection, unit=unit, weight=weight, width=width)
    a = answers.without_periods(question, a_from, a_to, a_outlet)
    b = answers.without_periods(question, b_from, b_to, b_outlet)
    with state.database.read() as connection:
        return answers.compare(connection, a, b, card)


_Set = tuple[str | None, date | None, date | None]


def _overlap(a: _Set, b: _Set) -> bool:
    if a[0] is not None and b[0] is not None and a[0] != b[0]:
        return False
    return (a[1] or date.min) <= (b[2] or date.max) and (b[1] or date.min) <= (a[2] or date.max)


@router.get("/profile", dependencies=needs["reader"], responses=guarded(422, 503))
def profile(
    state: State,
    about: About,
    unit: UnitParameter = "paragraph",
    weight: WeightParameter = "unit",
    width: WidthParameter = WANTED_WIDTH,
) -> ProfileAnswer:
    """The framing of a set of articles as a whole, and which frames share paragraphs."""
    question = Question(selection=about.selection, unit=unit, weight=weight, width=width)
    with state.database.read() as connection:
        return answers.profile(connection, question, about.card)
