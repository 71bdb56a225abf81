"""Figures of whole articles: which frames occur, with which score, and in which share of paragraphs.

Scores and decisions are the model's own for articles (`training.scoring.article_score`). A model without them has the
highest score of the paragraphs, and a frame is present in an article if it is present in any paragraph.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.evaluation import Evaluation, evaluate
from training.reports.tables import FIGURES_HEAD, figures_rows
from training.scoring.article_score import ArticleFacts, scores_of_articles
from training.scoring.operating_points import above_threshold

ARTICLES_HEAD = [*FIGURES_HEAD, "Share, annotated", "Share, decided", "Error of the share"]


@dataclass(frozen=True, slots=True)
class ArticleShares:
    """Mean share of an article's paragraphs that carry a frame, as annotated and decided, and the mean error."""

    annotated: float
    decided: float
    error: float


@dataclass(frozen=True, slots=True)
class ArticleFigures:
    """Figures of whole articles, and the shares of their paragraphs, by frame."""

    evaluation: Evaluation
    shares: tuple[ArticleShares, ...]


def article_figures(
    frames: tuple[str, ...],
    scores: NDArray[np.float64],
    decisions: NDArray[np.bool_],
    targets: NDArray[np.bool_],
    articles: NDArray[np.object_],
    carried: Mapping[str, frozenset[str]] | None = None,
    facts: ArticleFacts | None = None,
    coded: NDArray[np.bool_] | None = None,
) -> ArticleFigures:
    """Returns the figures of whole articles from their paragraphs: (n, k) each, and the article of each, (n,).

    `carried` has the frames of each article where articles were coded as wholes; None means those of their paragraphs.
    `facts` say how the model scores articles. `coded` (n, k) says whether anybody decided about a frame, None that
    somebody always did: an article does not count for a frame that came after some of its paragraphs were coded, unless
    it carries the frame.
    """
    names, article = np.unique(articles.astype(str), return_inverse=True)
    order = np.argsort(article, kind="stable")
    scores, decisions, targets = scores[order], decisions[order], targets[order]
    coded = np.ones(targets.shape, dtype=bool) if coded is None else coded[order]
    sizes = np.bincount(article)
    begins = np.cumsum(sizes) - sizes
    of_articles = scores_of_articles(facts, scores, begins)
    carrying = (
        np.logical_or.reduceat(targets & coded, begins, axis=0)
        if carried is None
        else np.array([[frame in carried[name] for frame in frames] for name in names.tolist()])
    )
    known = carrying | np.logical_and.reduceat(coded, begins, axis=0)
    evaluation = evaluate(
        "whole articles",
        frames,
        of_articles,
        np.logical_or.reduceat(decisions, begins, axis=0)
        if facts is None
        else above_threshold(of_articles, [facts.cuts["balanced"]]),
        carrying,
        names.astype(object),
        weights=None if known.all() else known.astype(float),
    )
    counted = np.add.reduceat(coded.astype(float), begins, axis=0)
    annotated, decided = (
        np.add.reduceat((mask & coded).astype(float), begins, axis=0) / np.maximum(counted, 1)
        for mask in (targets, decisions)
    )
    # Articles without any paragraph on which somebody decided have no share.
    articles_with = np.maximum((counted > 0).sum(axis=0), 1)
    errors = np.abs(decided - annotated)
    shares = np.column_stack([part.sum(axis=0) / articles_with for part in (annotated, decided, errors)])
    return ArticleFigures(evaluation, tuple(ArticleShares(*row) for row in shares.tolist()))


def articles_rows(figures: ArticleFigures) -> list[list[str]]:
    """Returns the cells under `ARTICLES_HEAD`."""
    cells = [[share.annotated, share.decided, share.error] for share in figures.shares]
    means = np.mean(cells, axis=0).tolist()
    texts = [[f"{share:.0%}" for share in row] for row in (*cells, means)]
    return [[*row, *more] for row, more in zip(figures_rows(figures.evaluation), [*texts, [""] * 3], strict=True)]
