"""How many articles a second the service classifies over HTTP, beside what people build with the same model.

Every server runs on core 0, the load on core 1. An article has 15 paragraphs, about 1,350 words; none is sent twice.
All get paragraphs that were cut before. The peers only score them; the service also looks for boilerplate, tells the
language, decides, rolls up and, where asked, finds the evidence; it is measured with an uncut text as well. MLServer
and BentoML run with their batching, which is their best.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.articles import PARAGRAPHS, as_paragraphs, as_text, write_bodies
from benchmarks.peers.environments import programs_of
from benchmarks.server import LOAD_CORE, PORT, ROOT, SERVER_CORE, Command, memory, pinned, product, running, train
from training.reports.card import table

ARTICLES = 3000


@dataclass(frozen=True, slots=True)
class Subject:
    """A server to measure, and what is sent where."""

    name: str
    command: Command
    path: str
    bodies: Path


@dataclass(frozen=True, slots=True)
class Found:
    """One round of one subject; times in milliseconds, start in seconds, memory (PSS) in MiB."""

    per_second: float
    p50: float
    p99: float
    p99_at_half: float
    p50_at_half: float
    start: float
    memory: float


def measure(rounds: int, seconds: float) -> tuple[dict[str, Found], float]:
    """Medians of each subject, and the paragraphs a second that the scorer does in process."""
    with tempfile.TemporaryDirectory() as place:
        subjects = _subjects(Path(place))
        found: dict[str, list[Found]] = {subject.name: [] for subject in subjects}
        scorer = []
        for number in range(rounds):
            for subject in subjects:
                found[subject.name].append(_round(subject, seconds))
                print(f"round {number + 1} of {rounds}: {subject.name}", file=sys.stderr)
            scorer.append(in_process(Path(place)))
        return {name: _median(results) for name, results in found.items()}, statistics.median(scorer)


def _median(results: Sequence[Found]) -> Found:
    names = Found.__dataclass_fields__
    return Found(**{name: statistics.median(getattr(result, name) for result in results) for name in names})


def _subjects(place: Path) -> list[Subject]:
    train(place)
    pipeline = place / "models" / "versions" / "v1" / "pipeline.joblib"
    cut = write_bodies(place / "cut.jsonl", ARTICLES, as_paragraphs())
    silent = write_bodies(place / "silent.jsonl", ARTICLES, as_paragraphs(explain=False))
    text = write_bodies(place / "text.jsonl", ARTICLES, as_text(explain=False))
    infer = write_bodies(place / "infer.jsonl", ARTICLES, _as_inference)
    uvicorn = [sys.executable, "-m", "uvicorn", "benchmarks.peers.plain_fastapi:app"]
    plain = [*uvicorn, "--log-level", "warning", "--port", PORT]
    found = {"PIPELINE": str(pipeline)}
    own = product(place)
    return [
        Subject("this service, without evidence", own, "/v1/classify", silent),
        Subject("this service, with evidence", own, "/v1/classify", cut),
        Subject("plain FastAPI and `predict_proba`", Command(plain, "/ready", found), "/predict", cut),
        Subject("FastAPI echo, no model", Command(plain, "/ready"), "/echo", cut),
        Subject("MLServer, scikit-learn runtime", _mlserver(place / "mlserver", pipeline), _INFER, infer),
        Subject("BentoML", _bentoml(found), "/predict", cut),
        Subject("this service, from an uncut text", own, "/v1/classify", text),
    ]


_INFER = "/v2/models/frames/infer"


def _as_inference(cut: list[str]) -> dict[str, object]:
    """A request of the Open Inference Protocol."""
    inputs = [{"name": "text", "shape": [len(cut)], "datatype": "BYTES", "data": cut}]
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
    return Command(
        [str(programs_of("mlserver") / "mlserver"), "start", str(folder)], "/v2/models/frames/ready", settings, folder
    )


def _bentoml(found: dict[str, str]) -> Command:
    programs = programs_of("bentoml")
    serve = [str(programs / "bentoml"), "serve", "benchmarks.peers.bentoml_service:Frames", "--port", PORT]
    return Command(serve, "/readyz", {**found, "BENTOML_DO_NOT_TRACK": "True"})


def _round(subject: Subject, seconds: float) -> Found:
    with running(subject.command, SERVER_CORE) as server:
        url = f"{server.address}{subject.path}"
        load(url, subject.bodies, 1.0, 8)  # whatever is loaded with the first requests
        peak, single = load(url, subject.bodies, seconds, 8), load(url, subject.bodies, seconds, 1)
        half = load(url, subject.bodies, seconds, 8, rate=peak["per_second"] / 2)
        return Found(
            peak["per_second"],
            single["p50"],
            single["p99"],
            half["p99"],
            half["p50"],
            server.start,
            memory(server.process.pid),
        )


def load(url: str, bodies: Path, seconds: float, connections: int, rate: float | None = None) -> dict[str, float]:
    """What `benchmarks.load` finds, from a process on the other core."""
    command = [sys.executable, "-m", "benchmarks.load", url, str(bodies), "--json"]
    command += ["--seconds", str(seconds), "--connections", str(connections)]
    command += ["--rate", str(rate)] if rate else []
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, preexec_fn=pinned(LOAD_CORE))
    answer: dict[str, float] = json.loads(done.stdout)
    return answer


def in_process(place: Path, core: int = SERVER_CORE) -> float:
    """Paragraphs a second of the scorer alone, an article at a time, on a core."""
    command = [sys.executable, "-m", "benchmarks.scorer_speed", "--json"]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "FRAMING_DATA_DIR": str(place)},
        check=True,
        capture_output=True,
        preexec_fn=pinned(core),
    )
    return float(json.loads(done.stdout)["per_second"])


def report(found: dict[str, Found], scorer: float) -> str:
    """Ratios first, then what each server did."""
    silent, explained, plain, echo, mlserver, bentoml, text = found.values()

    def times(one: Found, other: Found) -> str:
        return f"{one.per_second / other.per_second:.1f}×"

    ratios = [
        ["requests a second without evidence, against plain FastAPI", times(silent, plain), "6×"],
        ["against MLServer", times(silent, mlserver), "5×"],
        ["against BentoML", times(silent, bentoml), "6×"],
        ["with evidence, against plain FastAPI without", times(explained, plain), "4×"],
        ["of an echo without a model", f"{silent.per_second / echo.per_second:.0%}", "35%"],
        [
            "paragraphs a second over HTTP, of the scorer's own",
            f"{silent.per_second * PARAGRAPHS / scorer:.0%}",
            "60%",
        ],
        ["p99 over the median at half of peak load", f"{silent.p99_at_half / silent.p50_at_half:.1f}", "under 3"],
        ["start to ready", f"{silent.start:.2f} s", "under 0.7 s"],
        ["memory of a server that has classified", f"{silent.memory:.0f} MiB", "under 110 MiB"],
        ["from an uncut text, of that from cut paragraphs", f"{text.per_second / silent.per_second:.0%}", ""],
    ]
    rows = [
        [
            name,
            f"{f.per_second:.0f}",
            f"{f.p50:.2f}",
            f"{f.p99:.2f}",
            f"{f.p50_at_half:.2f}",
            f"{f.p99_at_half:.2f}",
            f"{f.start:.2f}",
            f"{f.memory:.0f}",
        ]
        for name, f in found.items()
    ]
    head = ["server", "requests/s", "p50 ms", "p99 ms", "p50 at half load", "p99 at half load", "start s", "memory MiB"]
    return (
        f"{table(['measure', 'found', 'aim'], ratios)}\n\n{table(head, rows)}\n\n"
        f"The scorer alone, in process, an article at a time: {scorer:,.0f} paragraphs a second.\n"
    )


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4)
    asked = parser.parse_args()
    print(report(*measure(asked.rounds, asked.seconds)))


if __name__ == "__main__":
    main()
