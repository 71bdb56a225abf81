"""Estimates of prevalence, cell by cell, from the sums of scores and the annotations of the store."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from sqlalchemy import Connection

from labels.annotations import SPECIFIED_STANCES, Stance
from service.prevalence.periods import first_day_of, last_day_of
from service.prevalence.trained_on import is_trained_on
from service.schemas.prevalence import (
    Corrected,
    Correction,
    PrevalenceRow,
    StanceShare,
    Unit,
    Weight,
)
from service.store import prevalence as store
from service.store.points import counts
from service.store.prevalence import AnnotatedArticle, Cell, CellSums, DrawnParagraph, Period, Population
from training.estimates.prevalence import (
    WANTED_WIDTH,
    CodedUnits,
    Share,
    StanceSums,
    Sums,
    annotations_needed,
    borrowed_share,
    corrected_share,
    stance_interval,
)
from training.model_card import ModelCard
from training.scoring.classification import stance_shares
from training.tiers import OwnFigures, reliability_tier


@dataclass(frozen=True, slots=True)
class Question:
    """A request for prevalence: the population, its cells, and how units count."""

    population: Population
    by_outlet: bool = False
    period: Period | None = None
    unit: Unit = "paragraph"
    weight: Weight = "unit"
    correct: bool = True
    borrow: bool = False
    width: float = WANTED_WIDTH


@dataclass(frozen=True, slots=True)
class _Counted:
    """A frame in a cell: counts for the answer, sums for the estimator, and the factor of each outlet's units."""

    cell: Cell
    frame: str
    count: int
    uncertain: int
    total: int
    articles: int
    raw_share: float
    stances: Mapping[Stance, StanceSums]
    sums: Sums
    scale: Mapping[str, float]


class Estimates:
    """The estimates that answer a question; from `own`, the figures of its frames, their reliability tiers follow.

    `trained_on` is the number of coded paragraphs that are left out because the model was trained on them.
    """

    def __init__(
        self, connection: Connection, question: Question, card: ModelCard, own: Mapping[str, OwnFigures]
    ) -> None:
        self._question = question
        self._own = own
        by_outlet = question.by_outlet or question.weight == "outlet"
        self._days = store.first_and_last_day(connection, question.population) or (None, None)
        self._sums = counts.sums(connection, question.population, by_outlet=by_outlet, period=question.period)
        self._annotated: dict[Cell, list[AnnotatedArticle]] = defaultdict(list)
        if question.correct and card.folds is not None:
            for article in store.annotated_articles(connection, question.population):
                self._annotated[self._cell_of(article, by_outlet=by_outlet)].append(article)
        coded = store.drawn_paragraphs(connection, question.population) if question.correct else []
        self._coded = [paragraph for paragraph in coded if not is_trained_on(card, paragraph)]
        self.trained_on = len(coded) - len(self._coded)
        self._coded_by_cell: dict[Cell, list[DrawnParagraph]] = defaultdict(list)
        for paragraph in self._coded:
            self._coded_by_cell[self._cell_of(paragraph, by_outlet=question.by_outlet)].append(paragraph)
        self._beyond = self._articles_beyond(connection)

    def rows(self) -> list[PrevalenceRow]:
        """A row per cell and frame, ordered by period, outlet and frame."""
        groups: dict[tuple[Cell, str], list[CellSums]] = defaultdict(list)
        for part in self._sums:
            cell = part.cell if self._question.by_outlet else part.cell._replace(outlet=None)
            groups[cell, part.frame].append(part)
        wider = self._wider() if self._question.borrow else {}
        return [
            self._row(self._counted(cell, frame, parts), wider.get(frame)) for (cell, frame), parts in groups.items()
        ]

    def whole(self, frame: str) -> PrevalenceRow:
        """The row of the whole population; zeros if it has no articles."""
        return self._row(self._counted_whole(frame), None)

    def paragraphs(self) -> int:
        """The number of paragraphs, whatever the question counts."""
        frame = self._question.population.frames[0]
        return int(sum(part.sums["paragraphs"] for part in self._sums if part.frame == frame))

    def _counted_whole(self, frame: str) -> _Counted:
        return self._counted(Cell(None, None), frame, [part for part in self._sums if part.frame == frame])

    def _wider(self) -> dict[str, tuple[Sums, Share, CodedUnits]]:
        """What cells can borrow: for each frame with enough annotations, the correction of the whole population."""
        corrections = {}
        for frame in self._question.population.frames:
            counted = self._counted_whole(frame)
            units = self._representing(self._coded, counted)
            if units.enough and counted.sums.size:
                corrections[frame] = (counted.sums, corrected_share(counted.sums, units), units)
        return corrections

    def _row(self, counted: _Counted, wider: tuple[Sums, Share, CodedUnits] | None) -> PrevalenceRow:
        return PrevalenceRow(
            population=self._question.population.articles,
            period=counted.cell.period,
            outlet=counted.cell.outlet or None,
            frame=counted.frame,
            count=counted.count,
            uncertain=counted.uncertain,
            total=counted.total,
            articles=counted.articles,
            raw_share=counted.raw_share,
            stances=_stance_shares(counted.stances),
            reliability_tier=reliability_tier(self._own[counted.frame]),
            **_days(counted.cell.period, self._question, self._days),
            **self._corrected(counted, wider).__dict__,
        )

    def _corrected(self, counted: _Counted, wider: tuple[Sums, Share, CodedUnits] | None) -> Corrected:
        if not self._question.correct:
            return _without_share("off", 0, None)
        if not counted.sums.size:
            return _without_share("too_few_annotations", 0, None)
        coded = self._coded if counted.cell == (None, None) else self._coded_by_cell.get(counted.cell, [])
        units = self._representing(coded, counted)
        needed = annotations_needed(counted.sums, units, self._question.width)
        if units.enough:
            return _with_share("annotations", corrected_share(counted.sums, units), len(units), needed)
        if wider is not None:
            return _with_share("borrowed", borrowed_share(counted.sums, *wider), len(units), needed)
        return _without_share("too_few_annotations", len(units), needed)

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
            stances=_stance_sums(parts),
            sums=sum((sums.scaled(factor) for _, sums, factor in weighted), Sums()),
            scale=scale,
        )

    def _raw(self, part: CellSums) -> float:
        """The numerator of the raw share."""
        if self._question.unit == "article":
            return part.sums["articles_present"]
        return part.sums["share" if self._question.weight == "article" else "present"]

    def _sums_of(self, part: CellSums) -> Sums:
        """The sums of a part, with annotated articles as the fold model scores them that has not seen them."""
        moved = (self._moved(article, part.frame) for article in self._annotated.get(part.cell, ()))
        return sum(moved, self._stored_sums_of(part))

    def _moved(self, article: AnnotatedArticle, frame: str) -> Sums:
        """What is added to the sums for an annotated article, which the model may have been trained on."""
        if frame not in article.scores:
            return Sums()
        cross = article.scores[frame]
        size, before, after = 1, cross.mean_score, cross.left_out_mean_score
        if self._question.unit == "article":
            before, after = cross.score, cross.left_out_score
        elif self._question.weight != "article":
            size = article.paragraphs
            before, after = size * before, size * after
        return Sums(score=after - before, score_squared=after**2 - before**2, size_score=size * (after - before))

    def _stored_sums_of(self, part: CellSums) -> Sums:
        sums = part.sums
        articles = int(sums["articles"])
        if self._question.unit == "article":
            top, squares = sums["top_score"], sums["top_score_squared"]
            return Sums(articles, articles, top, articles, squares, top)
        if self._question.weight == "article":
            mean, squares = sums["mean_score"], sums["mean_score_squared"]
            return Sums(articles, articles, mean, articles, squares, mean)
        return Sums(
            articles,
            sums["paragraphs"],
            sums["score"],
            sums["paragraphs_squared"],
            sums["score_squared"],
            sums["paragraphs_score"],
        )

    def _articles_beyond(self, connection: Connection) -> Mapping[Cell, int]:
        """The articles of each cell that no assignment could draw from, where any drew from some articles only."""
        question = self._question
        reaches = {unit.inclusion.reach for unit in self._coded if unit.inclusion.reach.is_limited}
        if not reaches:
            return {}
        beyond = store.articles_beyond(
            connection, question.population, reaches, by_outlet=question.by_outlet, period=question.period
        )
        return {**beyond, Cell(None, None): sum(beyond.values())}

    def _representing(self, coded: Sequence[DrawnParagraph], counted: _Counted) -> CodedUnits:
        """The coded units that stand for all articles of a cell.

        Where an assignment could only draw from some of them, its paragraphs say nothing of the others: they count once
        enough is annotated of what was drawn from all articles.
        """
        units = self._coded_units(coded, counted)
        if not self._beyond.get(counted.cell):
            return units
        from_all = self._coded_units([unit for unit in coded if not unit.inclusion.reach.is_limited], counted)
        return units if from_all.enough else from_all

    def _coded_units(self, coded: Sequence[DrawnParagraph], counted: _Counted) -> CodedUnits:
        """The coded units of a frame, scaled like all units of the cell."""
        frame = counted.frame
        # A frame that came after a paragraph was coded is not absent from it.
        scored = [paragraph for paragraph in coded if frame in paragraph.scores and frame in paragraph.annotated]
        if self._question.unit == "article":
            return _coded_articles(scored, counted)
        # Any paragraph of an article has the facts about the article.
        articles = {paragraph.article_id: paragraph.article for paragraph in scored}
        places = {article: place for place, article in enumerate(articles)}
        per_article = self._question.weight == "article"
        factors = {
            article: counted.scale.get(facts.outlet, 1.0) / (facts.paragraphs if per_article else 1)
            for article, facts in articles.items()
        }
        sizes = np.array([facts.paragraphs * factors[article] for article, facts in articles.items()])
        means = np.array([facts.scores[frame].left_out_mean_score for facts in articles.values()])
        return CodedUnits(
            label=np.array([paragraph.annotated[frame] for paragraph in scored], dtype=float),
            score=np.array([paragraph.scores[frame] for paragraph in scored], dtype=float),
            weight=np.array(
                [paragraph.inclusion.weight * factors[paragraph.article_id] for paragraph in scored], dtype=float
            ),
            article=np.array([places[paragraph.article_id] for paragraph in scored], dtype=np.int64),
            article_sizes=sizes,
            article_scores=sizes * means,
        )

    def _cell_of(self, unit: AnnotatedArticle | DrawnParagraph, *, by_outlet: bool) -> Cell:
        period = None if self._question.period is None else first_day_of(unit.day, self._question.period)
        return Cell(unit.outlet if by_outlet else None, period)


def _stance_sums(parts: Sequence[CellSums]) -> dict[Stance, StanceSums]:
    """The sums of each stance over the paragraphs present."""

    def total(name: str) -> float:
        return float(sum(part.sums[name] for part in parts))

    present = sum(total(stance) for stance in SPECIFIED_STANCES)
    present_squared = sum(total(f"{stance}_present") for stance in SPECIFIED_STANCES)
    articles = int(total("articles"))
    return {
        stance: StanceSums(
            articles, total(stance), present, total(f"{stance}_squared"), total(f"{stance}_present"), present_squared
        )
        for stance in SPECIFIED_STANCES
    }


def _stance_shares(added: Mapping[Stance, StanceSums]) -> dict[Stance, StanceShare] | None:
    """Shares of the stances, from the sums of their scores over the paragraphs present; None if no paragraph is."""
    shares = stance_shares(tuple(sums.stance for sums in added.values()))
    if shares is None:
        return None
    return {
        stance: StanceShare(share=share, low=low, high=high)
        for stance, share in shares.items()
        for low, high in [stance_interval(added[stance])]
    }


def _coded_articles(coded: Sequence[DrawnParagraph], counted: _Counted) -> CodedUnits:
    """The articles that were drawn as a whole and are coded to the last paragraph, as units.

    An article carries a frame if any of its paragraphs does.
    """
    by_article: dict[str, list[DrawnParagraph]] = defaultdict(list)
    for paragraph in coded:
        if paragraph.inclusion.as_whole:
            by_article[paragraph.article_id].append(paragraph)
    complete = [paragraphs for paragraphs in by_article.values() if len(paragraphs) == paragraphs[0].article.paragraphs]
    sizes = np.array([counted.scale.get(paragraphs[0].outlet, 1.0) for paragraphs in complete], dtype=float)
    weights = np.array([paragraphs[0].inclusion.article_weight for paragraphs in complete], dtype=float)
    of_articles = [paragraphs[0].article.scores[counted.frame] for paragraphs in complete]
    scores = np.array([cross.left_out_score for cross in of_articles], dtype=float)
    return CodedUnits(
        label=np.array([max(p.annotated[counted.frame] for p in ps) for ps in complete], dtype=float),
        score=scores,
        weight=weights * sizes,
        article=np.arange(len(complete)),
        article_sizes=sizes,
        article_scores=sizes * scores,
    )


def _days(
    start: date | None, question: Question, of_articles: tuple[date | None, date | None]
) -> dict[str, date | None]:
    """The first and the last day of a cell: those of its period, or of the articles, as far as the question reaches."""
    since, until = question.population.since, question.population.until
    if start is None or question.period is None:
        return {"first_day": since or of_articles[0], "last_day": until or of_articles[1]}
    end = last_day_of(start, question.period)
    return {"first_day": max(start, since or start), "last_day": min(end, until or end)}


def _with_share(correction: Correction, share: Share, annotations: int, needed: int) -> Corrected:
    return Corrected(
        corrected_share=share.value,
        low=share.low,
        high=share.high,
        standard_error=share.standard_error,
        tuning=share.tuning,
        correction=correction,
        annotations=annotations,
        annotations_needed=needed,
    )


def _without_share(correction: Correction, annotations: int, needed: int | None) -> Corrected:
    return Corrected(
        corrected_share=None,
        low=None,
        high=None,
        standard_error=None,
        tuning=None,
        correction=correction,
        annotations=annotations,
        annotations_needed=needed,
    )
