"""What a training run costs those who classify meanwhile.

One server with its worker; one connection sends the article of docs/example.json to `POST /v1/classify` without pause,
in turn while nothing else happens and while a training run is at work. Prints the median round of each, and the ratio.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import httpx2

from benchmarks.server import ROOT, product, running, train
from training.reports.card import table

IDLE_SECONDS = 5.0


def measure(rounds: int) -> list[list[str]]:
    """One row a condition: requests a round, p50 and p99 in milliseconds, median of the rounds."""
    article = {"text": json.loads((ROOT / "docs" / "example.json").read_text(encoding="utf-8"))["text"]}
    idle, training = [], []
    with tempfile.TemporaryDirectory() as folder, httpx2.Client(timeout=60) as client:
        train(Path(folder))
        with running(product(Path(folder), worker="true")) as server:
            client.base_url = server.address
            _load(client, article, _for_seconds(2))
            for number in range(rounds):
                idle.append(_load(client, article, _for_seconds(IDLE_SECONDS)))
                location = client.post("/v1/training-runs", json={"seed": number}).headers["location"]
                training.append(_load(client, article, _while_running(client, location)))
                print(f"round {number + 1} of {rounds}", file=sys.stderr)
    rows = [_row("idle", idle), _row("during a training run", training)]
    ratios = [
        statistics.median(t) / statistics.median(i)
        for t, i in (([r[k] for r in training], [r[k] for r in idle]) for k in (1, 2))
    ]
    return [*rows, ["ratio", "", *(f"{ratio:.2f}" for ratio in ratios)]]


def _row(name: str, results: list[tuple[int, float, float]]) -> list[str]:
    requests, p50, p99 = (statistics.median(result[k] for result in results) for k in range(3))
    return [name, f"{requests:.0f}", f"{p50:.1f}", f"{p99:.1f}"]


def _load(client: httpx2.Client, article: dict[str, str], goes_on: Callable[[], bool]) -> tuple[int, float, float]:
    times = []
    while goes_on():
        started = time.perf_counter()
        client.post("/v1/classify", json=article).raise_for_status()
        times.append(1000 * (time.perf_counter() - started))
    times.sort()
    return len(times), times[len(times) // 2], times[int(len(times) * 0.99)]


def _for_seconds(seconds: float) -> Callable[[], bool]:
    end = time.monotonic() + seconds
    return lambda: time.monotonic() < end


def _while_running(client: httpx2.Client, location: str) -> Callable[[], bool]:
    """True while the run is under way, asked every 50th time only, so that asking is no load of its own."""
    calls = 0
    while client.get(location).json()["state"] == "queued":
        time.sleep(0.05)

    def goes_on() -> bool:
        nonlocal calls
        calls += 1
        return bool(calls % 50) or client.get(location).json()["state"] == "running"

    return goes_on


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, epilog="Example: python -m benchmarks.latency_during_training"
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--write", action="store_true", help="write docs/latency-during-training.md")
    arguments = parser.parse_args()
    figures = table(["`POST /v1/classify`", "requests", "p50 ms", "p99 ms"], measure(arguments.rounds))
    text = (
        "# Latency during training\n\nMade by `make latency`: one connection sends the article of `example.json` "
        "without pause while nothing else happens and while a training run is at work; medians of "
        f"{arguments.rounds} interleaved rounds on {os.cpu_count()} cores. Absolute figures belong to the machine; the "
        f"ratio is what counts.\n\n{figures}\n"
    )
    print(text)
    if arguments.write:
        (ROOT / "docs" / "latency-during-training.md").write_text(text, encoding="utf-8")
