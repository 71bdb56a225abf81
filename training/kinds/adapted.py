"""The challenger that a user's annotations make of the base model, and its card.

Where the annotations carry a frame fewer than 30 times, the figures on the card are still those of the base: figures on
a handful of paragraphs would say nothing. The verdict compares both models on the user's held-out articles, if any.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
from scipy.special import expit
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from labels.agreement import agreement
from labels.annotations import CodedParagraph
from labels.codebook import Codebook
from labels.normalise import normalise
from training.challenger import Challenger, data_facts
from training.cross_validation import ReportProgress, left_out_decisions, no_progress
from training.dataset import Dataset, build_dataset, require_texts
from training.encoder.heads import Array, Heads
from training.encoder.vectors import VectorStore
from training.errors import TrainingDataError
from training.evaluation import OF_THE_BASE, Evaluation, evaluate, evaluate_baselines
from training.kinds.adaptation import Adapted, adapt, own_cuts
from training.kinds.learning import held_out_figures
from training.model_card import FEW_CARRYING, DataFacts, ModelCard, current_libraries
from training.pipeline import linear_pipeline, words_vectoriser
from training.registry.base import BaseModel
from training.registry.learned import digests_of, learned_by_base
from training.scoring.operating_points import above_threshold
from training.stances import evaluate_stances


def base_challenger(base: BaseModel, *, seed: int, note: str = "") -> Challenger:
    """Returns the base model as a challenger; trains nothing."""
    card = replace(base.card, seed=seed, note=note or base.card.note, libraries=current_libraries())
    pipeline = _pipeline(base, Heads(base.coefficients, base.intercepts), seed)
    return Challenger(pipeline, card, learned=learned_by_base(base.card.kind))


def require_articles(dataset: Dataset) -> None:
    """Raises `TrainingDataError` where fewer than two articles are left to learn from."""
    training = dataset.take(~dataset.held_out)
    require_texts(training)
    if len(set(training.articles)) < 2:
        raise TrainingDataError(
            "There are too few annotations to train: at least two articles outside the held-out articles are needed."
        )


def adapt_base(
    paragraphs: Sequence[CodedParagraph],
    codebook: Codebook,
    base: BaseModel,
    vectors: VectorStore,
    *,
    seed: int,
    note: str = "",
    progress: ReportProgress = no_progress,
    pull: float | None = None,
) -> Challenger:
    """Adapts the base to annotated paragraphs that it has not learned from, all but those of held-out articles.

    `pull` is how strongly the base holds the frames; None has cross-validation choose it.
    Raises `TrainingDataError` where they come from a single article.
    """
    dataset = build_dataset(paragraphs, codebook)
    require_articles(dataset)
    means = _vectors(base, list(dataset.texts), vectors, progress)
    held_out = dataset.held_out
    training, judged = dataset.take(~held_out), dataset.take(held_out)
    with threadpool_limits(limits=1):
        adapted = adapt(means[~held_out], training, base, progress, pull)
    progress("evaluate", 0.0)
    card = replace(_card(paragraphs, dataset, codebook, base, adapted), seed=seed, note=note)
    if _carried_often(training):
        card = _with_own_figures(card, training, judged, adapted, codebook)
        if len(judged):
            card = replace(card, held_out=held_out_figures(adapted.heads, adapted.cuts, means[held_out], judged))
    progress("evaluate", 1.0)
    learned = learned_by_base(base.card.kind) | digests_of(training.texts)
    return Challenger(_pipeline(base, adapted.heads, seed), card, adapted.left_out, learned)


def _vectors(base: BaseModel, texts: list[str], vectors: VectorStore, progress: ReportProgress) -> Any:
    """Returns what the heads of the base read of n paragraphs: (n, d), sparse for a model of words."""
    if base.terms is not None:
        return words_vectoriser(base.terms.words, base.terms.idf).transform(map(normalise, texts))
    return vectors.means(base.card.encoder_digest, texts, lambda share: progress("encode paragraphs", share))


def _pipeline(base: BaseModel, heads: Heads, seed: int) -> Pipeline:
    classifier = linear_pipeline(heads.coefficients, heads.intercepts, seed)
    if base.terms is None:
        return classifier
    return Pipeline([("features", words_vectoriser(base.terms.words, base.terms.idf)), *classifier.steps])


def _carried_often(training: Dataset) -> bool:
    """Whether the annotations carry every frame often enough for figures of their own."""
    return bool(training.targets.sum(axis=0).min() >= FEW_CARRYING)


def _card(
    paragraphs: Sequence[CodedParagraph], dataset: Dataset, codebook: Codebook, base: BaseModel, adapted: Adapted
) -> ModelCard:
    """Returns the card of the base with what adaptation changes, and its figures."""
    own = data_facts(paragraphs, dataset)
    alphas = {result.frame: result.alpha for result in agreement(paragraphs, codebook, resamples=1)}
    return replace(
        base.card,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        codebook_version=codebook.version,
        frames={frame.key: frame.title for frame in codebook.frames},
        data=data_of_both(base.card.data, own),
        hyperparameters=_hyperparameters(base, adapted, own),
        calibration=dict.fromkeys(dataset.frames, (1.0, 0.0)),
        cuts=adapted.cuts,
        folds=adapted.folds,
        agreement={key: base.card.agreement.get(key) if alpha is None else alpha for key, alpha in alphas.items()},
        left_out=_of_the_base(base.card.left_out),
        held_out=_of_the_base(base.card.held_out) if base.card.held_out else None,
        libraries=current_libraries(),
    )


def _of_the_base(evaluation: Evaluation) -> Evaluation:
    why = f"{OF_THE_BASE}: there are too few annotations to measure this model on"
    return replace(evaluation, how=f"{evaluation.how} ({why})")


def data_of_both(base: DataFacts, own: DataFacts) -> DataFacts:
    """Returns facts about the paragraphs of both; the digest is that of a user's own annotations."""
    return DataFacts(
        digest=own.digest,
        paragraphs=base.paragraphs + own.paragraphs,
        articles=base.articles + own.articles,
        sources=tuple(sorted({*base.sources, *own.sources})),
        held_out_articles=own.held_out_articles,
        unsettled=base.unsettled + own.unsettled,
        carrying={frame: count + base.carrying.get(frame, 0) for frame, count in own.carrying.items()},
        coders=own.coders,
        own_sources=own.sources,
        of_the_base=base.paragraphs,
    )


def _hyperparameters(base: BaseModel, adapted: Adapted, own: DataFacts) -> Mapping[str, Any]:
    pulls = {name: "the base itself" if np.isinf(pull) else pull for name, pull in adapted.pulls.items()}
    return {"base": base.card.created_at, "own_paragraphs": own.paragraphs, "pull": pulls}


def _with_own_figures(
    card: ModelCard, training: Dataset, judged: Dataset, adapted: Adapted, codebook: Codebook
) -> ModelCard:
    left_out, stances = adapted.left_out, card.stances_left_out
    if left_out.stances is not None and len(training.coded_stances[0]) >= FEW_CARRYING:
        stances = evaluate_stances(left_out.how, training, left_out.stances, left_out.folds)
    return replace(
        card,
        left_out=_left_out_figures(training, adapted),
        held_out=None,
        stances_left_out=stances,
        baselines=evaluate_baselines(training, judged if len(judged) else training, codebook),
    )


def _left_out_figures(training: Dataset, adapted: Adapted) -> Evaluation:
    """Returns figures on articles left out, at the base's thresholds or at those of the other folds."""
    scores = expit(adapted.left_out.logits)
    decisions = _decisions(adapted, scores, training.frames)
    own = own_cuts(training)
    decisions[:, own] = left_out_decisions(training, adapted.left_out, scores)[:, own]
    return evaluate(
        adapted.left_out.how,
        training.frames,
        scores,
        decisions,
        training.targets,
        training.articles,
        weights=training.weights,
    )


def _decisions(adapted: Adapted, scores: Array, frames: Sequence[str]) -> Any:
    return above_threshold(scores, [adapted.cuts["balanced"][frame] for frame in frames])
