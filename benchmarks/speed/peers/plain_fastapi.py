"""FastAPI with `predict_proba` in a plain `def`, as most people would write it, and an echo without a model.

PIPELINE=models/versions/v1/pipeline.joblib uvicorn benchmarks.speed.peers.plain_fastapi:app
"""

import os
from typing import Any

import joblib
from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()
_pipeline: Any = joblib.load(os.environ["PIPELINE"]) if os.environ.get("PIPELINE") else None


class Paragraphs(BaseModel):
    """The paragraphs of an article."""

    paragraphs: list[str]


class Scores(BaseModel):
    """Scores, shape (paragraphs, frames)."""

    scores: list[list[float]]


class Echo(BaseModel):
    """The paragraphs of the request."""

    paragraphs: list[str]


@app.post("/predict")
def predict(request: Paragraphs) -> Scores:
    """Scores of the paragraphs."""
    return Scores(scores=_pipeline.predict_proba(request.paragraphs).tolist())


@app.post("/echo")
def echo(request: Paragraphs) -> Echo:
    """Returns the paragraphs of the request."""
    return Echo(paragraphs=request.paragraphs)


@app.get("/ready")
def ready() -> dict[str, str]:
    """Answers once the server has started."""
    return {"status": "ok"}
