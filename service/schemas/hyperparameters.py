"""What may be tuned of a model, in a request and in the settings."""

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from service.schemas.fields import WHOLE, Strict

if TYPE_CHECKING:
    from training.pipeline import Hyperparameters

_Share = Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)]


class HyperparametersRequest(Strict):
    """What may be tuned; left out, that of the settings holds, and without one the default."""

    regularisation: Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)] | None = Field(
        None, description="A larger one fits the annotations closer."
    )
    min_df: Annotated[int, Field(ge=1, le=100), WHOLE] | None = Field(
        None, description="Fewest paragraphs that a word must occur in."
    )
    ngrams: Annotated[int, Field(ge=1, le=3), WHOLE] | None = Field(
        None, description="Longest run of words that counts as one term."
    )
    characters: Annotated[int, Field(ge=0, le=8), WHOLE] | None = Field(
        None, description="Longest run of characters that counts; 0 or 1: none. With such a model has no evidence."
    )
    forms: _Share | None = Field(None, description="How much words share with the other forms of the same word.")
    concepts: _Share | None = Field(None, description="How much words share with those of their concept.")
    contrast: _Share | None = Field(None, description="How much it counts that a word occurs unevenly.")
    names: bool | None = Field(None, description="Whether proper names are learned too.")


def chosen(*requests: HyperparametersRequest) -> "Hyperparameters":
    """What is given by the requests, where a later one counts more, and the defaults for the rest."""
    from training.pipeline import Hyperparameters  # noqa: PLC0415 - it brings scikit-learn, which serving needs not

    given: dict[str, Any] = {}
    for request in requests:
        given |= request.model_dump(exclude_none=True)
    return Hyperparameters(**given)
