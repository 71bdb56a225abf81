"""Judging a challenger against the champion on the user's own paragraphs, each scored by models that never saw it.

A model with fold models judges each paragraph by the one that was refitted without its article, at the threshold that
was fitted without it. The folds of the articles are the same in every version, so what stands in for champion and
challenger has not seen the same articles: both recipes on the same folds, each with the annotations that it had.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from labels.wording import counted
from training.challenger import Challenger
from training.dataset import Dataset
from training.fold_models import of_own_fold, thresholds_of_own_fold
from training.model_card import ModelCard
from training.promotion import Verdict, compare, first_model_verdict
from training.registry.learned import Digests, has_learned
from training.scoring.frame_model import FrameModel
from training.scoring.operating_points import above_threshold


def judge(
    challenger: Challenger,
    champion: FrameModel | None,
    paragraphs: Dataset,
    *,
    current_keys: Mapping[str, str] | None = None,
    champion_learned: Digests = frozenset(),
    base: ModelCard | None = None,
) -> Verdict:
    """Compares a challenger with the champion on n annotated paragraphs, on the frames that both have.

    `current_keys` has today's key of frames that were renamed since the champion was trained. `champion_learned` are
    the digests of the texts that it learned from. Of a model without fold models only paragraphs count that it has not
    seen: those of held-out articles, and for the champion all from which it did not learn. The verdict names the
    figures of `base`, which were measured on other texts.
    """
    if champion is None:
        return first_model_verdict()
    of_champion = {(current_keys or {}).get(key, key): key for key in champion.card.frames}
    both = [frame for frame in paragraphs.frames if frame in of_champion]
    judged = paragraphs.take(_unseen(challenger, champion, paragraphs, champion_learned))
    columns = [judged.frames.index(frame) for frame in both]
    # What nobody decided about is neither a hit nor a false alarm of either model.
    coded = judged.coded[:, columns]
    verdict = compare(
        champion.card.version,
        both,
        judged.targets[:, columns],
        _decisions(champion, judged, [of_champion[frame] for frame in both]) & coded,
        _decisions(FrameModel.of(challenger.pipeline, challenger.card), judged, both) & coded,
        judged.articles,
        left_out_frames=sorted(set(judged.frames) ^ set(of_champion)),
    )
    return verdict if base is None else replace(verdict, base=_figures_of(base))


def _unseen(
    challenger: Challenger, champion: FrameModel, paragraphs: Dataset, champion_learned: Digests
) -> NDArray[np.bool_]:
    """Whether both models have one that has not seen each of n paragraphs, (n,)."""
    unseen = np.ones(len(paragraphs), dtype=bool)
    if challenger.card.folds is None:
        unseen &= paragraphs.held_out
    if champion.card.folds is None:
        learned = np.array([has_learned(champion_learned, text) for text in paragraphs.texts], dtype=bool)
        unseen &= paragraphs.held_out | ~learned
    return unseen


def _decisions(model: FrameModel, judged: Dataset, frames: Sequence[str]) -> NDArray[np.bool_]:
    """Returns decisions (n, k) without "uncertain" on k frames, by models that have not seen the n paragraphs."""
    columns, facts = [model.frames.index(frame) for frame in frames], model.card.folds
    scored = model.score_with_stances(list(judged.texts))
    if facts is None or scored.folds is None:
        return above_threshold(scored.frames[:, columns], [model.card.cuts["balanced"][frame] for frame in frames])
    articles = judged.articles.tolist()
    scores = of_own_fold(scored.folds, articles)[:, columns]
    return np.asarray(scores >= thresholds_of_own_fold(facts, frames, articles))


def _figures_of(base: ModelCard) -> str:
    """Says how good the base is on the texts that it was measured on."""
    figures = base.held_out or base.left_out
    return (
        f"The base model on its own texts ({figures.how}): macro F1 {figures.macro.f1.value or 0:.3f} on "
        f"{counted(figures.paragraphs, 'paragraph')} of {counted(figures.articles, 'article')}. These "
        "texts are not shipped, so neither model was compared there."
    )
