"""Hyperparameters in a request and in the settings, derived from `training.hyperparameters`."""

from dataclasses import Field as DataclassField
from dataclasses import fields
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

from pydantic import Field, create_model

from service.schemas.fields import WHOLE, Strict
from training.hyperparameters import Hyperparameters

# Checks of JSON numbers in addition to the bounds: 3.0 is the whole number 3, and NaN is rejected.
_CHECKS: dict[type, Any] = {int: WHOLE, float: Field(allow_inf_nan=False)}


def _optional(field: "DataclassField[Any]", hint: Any, kind: type) -> tuple[Any, Any]:
    """A hyperparameter as a field of a request: its type, and its default (None) with its description."""
    checked = Annotated[hint, _CHECKS[kind]] if kind in _CHECKS else hint
    return checked | None, Field(None, description=field.metadata["description"])


def _request_fields() -> dict[str, Any]:
    kinds, hints = get_type_hints(Hyperparameters), get_type_hints(Hyperparameters, include_extras=True)
    return {field.name: _optional(field, hints[field.name], kinds[field.name]) for field in fields(Hyperparameters)}


if TYPE_CHECKING:

    class HyperparametersRequest(Strict):
        """Only for type checkers; the fields are those of `Hyperparameters`, all optional."""

else:
    HyperparametersRequest = create_model(
        "HyperparametersRequest",
        __base__=Strict,
        __module__=__name__,
        __doc__="Hyperparameters. Those that are left out are taken from the settings, else from the defaults.",
        **_request_fields(),
    )


def chosen(*requests: HyperparametersRequest) -> Hyperparameters:
    """Merges requests, of which later values override earlier values; the rest are defaults."""
    values: dict[str, Any] = {}
    for request in requests:
        values |= request.model_dump(exclude_none=True)
    return Hyperparameters(**values)
