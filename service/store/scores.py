"""Every score of a population, with what coders say, read in batches of articles."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, tuple_

from labels.annotations import SPECIFIED_STANCES
from service.store.points.cuts import decision_on
from service.store.prevalence import Population, article_conditions
from service.store.sql.database import Database
from service.store.tables import articles, paragraph_scores, scorings
from service.tabular import Column
from training.scoring.classification import likeliest

COLUMNS = (
    Column("article_id", "text"),
    Column("external_id", "text"),
    Column("url", "text"),
    Column("title", "text"),
    Column("outlet", "text"),
    Column("published_at", "moment"),
    Column("day", "day"),
    Column("first_copy", "flag"),
    Column("paragraph", "whole"),
    Column("frame", "text"),
    Column("score", "number"),
    Column("decision", "text"),
    Column("model_version", "text"),
    Column("operating_point", "text"),
    Column("stance", "text"),
    *(Column(stance, "number") for stance in SPECIFIED_STANCES),
    Column("about", "text"),
    Column("about_score", "number"),
    Column("codebook_version", "whole"),
    Column("population", "text"),
    Column("left_out_score", "number"),
    Column("label", "number"),
    Column("inclusion_probability", "number"),
    Column("corrects", "flag"),
    Column("queried_at", "moment"),
)
_ARTICLES_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Labelled:
    """An annotated paragraph: of each frame that coders decided about, the share of them who saw it.

    `inclusion_probability` is that of being drawn and annotated, None for a paragraph that somebody chose; `corrects`
    says that the paragraph was drawn, and that its left-out score is not by a model that was trained on it.
    """

    labels: Mapping[str, float]
    inclusion_probability: float | None
    corrects: bool


_NOT_LABELLED = Labelled({}, None, False)


def batches(
    database: Database, population: Population, labelled: Mapping[tuple[str, int], Labelled], queried_at: datetime
) -> Iterator[Sequence[Sequence[Any]]]:
    """Rows of `COLUMNS` in the order of articles, paragraphs and frames; `labelled` by article and paragraph.

    Each batch is read in a separate transaction, so that a long export does not block writers. Articles that are
    deleted during the export are left out.
    """
    after = None
    while True:
        query = _articles(population).limit(_ARTICLES_AT_ONCE)
        if after is not None:
            query = query.where(tuple_(articles.c.dated_at, articles.c.number) > after)
        with database.read() as connection:
            batch = connection.execute(query).all()
            if not batch:
                return
            by_scoring = {row.scoring_number: row for row in batch}
            scores = connection.execute(_scores(list(by_scoring), population)).all()
        of_scoring: dict[int, list[tuple[tuple[Any, ...], float]]] = {number: [] for number in by_scoring}
        for number, *score, left_out_score, advanced, reported, contested in scores:
            point = population.point.operating_point if population.point else by_scoring[number].operating_point
            # An absent frame has no stance, also where it was not absent at the point at which it was stored.
            absent = score[-1] == "absent" or advanced is None
            stances = (None, None, None) if absent else (advanced, reported, contested)
            stance = None if absent else likeliest((advanced, reported, contested))
            of_scoring[number].append(((*score, population.model_version, point, stance, *stances), left_out_score))
        facts = {number: _facts(article) for number, article in by_scoring.items()}
        yield [
            (
                *facts[number],
                *score,
                article.about,
                article.about_score,
                article.codebook_version,
                population.articles,
                left_out_score,
                *_label(labelled.get((article.id, score[0]), _NOT_LABELLED), score[1]),
                queried_at,
            )
            for number, article in by_scoring.items()
            for score, left_out_score in of_scoring[number]
        ]
        after = (batch[-1].dated_at, batch[-1].number)


def _articles(population: Population) -> Any:
    return (
        select(
            articles.c.number,
            articles.c.id,
            articles.c.external_id,
            articles.c.url,
            articles.c.title,
            articles.c.outlet,
            articles.c.published_at,
            articles.c.dated_at,
            articles.c.story,
            scorings.c.number.label("scoring_number"),
            scorings.c.about,
            scorings.c.about_score,
            scorings.c.codebook_version,
            scorings.c.operating_point,
        )
        .join(scorings, scorings.c.article_number == articles.c.number)
        .where(scorings.c.model_version == population.model_version, *article_conditions(population))
        .order_by(articles.c.dated_at, articles.c.number)
    )


def _scores(scoring_numbers: Sequence[int], population: Population) -> Any:
    scores, point = paragraph_scores.c, population.point
    return (
        select(
            scores.scoring_number,
            scores.paragraph,
            scores.frame,
            scores.score,
            scores.decision if point is None else decision_on(scores, point.paragraphs),
            func.coalesce(scores.left_out_score, scores.score),
            *(scores[stance] for stance in SPECIFIED_STANCES),
        )
        .join(scorings, scorings.c.number == scores.scoring_number)
        .where(scores.scoring_number.in_(scoring_numbers), scores.frame.in_(population.frames))
        .order_by(scores.scoring_number, scores.paragraph, scores.frame)
    )


def _label(paragraph: Labelled, frame: str) -> tuple[float | None, float | None, bool]:
    """The columns about the annotation of a frame; the probability only where there is a label."""
    label = paragraph.labels.get(frame)
    if label is None:
        return None, None, False
    return label, paragraph.inclusion_probability, paragraph.corrects


def _facts(article: Any) -> tuple[Any, ...]:
    """The columns about an article, which are the same in all of its rows."""
    return (
        article.id,
        article.external_id,
        article.url,
        article.title,
        article.outlet,
        article.published_at,
        article.dated_at.date(),
        article.story == article.number,
    )
