"""Articles that the service classifies per second over HTTP, beside what people build with the same model.

The server runs on core 0 and the load on core 1. No article is sent twice, and all are sent as paragraphs; a
last subject gets whole texts. MLServer and BentoML run with batching, which is their fastest setting.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

from benchmarks.documents import show
from benchmarks.speed.load import Load
from benchmarks.speed.peers.environments import programs_of
from benchmarks.speed.scorer_speed import paragraphs_per_second
from tests.support.articles import PARAGRAPHS, as_paragraphs, as_text, write_bodies
from tests.support.paths import ROOT
from tests.support.procfs import memory
from tests.support.servers import LOAD_CORE, PORT, SERVER_CORE, Command, pinned, product, running, train
from training.reports.tables import table

ARTICLES = 3000
_INFER = "/v2/models/frames/infer"


@dataclass(frozen=True, slots=True)
class Subject:
    """A server to measure, and the path and bodies of its requests."""

    name: str
    command: Command
    path: str
    bodies: Path


@dataclass(frozen=True, slots=True)
class Speed:
    """Speed of a server in a round; times in milliseconds, start in seconds, memory (PSS) in MiB."""

    per_second: float
    p50: float
    p99: float
    p50_at_half: float
    p99_at_half: float
    start: float
    memory: float


def measure(rounds: int, seconds: float) -> tuple[dict[str, Speed], float]:
    """Medians of each subject, and the paragraphs per second that the scorer does in process."""
    with tempfile.TemporaryDirectory() as folder:
        subjects = _subjects(Path(folder))
        speeds: dict[str, list[Speed]] = {subject.name: [] for subject in subjects}
        scorer = []
        for number in range(rounds):
            for subject in subjects:
                speeds[subject.name].append(_round(subject, seconds))
                show(f"round {number + 1} of {rounds}: {subject.name}")
            scorer.append(paragraphs_per_second(Path(folder)))
        return {name: _median(each) for name, each in speeds.items()}, statistics.median(scorer)


def _median(speeds: Sequence[Speed]) -> Speed:
    return Speed(*(statistics.median(column) for column in zip(*map(astuple, speeds), strict=True)))


def _subjects(folder: Path) -> list[Subject]:
    train(folder)
    pipeline = folder / "models" / "versions" / "v1" / "pipeline.joblib"
    explained = write_bodies(folder / "explained.jsonl", ARTICLES, as_paragraphs())
    plain = write_bodies(folder / "plain.jsonl", ARTICLES, as_paragraphs(explain=False))
    text = write_bodies(folder / "text.jsonl", ARTICLES, as_text(explain=False))
    infer = write_bodies(folder / "infer.jsonl", ARTICLES, _as_inference)
    uvicorn = [sys.executable, "-m", "uvicorn", "benchmarks.speed.peers.plain_fastapi:app"]
    fastapi = [*uvicorn, "--log-level", "warning", "--port", PORT]
    with_model = {**os.environ, "PIPELINE": str(pipeline)}
    service = product(folder)
    return [
        Subject("this service, without evidence", service, "/v1/classify", plain),
        Subject("this service, with evidence", service, "/v1/classify", explained),
        Subject("plain FastAPI and `predict_proba`", Command(fastapi, "/ready", with_model), "/predict", explained),
        Subject("FastAPI echo, no model", Command(fastapi, "/ready"), "/echo", explained),
        Subject("MLServer, scikit-learn runtime", _mlserver(folder / "mlserver", pipeline), _INFER, infer),
        Subject("BentoML", _bentoml(with_model), "/predict", explained),
        Subject("this service, from a whole text", service, "/v1/classify", text),
    ]


def _as_inference(article: list[str]) -> dict[str, object]:
    """A request of the Open Inference Protocol."""
    inputs = [{"name": "text", "shape": [len(article)], "datatype": "BYTES", "data": article}]
    return {"parameters": {"content_type": "str"}, "inputs": inputs, "outputs": [{"name": "predict_proba"}]}


def _mlserver(folder: Path, pipeline: Path) -> Command:
    folder.mkdir()
    model = {
        "name": "frames",
        "implementation": "mlserver_sklearn.SKLearnModel",
        "max_batch_size": 8,
        "max_batch_time": 0.005,
        "parameters": {"uri": str(pipeline)},
    }
    (folder / "model-settings.json").write_text(json.dumps(model), encoding="utf-8")
    settings = {
        "MLSERVER_HTTP_PORT": PORT,
        "MLSERVER_HOST": "127.0.0.1",
        "MLSERVER_GRPC_PORT": "0",
        "MLSERVER_PARALLEL_WORKERS": "0",
        "MLSERVER_METRICS_ENDPOINT": "",
    }
    start = [str(programs_of("mlserver") / "mlserver"), "start", str(folder)]
    return Command(start, "/v2/models/frames/ready", {**os.environ, **settings}, folder)


def _bentoml(variables: dict[str, str]) -> Command:
    program = programs_of("bentoml") / "bentoml"
    start = [str(program), "serve", "benchmarks.speed.peers.bentoml_service:Frames", "--port", PORT]
    return Command(start, "/readyz", {**variables, "BENTOML_DO_NOT_TRACK": "True"})


def _round(subject: Subject, seconds: float) -> Speed:
    with running(subject.command, SERVER_CORE) as server:
        url = f"{server.address}{subject.path}"
        put_load(url, subject.bodies, 1.0, 8)  # the first requests load modules and caches
        peak, single = put_load(url, subject.bodies, seconds, 8), put_load(url, subject.bodies, seconds, 1)
        half = put_load(url, subject.bodies, seconds, 8, rate=peak.per_second / 2)
        held = memory(server.process.pid)
        return Speed(peak.per_second, single.p50, single.p99, half.p50, half.p99, server.start, held)


def put_load(url: str, bodies: Path, seconds: float, connections: int, rate: float | None = None) -> Load:
    """Runs `benchmarks.speed.load` on the other core."""
    command = [sys.executable, "-m", "benchmarks.speed.load", url, str(bodies)]
    command += ["--seconds", str(seconds), "--connections", str(connections)]
    command += ["--rate", str(rate)] if rate else []
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, preexec_fn=pinned(LOAD_CORE))
    return Load(**json.loads(done.stdout))


def report(speeds: dict[str, Speed], scorer: float) -> str:
    """The ratios, then the speed of each server."""
    plain, explained, fastapi, echo, mlserver, bentoml, text = speeds.values()

    def times(speed: Speed, other: Speed) -> str:
        return f"{speed.per_second / other.per_second:.1f}×"

    of_the_scorer = plain.per_second * PARAGRAPHS / scorer
    ratios = [
        ["requests per second without evidence, against plain FastAPI", times(plain, fastapi), "6×"],
        ["against MLServer", times(plain, mlserver), "5×"],
        ["against BentoML", times(plain, bentoml), "6×"],
        ["with evidence, against plain FastAPI without", times(explained, fastapi), "4×"],
        ["against an echo without a model", f"{plain.per_second / echo.per_second:.0%}", "35%"],
        ["paragraphs per second over HTTP, against the scorer alone", f"{of_the_scorer:.0%}", "60%"],
        ["p99 over the median at half of peak load", f"{plain.p99_at_half / plain.p50_at_half:.1f}", "under 3"],
        ["start to ready", f"{plain.start:.2f} s", "under 0.7 s"],
        ["memory of a server that has classified", f"{plain.memory:.0f} MiB", "under 110 MiB"],
        ["whole texts, against paragraphs", f"{text.per_second / plain.per_second:.0%}", ""],
    ]
    rows = [
        [name, *(f"{value:.{digits}f}" for value, digits in zip(astuple(speed), (0, 2, 2, 2, 2, 2, 0), strict=True))]
        for name, speed in speeds.items()
    ]
    head = ["server", "requests/s", "p50 ms", "p99 ms", "p50 at half load", "p99 at half load", "start s", "memory MiB"]
    return (
        f"{table(['measure', 'result', 'aim'], ratios)}\n\n{table(head, rows)}\n\n"
        f"The scorer alone, in process, article by article: {scorer:,.0f} paragraphs per second."
    )
