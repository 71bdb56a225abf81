"""Faults at full length: writes docs/reliability.md, about an hour. Fewer minutes inflict less of each."""

import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import rich.progress

from benchmarks.documents import arguments, publish, render
from tests.support import faults, outages
from tests.support.fuzzing import NAMES, fuzz
from tests.support.ledger import Figures, Progress
from tests.support.model_faults import damage_models, race_promoters
from tests.support.servers import train
from training.reports.tables import table

# Inflicts a fault on a service with this data folder and counts what it led to.
Fault = Callable[[Path, Progress], Figures]

HEAD = ["fault", "result"]


def fuzz_all(seconds: float, progress: Progress) -> Figures:
    """Runs each target of the fuzzer for `seconds` seconds."""
    inputs = failed = 0
    for number, name in enumerate(NAMES, 1):
        count, failure = fuzz(name, seconds)
        inputs, failed = inputs + count, failed + bool(failure)
        progress(number / len(NAMES))
    return {"targets": len(NAMES), "inputs": inputs, "failed unexpectedly": failed}


def all_faults(minutes: float) -> list[tuple[str, Fault]]:
    """Each fault with its description, at a length in proportion to the minutes."""
    seconds = minutes * 60
    return [
        (
            "eight servers that do not know of each other on the same SQLite file",
            lambda folder, progress: faults.servers_on_the_same_file(folder, 4 * seconds, servers=8, progress=progress),
        ),
        (
            "server or worker killed (SIGKILL) at random moments under load",
            lambda folder, progress: faults.kill_again_and_again(folder, int(25 * minutes), progress),
        ),
        (
            "server stopped (SIGTERM) under load and started again",
            lambda folder, progress: faults.stop_and_start(folder, seconds / 5, progress=progress),
        ),
        (
            "database locked by another process for 1.5 s under load",
            lambda folder, progress: faults.lock_the_database(folder, max(1, int(seconds / 15)), progress=progress),
        ),
        (
            "PostgreSQL gone (SIGQUIT) every 5 to 20 s for up to 5 s, under load and while models are trained",
            lambda folder, progress: outages.restart_postgresql(folder, int(1000 * minutes), progress=progress),
        ),
        (
            "64 connections to a process that accepts 16 requests at once",
            lambda folder, _progress: faults.overload(folder, seconds / 5),
        ),
        (
            "bodies with pieces inserted, removed or doubled, to all routes that accept a body",
            lambda folder, progress: faults.bad_inputs(folder, int(2000 * minutes), progress),
        ),
        (
            "every parser of untrusted input, fuzzed",
            lambda _folder, progress: fuzz_all(seconds / 20, progress),
        ),
        ("stored models damaged", lambda folder, progress: damage_models(folder, int(280 * minutes), progress)),
        (
            "simultaneous promotions",
            lambda folder, progress: race_promoters(folder, int(200 * minutes), progress),
        ),
    ]


def measure(kinds: list[tuple[str, Fault]], at_once: int) -> list[list[str]]:
    """Per fault its description and what it led to; so many run at once, the first first."""
    with (
        tempfile.TemporaryDirectory() as trained,
        rich.progress.Progress(transient=True) as bar,
        ThreadPoolExecutor(at_once) as pool,
    ):
        train(Path(trained))

        def inflict(fault: tuple[str, Fault]) -> list[str]:
            name, run = fault
            task = bar.add_task(name, total=1.0)
            with tempfile.TemporaryDirectory() as place:
                folder = Path(shutil.copytree(trained, Path(place) / "data"))
                figures = run(folder, lambda share: bar.update(task, completed=share))
            bar.update(task, completed=1.0)
            row = [name, "; ".join(f"{label}: {count:,}" for label, count in figures.items())]
            bar.console.print(*row, sep=": ", markup=False)
            return row

        return list(pool.map(inflict, kinds))


def main() -> None:
    """Prints the document."""
    parser = arguments(__doc__, "benchmarks.speed.reliability --minutes 0.5")
    parser.add_argument("--minutes", type=float, default=8, help="length of most faults")
    parser.add_argument("--write", action="store_true", help="write docs/reliability.md")
    options = parser.parse_args()
    rows = measure(all_faults(options.minutes), at_once=2)
    template = Path(__file__).with_name("reliability.md.jinja")
    text = render(template, minutes=f"{options.minutes:g}", first=f"{4 * options.minutes:g}", faults=table(HEAD, rows))
    publish(text, "reliability.md", write=options.write)


if __name__ == "__main__":
    main()
