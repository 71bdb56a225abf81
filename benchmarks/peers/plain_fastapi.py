"""FastAPI with `predict_proba` in a plain `def`, and an echo without a model: what most people would write.

PIPELINE=models/versions/v1/pipeline.joblib uvicorn benchmarks.peers.plain_fastapi:app
"""

import os
from typing import Any

import joblib
from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()
_pipeline: Any = joblib.load(os.environ["PIPELINE"]) if os.environ.get("PIPELINE") else None


class Paragraphs(BaseModel):
    """Paragraphs that somebody has cut already."""

    paragraphs: list[str]


class Scores(BaseModel):
    """A row a paragraph, a column a frame."""

    scores: list[list[float]]


class Echo(BaseModel):
    """What was sent."""

    paragraphs: list[str]


@app.post("/predict")
def predict(request: Paragraphs) -> Scores:
    """Scores of the paragraphs."""
    return Scores(scores=_pipeline.predict_proba(request.paragraphs).tolist())


@app.post("/echo")
def echo(request: Paragraphs) -> Echo:
    """The paragraphs as they came."""
    return Echo(paragraphs=request.paragraphs)


@app.get("/ready")
def ready() -> dict[str, str]:
    """Whether it answers."""
    return {"status": "ok"}
