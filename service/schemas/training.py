"""Requests and answers about training runs."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, Field

from service.schemas.fields import WHOLE, Name, Strict, Text
from service.schemas.hyperparameters import HyperparametersRequest
from service.store.training_runs import RunRequest
from service.store.training_runs import State as RunState
from training.hyperparameters import Pull, WantedKind


class TrainingRunRequest(Strict):
    """What to train on and how; every field is optional."""

    note: Text = Field("", max_length=2000, json_schema_extra={"pattern": r"^[^\u0000]*$"})
    seed: Annotated[int, Field(ge=0, le=2**31 - 1), WHOLE] | None = Field(
        None, description="The same data and seed give the same scores."
    )
    hyperparameters: HyperparametersRequest = Field(default_factory=HyperparametersRequest)
    kind: WantedKind | None = Field(None, description="Kind of model; null: that of the settings.")
    include_corpus: bool = Field(
        True,
        description="Whether to train on the corpus of the settings as well. A model that adapts the shipped encoder "
        "ignores the shipped corpus: the shipped model has learned from a sample of it, and real news is harder.",
    )
    pull: Annotated[Pull, Field(allow_inf_nan=False)] | None = Field(
        None,
        description="How strongly the shipped model holds its weights while it learns from your annotations; null: "
        "that of the settings, else what cross-validation on your annotations chooses. The run logs it. Of no use "
        "where a model is learned from nothing.",
    )
    coders: list[Name] | None = Field(
        None, min_length=1, max_length=1000, description="Only the annotations of these coders."
    )

    def run_request(self) -> RunRequest:
        """The request as it is stored with the run."""
        chosen = self.hyperparameters.model_dump(exclude_none=True)
        return RunRequest(**{**self.model_dump(), "hyperparameters": chosen})


class TrainingRunAnswer(BaseModel):
    """A training run. `verdict` and `label_diff` are null until their steps are done."""

    id: str
    state: RunState
    step: str
    progress: float = Field(ge=0, le=1)
    request: RunRequest
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    annotations: int | None = Field(
        description="Number of paragraphs annotated here in the snapshot on which the run trains."
    )
    corpus_paragraphs: int | None = Field(
        description="Number of paragraphs of the corpus in that snapshot. Null for a run of an earlier version, whose "
        "`annotations` counts both."
    )
    annotations_digest: str | None
    version: str | None
    verdict: dict[str, Any] | None = Field(
        description="Whether to promote, the reason, and the figures of both models."
    )
    label_diff: dict[str, Any] | None = Field(description="Stored paragraphs whose decisions would change, by frame.")
    promoted: bool | None
    outcome: str = Field(
        description="What became of the run, in a sentence: a run that succeeded need not have changed the champion."
    )
    error: str | None
    log: list[str]


class TrainingRunList(BaseModel):
    """A page of runs; `next` is the cursor of the following page, null on the last."""

    training_runs: list[TrainingRunAnswer]
    next: str | None = None
