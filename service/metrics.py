"""Prometheus metrics, named by its conventions. The values of labels are limited to routes, frames and the like.

The server processes of `framing serve` share their figures in files in the folder PROMETHEUS_MULTIPROC_DIR, so that any
process can answer a scrape with the sums of all.
"""

import os
import re
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector


def product_version() -> str:
    """The installed version of this package; `0` if it is not installed."""
    try:
        return version("media-framing")
    except PackageNotFoundError:
        return "0"


class Metrics:
    """All metrics of an application."""

    def __init__(self) -> None:
        # Figures that are summed over the processes of a server.
        self.registry = CollectorRegistry()
        # Figures of this process only.
        self.own = CollectorRegistry()
        ProcessCollector(registry=self.own)
        self.requests = Counter(
            "framing_http_requests", "Requests answered.", ["method", "route", "status"], registry=self.registry
        )
        self.duration = Histogram(
            "framing_http_request_duration_seconds", "Time to answer.", ["method", "route"], registry=self.registry
        )
        self.in_progress = Gauge(
            "framing_http_requests_in_progress",
            "Requests in progress.",
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
        self.champion = Info("framing_champion", "The champion.", registry=self.own)
        Info("framing_build", "This program.", registry=self.own).info({"version": product_version()})

    def watch_worker(self, is_running: Callable[[], bool | None]) -> None:
        """Adds `framing_worker_up`, read at each scrape; without a figure while the function returns None."""
        self.own.register(_WorkerUp(is_running))

    def exposition(self) -> bytes:
        """All metrics in the text format of Prometheus."""
        folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
        registry = self.registry
        if folder:
            _forget_dead_processes(Path(folder))
            registry = CollectorRegistry()
            MultiProcessCollector(registry, folder)  # type: ignore[no-untyped-call]
        return generate_latest(self.own) + generate_latest(registry)


class _WorkerUp(Collector):
    """Not a `Gauge`, because the server processes would add up theirs."""

    def __init__(self, is_running: Callable[[], bool | None]) -> None:
        self._is_running = is_running

    def collect(self) -> Iterator[GaugeMetricFamily]:
        running = self._is_running()
        if running is not None:
            yield GaugeMetricFamily("framing_worker_up", "Whether a worker is running.", value=running)


def _forget_dead_processes(folder: Path) -> None:
    """Removes the gauges of processes that died, whose requests in progress would be counted forever."""
    for file in folder.glob("gauge_live*.db"):
        process = int(re.sub(r"\D", "", file.stem))
        if not Path(f"/proc/{process}").exists() and Path("/proc/self").exists():
            mark_process_dead(process, str(folder))  # type: ignore[no-untyped-call]
