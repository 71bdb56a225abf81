"""A model card under the keys that a codebook gives its frames today."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

from labels.codebook import Codebook
from training.evaluation import Evaluation
from training.model_card import FoldFacts, ModelCard

V = TypeVar("V")


def keys_today(card: ModelCard, codebook: Codebook) -> tuple[str, ...]:
    """Returns the keys of a model's frames today, in the order of its columns; a frame that is gone has its old key."""
    return tuple(codebook.current_keys.get(key, key) for key in card.frame_keys)


def renamed_card(card: ModelCard, codebook: Codebook) -> ModelCard:
    """Returns the card with today's keys and titles of frames that were renamed since the model was trained."""
    today = dict(zip(card.frame_keys, keys_today(card, codebook), strict=True))
    if all(former == key for former, key in today.items()):
        return card
    titles = {frame.key: frame.title for frame in codebook.frames}
    stances = card.stances_left_out
    return replace(
        card,
        frames={today[key]: titles.get(today[key], title) for key, title in card.frames.items()},
        data=replace(card.data, carrying=_renamed(card.data.carrying, today)),
        calibration=_renamed(card.calibration, today),
        cuts={point: _renamed(cuts, today) for point, cuts in card.cuts.items()},
        left_out=_evaluation(card.left_out, today),
        held_out=_evaluation(card.held_out, today) if card.held_out else None,
        baselines=tuple(_evaluation(baseline, today) for baseline in card.baselines),
        agreement=_renamed(card.agreement, today),
        stances_left_out=replace(stances, frames=_renamed(stances.frames, today)) if stances else None,
        folds=FoldFacts(tuple(_renamed(fold, today) for fold in card.folds.thresholds)) if card.folds else None,
    )


def _renamed(by_frame: Mapping[str, V], today: Mapping[str, str]) -> dict[str, V]:
    return {today.get(frame, frame): value for frame, value in by_frame.items()}


def _evaluation(evaluation: Evaluation, today: Mapping[str, str]) -> Evaluation:
    figures = tuple(replace(figure, frame=today.get(figure.frame, figure.frame)) for figure in evaluation.frames)
    return replace(evaluation, frames=figures)
