"""Faults at full length, and what was lost by them: `make soak` writes docs/reliability.md in about 40 minutes."""

import random
import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import rich.progress

from benchmarks.documents import arguments, publish, render
from tests.support import faults, outages
from tests.support.endurance import endure
from tests.support.fuzzing import NAMES, fuzz
from tests.support.ledger import Figures, Progress
from tests.support.servers import train
from training.errors import ModelFileError
from training.registry.versions import Registry
from training.reports.tables import table

# Inflicts a fault on a service with this data folder and counts what it led to.
Fault = Callable[[Path, Progress], Figures]


def damage_models(folder: Path, times: int, progress: Progress) -> Figures:
    """Flips bits, zeroes pages and cuts ends of stored models; each must be rejected before anything is unpickled."""
    registry, chance, accepted = Registry(folder / "models"), random.Random(1), 0  # noqa: S311 - no secret
    files = [folder / "models" / "versions" / "v1" / name for name in ("pipeline.joblib", "scorer.npz")]
    for number in range(times):
        path = chance.choice(files)
        intact = path.read_bytes()
        path.write_bytes(_damaged(intact, chance))
        try:
            registry.load("v1")
            accepted += 1
        except ModelFileError:
            pass
        path.write_bytes(intact)
        progress((number + 1) / times)
    return {"damaged models": times, "accepted": accepted}


def _damaged(intact: bytes, chance: random.Random) -> bytes:
    damaged = bytearray(intact)
    kind = chance.randrange(3)
    if kind == 0:
        damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
    elif kind == 1:
        place = chance.randrange(max(1, len(damaged) - 4096))
        damaged[place : place + 4096] = bytes(len(damaged[place : place + 4096]))
        damaged[place] ^= 1  # it may have been a page of zeros
    else:
        del damaged[chance.randrange(len(damaged)) :]
    return bytes(damaged)


def race_promoters(folder: Path, times: int, progress: Progress) -> Figures:
    """Promotes from eight threads at once; each promotion must be in the history, with a different number."""
    done = 0
    for number in range(times // 8):
        registries = [Registry(folder / "models") for _ in range(8)]
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda registry: registry.promote("v1", by="race", reason="race"), registries))
        done += 8
        progress((number + 1) / (times // 8))
    numbers = [promotion.number for promotion in Registry(folder / "models").history()]
    return {"promotions": done, "lost": done + 1 - len(numbers), "doubled": len(numbers) - len(set(numbers))}


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
        (
            "a mixed load of words that never occur twice",
            lambda folder, progress: endure(folder, seconds, progress),
        ),
        ("stored models damaged", lambda folder, progress: damage_models(folder, int(280 * minutes), progress)),
        (
            "simultaneous promotions",
            lambda folder, progress: race_promoters(folder, int(200 * minutes), progress),
        ),
    ]


def measure(minutes: float) -> list[list[str]]:
    """Per fault its description and what it led to; two faults run at a time, the longest first."""
    with (
        tempfile.TemporaryDirectory() as trained,
        rich.progress.Progress(transient=True) as bar,
        ThreadPoolExecutor(2) as pool,
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

        return list(pool.map(inflict, all_faults(minutes)))


def main() -> None:
    """Prints the document."""
    parser = arguments(__doc__, "benchmarks.speed.reliability --minutes 0.5")
    parser.add_argument("--minutes", type=float, default=8, help="length of most faults")
    parser.add_argument("--write", action="store_true", help="write docs/reliability.md")
    options = parser.parse_args()
    template = Path(__file__).with_name("reliability.md.jinja")
    rows = table(["fault", "result"], measure(options.minutes))
    publish(render(template, minutes=f"{options.minutes:g}", faults=rows), "reliability.md", write=options.write)


if __name__ == "__main__":
    main()
