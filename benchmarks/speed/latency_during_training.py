"""How much a training run slows the classification of articles.

A connection to a server with its worker sends the article of docs/example.json to `POST /v1/classify` without a pause,
in turn while the worker is idle and while it trains.
"""

import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import httpx2

from benchmarks.documents import arguments, publish, render, show
from benchmarks.speed.timing import milliseconds, percentile
from tests.support.paths import ROOT
from tests.support.servers import product, running, train
from training.reports.tables import table

IDLE_SECONDS = 5.0
_ASK_EVERY = 50

# Requests, and median and 99th percentile of their milliseconds.
Round = tuple[int, float, float]


def measure(rounds: int) -> list[list[str]]:
    """Rows for an idle and a training worker (medians of the rounds), and the ratio of the two."""
    article = {"text": json.loads((ROOT / "docs" / "example.json").read_text(encoding="utf-8"))["text"]}
    idle, training = [], []
    with tempfile.TemporaryDirectory() as folder, httpx2.Client(timeout=60) as client:
        train(Path(folder))
        with running(product(Path(folder), worker="true")) as server:
            client.base_url = server.address
            _classify_while(client, article, _for_seconds(2))
            for number in range(rounds):
                idle.append(_classify_while(client, article, _for_seconds(IDLE_SECONDS)))
                location = client.post("/v1/training-runs", json={"seed": number}).headers["location"]
                training.append(_classify_while(client, article, _while_running(client, location)))
                show(f"round {number + 1} of {rounds}")
    before, during = _medians(idle), _medians(training)
    ratios = [f"{during[k] / before[k]:.2f}" for k in (1, 2)]
    return [_row("idle", before), _row("during a training run", during), ["ratio", "", *ratios]]


def _medians(rounds: list[Round]) -> list[float]:
    return [statistics.median(column) for column in zip(*rounds, strict=True)]


def _row(name: str, medians: list[float]) -> list[str]:
    requests, p50, p99 = medians
    return [name, f"{requests:.0f}", f"{p50:.1f}", f"{p99:.1f}"]


def _classify_while(client: httpx2.Client, article: dict[str, str], holds: Callable[[], bool]) -> Round:
    times = []
    while holds():
        times.append(milliseconds(lambda: client.post("/v1/classify", json=article)))
    return len(times), percentile(times, 0.5), percentile(times, 0.99)


def _for_seconds(seconds: float) -> Callable[[], bool]:
    end = time.monotonic() + seconds
    return lambda: time.monotonic() < end


def _while_running(client: httpx2.Client, location: str) -> Callable[[], bool]:
    """Holds while the run lasts; looks only at every 50th call, so that looking does not add to the load."""
    calls = 0
    while client.get(location).json()["state"] == "queued":
        time.sleep(0.05)

    def is_running() -> bool:
        nonlocal calls
        calls += 1
        return bool(calls % _ASK_EVERY) or client.get(location).json()["state"] == "running"

    return is_running


def main() -> None:
    parser = arguments(__doc__, "benchmarks.speed.latency_during_training --rounds 1")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--write", action="store_true", help="write docs/latency-during-training.md")
    options = parser.parse_args()
    times = table(["`POST /v1/classify`", "requests", "p50 ms", "p99 ms"], measure(options.rounds))
    template = Path(__file__).with_name("latency-during-training.md.jinja")
    text = render(template, rounds=options.rounds, cores=os.cpu_count(), times=times)
    publish(text, "latency-during-training.md", write=options.write)


if __name__ == "__main__":
    main()
