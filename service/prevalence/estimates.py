"""Estimates of one question: sums and codes from the store, cell by cell, put to the estimator."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np
from sqlalchemy import Connection

from labels.annotations import SPECIFIED_STANCES, Stance
from service.schemas.prevalence import (
    Corrected,
    PrevalenceRow,
    StanceShare,
    Unit,
    Weight,
)
from service.store import prevalence as store
from service.store.prevalence import Cell, CellSums, CodedParagraph, Period, Selection
from training.dataset import is_held_out
from training.prevalence import (
    WANTED_WIDTH,
    Codes,
    Share,
    Sums,
    borrowed_share,
    codes_needed,
    corrected_share,
    stance_interval,
)
from training.registry.card import ModelCard
from training.scoring.classification import Stances, stance_shares
from training.tiers import reliability_tier


@dataclass(frozen=True, slots=True)
class Question:
    """Of what prevalence is wanted, and how it is to count."""

    selection: Selection
    by_outlet: bool = False
    period: Period | None = None
    unit: Unit = "paragraph"
    weight: Weight = "unit"
    correct: bool = True
    borrow: bool = False
    width: float = WANTED_WIDTH


@dataclass(frozen=True, slots=True)
class _Counted:
    """One frame in one cell: what is shown, what the estimator takes, and how each outlet's units are scaled."""

    cell: Cell
    frame: str
    count: int
    uncertain: int
    total: int
    articles: int
    raw_share: float
    stances: Stances
    sums: Sums
    scale: Mapping[str, float]


class Estimates:
    """The estimates of one question."""

    def __init__(self, connection: Connection, question: Question, card: ModelCard) -> None:
        self._question = question
        self._card = card
        self._tiers = {frame: reliability_tier(card, frame) for frame in question.selection.frames}
        by_outlet = question.by_outlet or question.weight == "outlet"
        self._sums = store.sums(connection, question.selection, by_outlet=by_outlet, period=question.period)
        known: list[CodedParagraph] = []
        if question.correct:
            known = store.coded(connection, question.selection)
        self._codes = [coded for coded in known if not _trained_on(card, coded)]
        self.trained_on = len(known) - len(self._codes)
        self._codes_by_cell: dict[Cell, list[CodedParagraph]] = defaultdict(list)
        for coded in self._codes:
            self._codes_by_cell[self._cell_of(coded)].append(coded)

    def rows(self) -> list[PrevalenceRow]:
        """A row a cell and frame, by period, outlet and frame."""
        groups: dict[tuple[Cell, str], list[CellSums]] = defaultdict(list)
        for found in self._sums:
            cell = found.cell if self._question.by_outlet else found.cell._replace(outlet=None)
            groups[cell, found.frame].append(found)
        wider = self._wider() if self._question.borrow else {}
        return [
            self._row(self._counted(cell, frame, parts), wider.get(frame)) for (cell, frame), parts in groups.items()
        ]

    def whole(self, frame: str) -> PrevalenceRow:
        """The row of the selection as a whole; zeros where it has no articles."""
        counted = self._counted(Cell(None, None), frame, [found for found in self._sums if found.frame == frame])
        return self._row(counted, None)

    def _wider(self) -> dict[str, tuple[Sums, Share, Codes]]:
        """The selection as a whole, corrected, for each frame with enough codes in it."""
        found = {}
        for frame in self._question.selection.frames:
            counted = self._counted(Cell(None, None), frame, [sums for sums in self._sums if sums.frame == frame])
            codes = self._codes_of(self._codes, counted)
            if codes.enough and counted.sums.size:
                found[frame] = (counted.sums, corrected_share(counted.sums, codes), codes)
        return found

    def _row(self, counted: _Counted, wider: tuple[Sums, Share, Codes] | None) -> PrevalenceRow:
        return PrevalenceRow(
            period=counted.cell.period,
            outlet=counted.cell.outlet or None,
            frame=counted.frame,
            count=counted.count,
            uncertain=counted.uncertain,
            total=counted.total,
            articles=counted.articles,
            raw_share=counted.raw_share,
            stances=_stance_shares(counted.stances),
            tier=self._tiers[counted.frame],
            **self._corrected(counted, wider).__dict__,
        )

    def _corrected(self, counted: _Counted, wider: tuple[Sums, Share, Codes] | None) -> Corrected:
        if not self._question.correct:
            return _without(0, None, asked=False)
        if not counted.sums.size:
            return _without(0, None, asked=True)
        of_cell = self._codes if counted.cell == (None, None) else self._codes_by_cell.get(counted.cell, [])
        codes = self._codes_of(of_cell, counted)
        needed = codes_needed(counted.sums, codes, self._question.width)
        if codes.enough:
            return _with(corrected_share(counted.sums, codes), len(codes), needed, borrowed=False)
        if wider is not None:
            return _with(borrowed_share(counted.sums, *wider), len(codes), needed, borrowed=True)
        return _without(len(codes), needed, asked=True)

    def _counted(self, cell: Cell, frame: str, parts: Sequence[CellSums]) -> _Counted:
        names = ("articles_present", "articles_uncertain", "articles")
        if self._question.unit == "paragraph":
            names = ("present", "uncertain", "paragraphs")
        count, uncertain, total = (int(sum(part.sums[name] for part in parts)) for name in names)
        sized = [(part, self._sums_of(part)) for part in parts]
        by_outlet = self._question.weight == "outlet"
        scale: dict[str, float] = {}
        if by_outlet:
            sizes: dict[str, float] = defaultdict(float)
            for part, sums in sized:
                sizes[part.cell.outlet or ""] += sums.size
            scale = {outlet: 1 / size for outlet, size in sizes.items() if size}
        weighted = [(part, sums, scale.get(part.cell.outlet or "", 1.0)) for part, sums in sized]
        size = sum(sums.size * factor for _, sums, factor in weighted)
        raw = sum(self._raw(part) * factor for part, _, factor in weighted)
        return _Counted(
            cell=cell,
            frame=frame,
            count=count,
            uncertain=uncertain,
            total=total,
            articles=int(sum(part.sums["articles"] for part in parts)),
            raw_share=min(1.0, raw / size) if size else 0.0,
            stances=tuple(sum(part.sums[stance] for part in parts) for stance in SPECIFIED_STANCES),
            sums=sum((sums.scaled(factor) for _, sums, factor in weighted), Sums()),
            scale=scale,
        )

    def _raw(self, part: CellSums) -> float:
        """What the raw share has above its fraction line."""
        if self._question.unit == "article":
            return part.sums["articles_present"]
        return part.sums["share" if self._question.weight == "article" else "present"]

    def _sums_of(self, part: CellSums) -> Sums:
        found = part.sums
        articles = int(found["articles"])
        if self._question.unit == "article":
            top, squares = found["top_score"], found["top_score_squared"]
            return Sums(articles, articles, top, articles, squares, top)
        if self._question.weight == "article":
            mean, squares = found["mean_score"], found["mean_score_squared"]
            return Sums(articles, articles, mean, articles, squares, mean)
        return Sums(
            articles,
            found["paragraphs"],
            found["score"],
            found["paragraphs_squared"],
            found["score_squared"],
            found["paragraphs_score"],
        )

    def _codes_of(self, coded: Sequence[CodedParagraph], counted: _Counted) -> Codes:
        """The codes of a frame, each scaled as the units of its cell are."""
        known = [one for one in coded if counted.frame in one.scores]
        if self._question.unit == "article":
            return _codes_of_articles(known, counted)
        articles = {one.article_id: one for one in known}
        places = {article: place for place, article in enumerate(articles)}
        each = self._question.weight == "article"
        factors = {a: counted.scale.get(o.outlet, 1.0) / (o.paragraphs if each else 1) for a, o in articles.items()}
        sizes = np.array([one.paragraphs * factors[article] for article, one in articles.items()])
        means = np.array([one.mean_scores.get(counted.frame, 0.0) for one in articles.values()])
        return Codes(
            code=np.array([one.codes.get(counted.frame, 0.0) for one in known], dtype=float),
            score=np.array([one.scores[counted.frame] for one in known], dtype=float),
            weight=np.array([one.weight * factors[one.article_id] for one in known], dtype=float),
            article=np.array([places[one.article_id] for one in known], dtype=np.int64),
            article_sizes=sizes,
            article_scores=sizes * means,
        )

    def _cell_of(self, coded: CodedParagraph) -> Cell:
        period = None if self._question.period is None else _period_start(coded.day, self._question.period)
        return Cell(coded.outlet if self._question.by_outlet else None, period)


def _stance_shares(added: Stances) -> dict[Stance, StanceShare] | None:
    """Shares of stances of which the paragraphs were added up."""
    shares = stance_shares(added)
    if shares is None:
        return None
    return {
        stance: StanceShare(share=share, low=low, high=high)
        for stance, share in shares.items()
        for low, high in [stance_interval(share, sum(added))]
    }


def _codes_of_articles(coded: Sequence[CodedParagraph], counted: _Counted) -> Codes:
    """Codes of articles that were drawn whole and coded to the last paragraph: they carry what any of these does."""
    by_article: dict[str, list[CodedParagraph]] = defaultdict(list)
    for one in coded:
        if one.whole:
            by_article[one.article_id].append(one)
    complete = [paragraphs for paragraphs in by_article.values() if len(paragraphs) == paragraphs[0].paragraphs]
    sizes = np.array([counted.scale.get(paragraphs[0].outlet, 1.0) for paragraphs in complete], dtype=float)
    scores = np.array([paragraphs[0].top_scores[counted.frame] for paragraphs in complete], dtype=float)
    return Codes(
        code=np.array([max(p.codes.get(counted.frame, 0.0) for p in ps) for ps in complete], dtype=float),
        score=scores,
        weight=sizes,
        article=np.arange(len(complete)),
        article_sizes=sizes,
        article_scores=sizes * scores,
    )


def _trained_on(card: ModelCard, coded: CodedParagraph) -> bool:
    """Whether the model may have learned the paragraph: its score then says nothing of how it errs elsewhere."""
    if not card.run or is_held_out(coded.article_id):
        return False
    return coded.first_coded_at <= datetime.fromisoformat(card.created_at)


def _period_start(day: date, period: Period) -> date:
    if period == "week":
        return day - timedelta(days=day.weekday())
    return day if period == "day" else day.replace(day=1) if period == "month" else day.replace(day=1, month=1)


def _with(share: Share, codes: int, needed: int, *, borrowed: bool) -> Corrected:
    return Corrected(
        corrected_share=share.value,
        low=share.low,
        high=share.high,
        correction="borrowed" if borrowed else "codes",
        codes=codes,
        codes_needed=needed,
    )


def _without(codes: int, needed: int | None, *, asked: bool) -> Corrected:
    return Corrected(
        corrected_share=None,
        low=None,
        high=None,
        correction="too_few_codes" if asked else "off",
        codes=codes,
        codes_needed=needed,
    )
