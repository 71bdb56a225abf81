"""The shipped base and a codebook that gives its frames other keys."""

from dataclasses import replace

import numpy as np

from training.evaluation import Evaluation
from training.kinds.wanted import kind_to_train
from training.registry.base import base_for
from training.registry.card import card_to_json

FORMER, KEY = "foreign_hand", "outside_powers"


def renamed(codebook, title="Outside powers"):
    frames = tuple(
        replace(frame, key=KEY, title=title, formerly=(FORMER,)) if frame.key == FORMER else frame
        for frame in codebook.frames
    )
    return replace(codebook, frames=frames)


def test_the_base_serves_a_codebook_that_renames_a_frame_under_its_new_key(codebook):
    shipped, base = base_for(codebook), base_for(renamed(codebook))
    assert base is not None
    assert base.card.frame_keys == renamed(codebook).keys
    assert base.card.frames[KEY] == "Outside powers"
    assert np.array_equal(base.coefficients, shipped.coefficients)
    assert kind_to_train("auto", None, renamed(codebook)) == "encoder"
    assert base_for(replace(codebook, frames=tuple(replace(f, key=f"x_{f.key}") for f in codebook.frames))) is None


def test_every_figure_of_a_renamed_frame_stands_under_its_new_key(codebook):
    shipped, base = base_for(codebook).card, base_for(renamed(codebook)).card
    assert FORMER in card_to_json(shipped)
    assert f'"{FORMER}"' not in card_to_json(base)
    assert base.data.carrying[KEY] == shipped.data.carrying[FORMER]
    assert base.cuts["balanced"][KEY] == shipped.cuts["balanced"][FORMER]
    assert figure(base.left_out, KEY).f1 == figure(shipped.left_out, FORMER).f1
    assert base.stances_left_out.frames[KEY] == shipped.stances_left_out.frames[FORMER]


def figure(evaluation: Evaluation, frame: str):
    (figures,) = [entry for entry in evaluation.frames if entry.frame == frame]
    return figures
