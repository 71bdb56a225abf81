"""Where the time and the memory of a start go: what is imported, by library, and what the process holds at each step.

Times are those that Python itself tells of each module (`-X importtime`), which makes importing a little slower. The
service's own are mostly what pydantic and FastAPI make of its schemas and routes while it is imported.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.server import ROOT, SERVER_CORE, own_memory, pinned, train
from training.reports.card import table

_ROUNDS, _SHOWN = 5, 8
_SERVICE = "import service.cli, service.server, service.app"
_OWN = ("service", "training", "labels")
_STEPS = (
    ("Python", "pass"),
    ("numpy", "import numpy"),
    ("SQLAlchemy", "import sqlalchemy"),
    ("FastAPI, pydantic, uvicorn", "import fastapi, pydantic_settings, uvicorn"),
    ("this service", _SERVICE),
    ("its model", "from service.settings import Settings; from training.registry import Registry; "
     "model, _ = Registry(Settings().models_location).load_champion()"),
    ("a first article", "model.score_and_explain(['The army moved into the valley.'] * 15)"),
)  # fmt: skip


def measure() -> tuple[dict[str, float], dict[str, float]]:
    """Milliseconds of importing by library, medians, and MiB (PSS) after each step."""
    with tempfile.TemporaryDirectory() as place:
        train(Path(place))
        rounds = [_imports() for _ in range(_ROUNDS)]
        libraries = {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}
        return libraries, _memory(Path(place))


def _imports() -> dict[str, float]:
    command = [sys.executable, "-X", "importtime", "-c", f"import gc; gc.disable(); {_SERVICE}"]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, preexec_fn=pinned(SERVER_CORE))
    spent: dict[str, float] = {}
    for line in done.stderr.splitlines()[1:]:
        own, _, module = line.removeprefix("import time:").split("|")
        library = _library(module.strip())
        spent[library] = spent.get(library, 0.0) + int(own) / 1000
    return spent


def _library(module: str) -> str:
    name = module.partition(".")[0].lstrip("_")
    if name in _OWN:
        return "this service"
    return "Python's own" if name in sys.stdlib_module_names else name


def _memory(folder: Path) -> dict[str, float]:
    program = "\n".join(f"{code}\nprint(flush=True); input()" for _, code in _STEPS)
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, "FRAMING_DATA_DIR": str(folder)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    held = {}
    with process:
        assert process.stdin is not None and process.stdout is not None  # noqa: S101, PT018 - for the type checker
        for name, _ in _STEPS:
            process.stdout.readline()
            held[name] = own_memory(process.pid)
            process.stdin.write("\n")
            process.stdin.flush()
    return held


def report(libraries: dict[str, float], held: dict[str, float]) -> str:
    """The libraries that take longest, then the steps."""
    shown = sorted(libraries.items(), key=lambda one: -one[1])
    rest = sum(spent for _, spent in shown[_SHOWN:])
    rows = [[name, f"{spent:.0f}"] for name, spent in [*shown[:_SHOWN], ("others", rest)]]
    rows.append(["together", f"{sum(libraries.values()):.0f}"])
    steps = [[f"+ {name}" if place else name, f"{mib:.0f}"] for place, (name, mib) in enumerate(held.items())]
    return f"{table(['library', 'ms to import'], rows)}\n\n{table(['step', 'memory MiB'], steps)}\n"


def main() -> None:
    """Prints the tables."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    print(report(*measure()))


if __name__ == "__main__":
    main()
