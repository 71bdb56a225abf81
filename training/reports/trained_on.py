"""Paragraphs that a model learned from are no test of it: they are refused, left out, or judged on and said so.

The annotations of stored articles are another matter: there, those that it learned from are scored by the fold model
that has not seen their article.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

import numpy as np

from labels.annotations import CodedParagraph
from labels.wording import counted
from training.errors import ValidationDataError
from training.fold_models import of_own_fold, thresholds_of_own_fold
from training.registry.learned import Digests, has_learned
from training.reports.coded_files import CodedArticle, DescribedParagraph, Text
from training.scoring.frame_model import FrameModel
from training.validation import Judged, score_in_parts

Entry = TypeVar("Entry")
TrainedOn = Literal["refuse", "leave-out", "judge"]
# Paragraphs that the error names.
_NAMED = 5


@dataclass(frozen=True, slots=True)
class Screen:
    """The digests of what a model learned from, and what to do with such paragraphs.

    With `cross-validate`, fold models score them and all paragraphs of the `articles` that it learned from.
    """

    learned: Digests = frozenset()
    choice: TrainedOn | Literal["cross-validate"] = "refuse"
    articles: frozenset[str] = frozenset()

    def knows(self, text: str, article: str = "") -> bool:
        """Whether the model learned from a paragraph."""
        return has_learned(self.learned, text) or article in self.articles


@dataclass(frozen=True, slots=True)
class Screened:
    """What is left to judge a model on.

    `left_out` counts the paragraphs that it learned from and that are left out, `judged` those that are not.
    """

    described: tuple[DescribedParagraph, ...]
    articles: tuple[CodedArticle, ...] = ()
    other: tuple[Text, ...] = ()
    left_out: int = 0
    judged: int = 0


def screened(
    screen: Screen,
    described: Sequence[DescribedParagraph],
    articles: Sequence[CodedArticle] = (),
    other: Sequence[Text] = (),
) -> Screened:
    """Returns what is left of coded paragraphs, whole articles and other news.

    Raises `ValidationDataError` where paragraphs that the model learned from are refused, or where nothing is left of
    the coded ones.
    """
    new, learned = _parted(described, lambda row: screen.knows(row.paragraph.text))
    new_articles, learned_articles = _parted(articles, lambda a: any(screen.knows(p.text) for p in a.paragraphs))
    new_other, learned_other = _parted(other, lambda entry: screen.knows(entry.text))
    count = len(learned) + sum(len(a.paragraphs) for a in learned_articles) + len(learned_other)
    if screen.choice == "refuse":
        _require_none([_place(row.paragraph) for row in learned], len(described), "paragraphs")
        _require_none([f"article {a.article}" for a in learned_articles], len(articles), "whole articles")
        _require_none([f"article {e.article}" for e in learned_other], len(other), "paragraphs of other news")
    if screen.choice != "leave-out":
        judged = count if screen.choice == "judge" else 0
        return Screened(tuple(described), tuple(articles), tuple(other), judged=judged)
    if learned and not new:
        raise ValidationDataError(
            f"The model learned from all of these paragraphs ({len(learned):,}), so none is left to judge it on."
        )
    return Screened(new, new_articles, new_other, left_out=count)


def _parted(entries: Sequence[Entry], is_learned: Callable[[Entry], bool]) -> tuple[tuple[Entry, ...], list[Entry]]:
    """Returns the entries that the model did not learn from, and those that it learned from."""
    marks = [is_learned(entry) for entry in entries]
    learned = [entry for entry, mark in zip(entries, marks, strict=True) if mark]
    return tuple(entry for entry, mark in zip(entries, marks, strict=True) if not mark), learned


def unseen_paragraphs(screen: Screen, paragraphs: Sequence[CodedParagraph]) -> Screened:
    """Like `screened`, for coded paragraphs of which nothing else is known."""
    return screened(screen, list(map(DescribedParagraph, paragraphs)))


def cross_validated(model: FrameModel, judged: Judged, screen: Screen) -> Judged:
    """Returns judged paragraphs in which fold models score what the model learned from.

    Of a model without fold models, these are left out.
    """
    if screen.choice != "cross-validate":
        return judged
    pairs = [(settled.paragraph.text, settled.paragraph.article) for settled in judged.gold]
    learned = np.array([screen.knows(*pair) for pair in pairs], dtype=np.bool_)
    if not learned.any():
        return judged
    if model.card.folds is None:
        if learned.all():
            raise ValidationDataError(
                f"The model learned from all annotated paragraphs ({len(learned):,}), and it was trained before models "
                "had fold models, which judge it on them: train it again, or annotate more paragraphs."
            )
        return judged.take(~learned)
    rows = np.flatnonzero(learned)
    by_fold = score_in_parts(model, [pairs[row][0] for row in rows]).folds
    scores, thresholds = judged.scores.copy(), np.full(judged.scores.shape, np.nan)
    articles = [pairs[row][1] for row in rows]
    if by_fold is not None:
        scores[rows] = of_own_fold(by_fold, articles)
        thresholds[rows] = thresholds_of_own_fold(model.card.folds, judged.frames, articles)
    return replace(judged, scores=scores, cross_validated=learned, fold_thresholds=thresholds)


def trained_on_note(left_out: int, judged: int) -> str | None:
    """Says what became of the paragraphs that the model learned from; None where there are none."""
    if left_out:
        verb = "was" if left_out == 1 else "were"
        return f"{counted(left_out, 'paragraph')} that the model learned from {verb} left out."
    if judged:
        verb = "counts" if judged == 1 else "count"
        what = f"{counted(judged, 'paragraph')} that the model learned from"
        return f"{what} {verb} in these figures, which are too good by that."
    return None


def _require_none(places: Sequence[str], total: int, what: str) -> None:
    if not places:
        return
    more = f" and {len(places) - _NAMED:,} more" if len(places) > _NAMED else ""
    raise ValidationDataError(
        f"The model learned from {len(places):,} of these {total:,} {what}, so figures on them would be too good: "
        f"{'; '.join(places[:_NAMED])}{more}. Leave them out with --trained-on leave-out, or judge on them all the "
        "same with --trained-on judge, which the figures will say."
    )


def _place(paragraph: CodedParagraph) -> str:
    return f"article {paragraph.article}, paragraph {paragraph.index}"
