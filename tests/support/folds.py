"""Models as earlier versions made them, without fold models."""

import copy
from dataclasses import replace

import numpy as np

from training.challenger import Challenger


def without_fold_models(challenger: Challenger) -> Challenger:
    """The challenger without the columns of its fold models, which are the last of a model of words."""
    frames, folds = len(challenger.card.frames), challenger.card.folds
    assert folds is not None
    pipeline = copy.deepcopy(challenger.pipeline)
    classifier = pipeline.named_steps["frames"]
    classifier.estimators_ = classifier.estimators_[: -frames * len(folds.thresholds)]
    classifier.label_binarizer_.fit(np.eye(2, len(classifier.estimators_), dtype=int))
    return replace(challenger, pipeline=pipeline, card=replace(challenger.card, folds=None))
