"""The settings of fine-tuning runs. The shipped encoders were made with the recipes below."""

from dataclasses import dataclass

from training.model_card import EncoderKind


@dataclass(frozen=True, slots=True)
class Recipe:
    """Settings of a fine-tuning run. Shares are from 0 to 1."""

    epochs: int = 2
    batch: int = 32
    learning_rate: float = 3e-5
    # The heads start from nothing and move much faster than the pretrained weights.
    head_learning_rate: float = 2e-3
    # Share of the steps in which the learning rate rises; it falls to 0 in the others.
    warmup: float = 0.04
    weight_decay: float = 0.01
    # Dropout of hidden states. Attention has none: it would double the time of a step on a CPU.
    dropout: float = 0.1
    # Evenly spaced layers of the base that remain; None for all of them.
    layers: int | None = None
    # Subwords that the vocabulary is cut to.
    most_subwords: int = 25_000
    frozen_words: bool = True
    # Number of lowest layers that do not learn; from 1 on, the positions do not learn either.
    frozen_layers: int = 2
    # The rest of a longer paragraph is not learned from.
    most_tokens: int = 162
    # Share of the paragraphs in which names of states and armed groups are swapped.
    swapped: float = 0.15
    # Weight of the loss of the stances; that of the frames is 1.
    stance_weight: float = 0.5
    # Paragraphs of the written corpus that are drawn for each epoch.
    written: int = 500
    # What is added to the weight of 1 with which a written paragraph is drawn.
    written_rarest_frame: float = 3.0
    written_contested: float = 2.0
    # Share of the chosen paragraphs certainly without a frame that each epoch leaves out.
    easy_skipped: float = 0.4
    # Share of a teacher's score in the target of a frame in an annotated paragraph.
    teacher_share: float = 0.5
    # Matrix products in bfloat16: twice as fast on processors that have it.
    bfloat16: bool = True
    seed: int = 1


# A further epoch of an encoder of our own, which has learned the frames already.
FURTHER = Recipe(epochs=1, learning_rate=2e-5, head_learning_rate=3e-4, warmup=0.05, swapped=0.5, written=400)
# A small encoder: all of it learns, faster, and from fewer subwords.
SMALL = Recipe(learning_rate=1.5e-4, frozen_words=False, frozen_layers=0, swapped=0.5, most_subwords=14_000)


def recipe_for(kind: EncoderKind, *, further: bool) -> Recipe:
    """Returns the recipe of an encoder of a kind; `further` says that it has learned the frames already."""
    if further:
        return FURTHER
    return SMALL if kind == "encoder-small" else Recipe()
