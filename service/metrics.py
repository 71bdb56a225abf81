"""Prometheus metrics, named by its rules; no label takes more values than there are routes or frames.

Server processes of one `framing serve` add theirs up through files in the folder that PROMETHEUS_MULTIPROC_DIR names,
so that it does not matter which of them is asked.
"""

import os
import re
import time
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from training.scoring.classification import ArticleFrame


def product_version() -> str:
    try:
        return version("media-framing")
    except PackageNotFoundError:
        return "0"


class Metrics:
    """All metrics of one application."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        """What the processes of one server add up."""
        self.own = CollectorRegistry()
        """What is of this process alone."""
        ProcessCollector(registry=self.own)
        self.requests = Counter(
            "framing_http_requests", "Requests answered.", ["method", "route", "status"], registry=self.registry
        )
        self.duration = Histogram(
            "framing_http_request_duration_seconds", "Time to answer.", ["method", "route"], registry=self.registry
        )
        self.in_progress = Gauge(
            "framing_http_requests_in_progress",
            "Requests at work.",
            registry=self.registry,
            multiprocess_mode="livesum",
        )
        self.paragraphs = Counter("framing_paragraphs_scored", "Paragraphs scored.", registry=self.registry)
        self.decisions = Counter(
            "framing_decisions", "Decisions on paragraphs.", ["frame", "decision"], registry=self.registry
        )
        self.model_refusals = Counter(
            "framing_model_refusals", "Champions that could not be loaded.", registry=self.registry
        )
        self.champion = Info("framing_champion", "The model in use.", registry=self.own)
        Info("framing_build", "This program.", registry=self.own).info({"version": product_version()})

    def count(self, paragraphs: int, article: Mapping[str, ArticleFrame]) -> None:
        """Counts the decisions on the paragraphs of an article."""
        self.paragraphs.inc(paragraphs)
        for frame, found in article.items():
            absent = paragraphs - found.paragraphs - found.uncertain
            decided = (("present", found.paragraphs), ("uncertain", found.uncertain), ("absent", absent))
            for decision, count in decided:
                if count:
                    self.decisions.labels(frame, decision).inc(count)

    def exposition(self) -> bytes:
        folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
        registry = self.registry
        if folder:
            _forget_dead_processes(Path(folder))
            registry = CollectorRegistry()
            MultiProcessCollector(registry, folder)  # type: ignore[no-untyped-call]
        return generate_latest(self.own) + generate_latest(registry)


def _forget_dead_processes(folder: Path) -> None:
    """A request that its process did not live to answer is not at work any more."""
    for file in folder.glob("gauge_live*.db"):
        process = int(re.sub(r"\D", "", file.stem))
        if not Path(f"/proc/{process}").exists() and Path("/proc/self").exists():
            mark_process_dead(process, str(folder))  # type: ignore[no-untyped-call]


class MeasureRequests:
    """ASGI middleware that counts and times requests by route template, never by raw path."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        status = 500
        started = time.perf_counter()

        async def note_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        with self.metrics.in_progress.track_inprogress():
            try:
                await self.app(scope, receive, note_status)
            finally:
                method, route = _method(scope), _route(scope)
                self.metrics.requests.labels(method, route, status).inc()
                self.metrics.duration.labels(method, route).observe(time.perf_counter() - started)
        return None


def _method(scope: Mapping[str, object]) -> str:
    known = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
    method = str(scope["method"])
    return method if method in known else "other"


def _route(scope: Mapping[str, object]) -> str:
    return str(getattr(scope.get("route"), "path_format", "unmatched"))
