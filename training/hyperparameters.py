"""The hyperparameters of the pipeline: their defaults, bounds and descriptions. Requests and settings derive from them.

Servers read this module, so it imports nothing of scikit-learn.
"""

from dataclasses import asdict, dataclass, field
from typing import Annotated, Any, Literal, TypeAlias

from annotated_types import Ge, Gt, Le

# The kinds of model: a transformer that reads words in context, a smaller and faster transformer, or TF-IDF of words.
EncoderKind: TypeAlias = Literal["encoder", "encoder-small"]
Kind: TypeAlias = Literal[EncoderKind, "words"]
# The kind of model to train; `auto` leaves it to `training.kinds.choice`.
WantedKind: TypeAlias = Literal["auto", Kind]

# What training starts from: the shipped base model of the kind where it knows the frames, or nothing.
Start: TypeAlias = Literal["base", "nothing"]

# How strongly the weights of a base model hold its heads while they learn from a user's annotations.
Pull: TypeAlias = Annotated[float, Gt(0), Le(1_000_000)]

_Weight: TypeAlias = Annotated[float, Ge(0), Le(10)]


@dataclass(frozen=True, slots=True)
class Hyperparameters:
    """What may be tuned. Requests and settings are checked against these bounds; the dataclass itself checks nothing.

    `regularisation` is scikit-learn's C. `contrast` is the power of the log-ratio that scales columns (see
    `training.pipeline`). For `forms`, `concepts` and `contrast`, 0 turns the effect off. A model of `characters` above
    1 is compiled too, but explains nothing.
    """

    regularisation: Annotated[float, Gt(0), Le(1000)] = field(
        default=5.0, metadata={"description": "A larger value fits the annotations closer."}
    )
    min_df: Annotated[int, Ge(1), Le(100)] = field(
        default=1, metadata={"description": "Fewest paragraphs that a word must occur in."}
    )
    ngrams: Annotated[int, Ge(1), Le(3)] = field(
        default=1, metadata={"description": "Longest run of words that counts as a single term."}
    )
    characters: Annotated[int, Ge(0), Le(8)] = field(
        default=0,
        metadata={
            "description": "Longest run of characters that counts as a term; 0 or 1: none. "
            "A model with such terms has no evidence."
        },
    )
    forms: _Weight = field(
        default=0.7, metadata={"description": "How much words share with the other forms of the same word."}
    )
    concepts: _Weight = field(
        default=0.4, metadata={"description": "How much words share with those of their concept."}
    )
    contrast: _Weight = field(default=0.2, metadata={"description": "How much it counts that a word occurs unevenly."})
    names: bool = field(default=False, metadata={"description": "Whether proper names are learned too."})

    def as_dict(self) -> dict[str, Any]:
        """The hyperparameters by name, as the model card stores them."""
        return asdict(self)
