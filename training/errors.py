"""Errors of training and of the model registry, on the tree of `labels.errors`.

FramingError
├── TrainingDataError         too few annotated paragraphs to train or judge a frame
├── UnusedHyperparametersError  training has no use for hyperparameters that it was given; carries the field
├── FineTuningError           an encoder cannot be fine-tuned here
├── ValidationDataError       a model cannot be validated on some annotations
├── RegressionError           the coefficients of a regression are not determined
├── RegistryError             the registry refuses an operation
│   ├── NoSuchVersionError        no model version has that name
│   ├── NoChampionError           no version has been promoted yet
│   ├── VerdictError              the verdict of a version is against promoting it
│   └── ChampionChangedError      another version became champion after a verdict
├── ModelFileError            a stored model is damaged, tampered with, foreign or of other libraries
├── ScoringStoppedError       nobody waits for the scores any longer
│   └── ScoringTooSlowError       scoring took longer than a request may take
├── OutboundError             a connection to another machine failed
│   └── OutboundRefusedError      it would go where the operator has not allowed it
└── StorageError              the place of the models does not answer
"""

from collections.abc import Sequence

from labels.errors import FramingError


class TrainingDataError(FramingError):
    """The annotations do not suffice to train a model."""


class UnusedHyperparametersError(FramingError):
    """Training has no use for hyperparameters that it was given; `field` names the first."""

    def __init__(self, names: Sequence[str], kind: str) -> None:
        super().__init__(
            f"A model of the kind {kind} does not use {', '.join(names)}: hyperparameters are for the kind words. "
            "Leave them out, or train that kind."
        )
        self.field = f"hyperparameters/{names[0]}"


class FineTuningError(FramingError):
    """An encoder cannot be fine-tuned here."""


class ValidationDataError(FramingError):
    """A model cannot be validated on some annotations."""


class RegressionError(FramingError):
    """A regression has no estimate: of some annotations and variables, its coefficients are not determined."""


class RegistryError(FramingError):
    """The registry refuses an operation."""


class NoSuchVersionError(RegistryError):
    """No model version has that name."""

    def __init__(self, version: str) -> None:
        super().__init__(f"There is no model version '{version}'.")


class NoChampionError(RegistryError):
    """No model version has been promoted yet."""

    def __init__(self) -> None:
        super().__init__("No model has been promoted yet: train one with `framing train`.")


class VerdictError(RegistryError):
    """The version's verdict is negative."""

    def __init__(self, version: str, reason: str) -> None:
        super().__init__(f"The verdict is against promoting '{version}': {reason} Overrule it with force.")


class ChampionChangedError(RegistryError):
    """Another version became champion after a verdict was reached."""

    def __init__(self, version: str, judged_against: str) -> None:
        super().__init__(
            f"'{version}' was judged against '{judged_against}', which is no longer the champion: train again, or "
            "promote it by hand."
        )


class ModelFileError(FramingError):
    """A stored model cannot be trusted or read."""


class ScoringStoppedError(FramingError):
    """Nobody waits for the scores any longer."""

    def __init__(self, detail: str = "The client left before the article was scored.") -> None:
        super().__init__(detail)


class ScoringTooSlowError(ScoringStoppedError):
    """Scoring took longer than a request may take."""

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"Scoring the article was stopped after {seconds:g} seconds: send it in parts, or again when the service "
            "has less to do."
        )


class OutboundError(FramingError):
    """A connection to another machine failed, or its answer is not acceptable."""


class OutboundRefusedError(OutboundError):
    """A connection would go where the operator has not allowed it."""


class StorageError(FramingError):
    """The folder or URL where files are stored cannot be used."""
