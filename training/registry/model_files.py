"""The files of a model version: their names, the compiled form, and the libraries that a pickle needs."""

from typing import TYPE_CHECKING

from training.errors import ModelFileError, RegistryError
from training.model_card import ModelCard, current_libraries
from training.scoring.compilation import TOLERANCE, agrees, compile_pipeline, read_scorer

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

PIPELINE_FILE, SCORER_FILE, CARD_FILE = "pipeline.joblib", "scorer.npz", "card.json"

_MUST_MATCH = ("scikit-learn", "numpy")


def compiled_form(pipeline: "Pipeline", card: ModelCard) -> bytes:
    """Returns the file of the compiled form of a pipeline; empty where it cannot be compiled.

    Raises `RegistryError` where it scores differently from the pipeline, `ModelFileError` where it cannot serve here.
    """
    scorer = compile_pipeline(pipeline, len(card.frames), card.encoder_digest)
    if scorer is None:
        return b""
    scorer.prepare()
    content = scorer.to_bytes()
    if not agrees(read_scorer(content), pipeline):
        raise RegistryError(
            f"The compiled form of this model differs from its pipeline by more than {TOLERANCE:g} in its scores, so "
            "it was not registered."
        )
    return content


def require_libraries(card: ModelCard) -> None:
    """Raises `ModelFileError` where a library has another minor version, which may change what a pipeline computes."""
    here = current_libraries()
    for name in _MUST_MATCH:
        stored, installed = card.libraries.get(name, "unknown"), here[name]
        if stored.split(".")[:2] != installed.split(".")[:2]:
            raise ModelFileError(
                f"Model '{card.version}' was trained with {name} {stored} and {installed} is installed: "
                "train it again or install that version."
            )
