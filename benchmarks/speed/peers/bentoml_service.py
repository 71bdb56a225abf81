"""BentoML with batching, which is its fastest setting.

PIPELINE=models/versions/v1/pipeline.joblib bentoml serve benchmarks.speed.peers.bentoml_service:Frames
"""

import os
from typing import Any

import bentoml
import joblib
import numpy as np


@bentoml.service(workers=1)
class Frames:
    """A service of the pipeline in the champion's file."""

    def __init__(self) -> None:
        self.pipeline: Any = joblib.load(os.environ["PIPELINE"])

    @bentoml.api(batchable=True, max_batch_size=256, max_latency_ms=1000)  # type: ignore[untyped-decorator]
    def predict(self, paragraphs: list[str]) -> np.ndarray:
        """Scores, shape (paragraphs, frames)."""
        return np.asarray(self.pipeline.predict_proba(paragraphs))
