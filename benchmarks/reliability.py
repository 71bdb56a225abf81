"""Faults at full length and what was lost by them: writes docs/reliability.md with `make soak`, about 40 minutes.

python -m benchmarks.reliability --minutes 0.5
"""

import argparse
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from rich.progress import Progress

from benchmarks import faults, outages
from benchmarks.endurance import endure
from benchmarks.fuzzing import NAMES, fuzz
from benchmarks.server import ROOT, train
from training.errors import ModelFileError
from training.registry.versions import Registry
from training.reports.card import table

DOCUMENT = ROOT / "docs" / "reliability.md"

Fault = Callable[[Path, faults.Progress], faults.Figures]


def damage_models(folder: Path, times: int, progress: faults.Progress) -> faults.Figures:
    """Bits flipped, pages zeroed, ends cut off a stored model: each has to be refused before anything is unpickled."""
    registry, chance, accepted = Registry(folder / "models"), random.Random(1), 0  # noqa: S311 - no secret
    files = [folder / "models" / "versions" / "v1" / name for name in ("pipeline.joblib", "scorer.npz")]
    for number in range(times):
        path = chance.choice(files)
        whole = path.read_bytes()
        path.write_bytes(_damaged(whole, chance))
        try:
            registry.load("v1")
            accepted += 1
        except ModelFileError:
            pass
        path.write_bytes(whole)
        progress((number + 1) / times)
    return {"damaged models": times, "accepted": accepted}


def _damaged(whole: bytes, chance: random.Random) -> bytes:
    torn = bytearray(whole)
    kind = chance.randrange(3)
    if kind == 0:
        torn[chance.randrange(len(torn))] ^= 1 << chance.randrange(8)
    elif kind == 1:
        place = chance.randrange(max(1, len(torn) - 4096))
        torn[place : place + 4096] = bytes(len(torn[place : place + 4096]))
        torn[place] ^= 1  # a page of zeros may have been one
    else:
        del torn[chance.randrange(len(torn)) :]
    return bytes(torn)


def race_promoters(folder: Path, times: int, progress: faults.Progress) -> faults.Figures:
    """Eight promote at the same moment: all are in the history, each with a number of its own."""
    done = 0
    for number in range(times // 8):
        registries = [Registry(folder / "models") for _ in range(8)]
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda registry: registry.promote("v1", by="race", reason="race"), registries))
        done += 8
        progress((number + 1) / (times // 8))
    numbers = [promotion.number for promotion in Registry(folder / "models").history()]
    return {"promotions": done, "lost": done + 1 - len(numbers), "doubled": len(numbers) - len(set(numbers))}


def fuzz_all(seconds: float, progress: faults.Progress) -> faults.Figures:
    """Every target of the fuzzer for so many seconds."""
    inputs = failed = 0
    for number, name in enumerate(NAMES, 1):
        found, failure = fuzz(name, seconds)
        inputs, failed = inputs + found, failed + bool(failure)
        progress(number / len(NAMES))
    return {"targets": len(NAMES), "inputs": inputs, "failed other than by a sentence": failed}


def table_of(minutes: float) -> list[tuple[str, Fault]]:
    """Every fault, with a length in proportion."""
    seconds = minutes * 60
    return [
        (
            "eight servers, each unaware of the others, on one SQLite file",
            lambda folder, progress: faults.servers_on_one_file(folder, 4 * seconds, servers=8, progress=progress),
        ),
        (
            "server or worker killed (SIGKILL) at random moments under load",
            lambda folder, progress: faults.kill_again_and_again(folder, int(25 * minutes), progress),
        ),
        (
            "server told to stop (SIGTERM) under load, and started again",
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
            "64 connections on a process that takes 16 requests at once",
            lambda folder, _progress: faults.overload(folder, seconds / 5),
        ),
        (
            "bodies with pieces put in, taken out or doubled, to all routes that take one",
            lambda folder, progress: faults.bad_inputs(folder, int(2000 * minutes), progress),
        ),
        (
            "all that reads what strangers send, fuzzed towards code not run before",
            lambda _folder, progress: fuzz_all(seconds / 20, progress),
        ),
        (
            "a mixed load of words that no request has twice",
            lambda folder, progress: endure(folder, seconds, progress),
        ),
        ("stored models damaged", lambda folder, progress: damage_models(folder, int(280 * minutes), progress)),
        ("promoters racing", lambda folder, progress: race_promoters(folder, int(200 * minutes), progress)),
    ]


@contextmanager
def _copy_of(trained: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as place:
        yield Path(shutil.copytree(trained, Path(place) / "data"))


def measure(minutes: float) -> list[list[str]]:
    """A row a fault; two at a time, the longest first."""
    with tempfile.TemporaryDirectory() as place, Progress(transient=True) as bar, ThreadPoolExecutor(2) as pool:
        train(Path(place))

        def one(name: str, fault: Fault) -> list[str]:
            task = bar.add_task(name, total=1.0)
            with _copy_of(Path(place)) as folder:
                found = fault(folder, lambda share: bar.update(task, completed=share))
            bar.update(task, completed=1.0)
            row = [name, "; ".join(f"{what}: {count:,}" for what, count in found.items())]
            bar.console.print(*row, sep=": ", markup=False)
            return row

        return list(pool.map(lambda known: one(*known), table_of(minutes)))


def main() -> None:
    """Prints the table, or writes the document."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--minutes", type=float, default=8, help="of most faults; others take a part of it, or four times as long"
    )
    parser.add_argument("--write", action="store_true", help=f"write {DOCUMENT.relative_to(ROOT)}")
    asked = parser.parse_args()
    text = (
        "# Reliability\n\n"
        f"Made by `make soak`, two faults at a time, most for up to {asked.minutes:g} minutes and the first for four "
        "times as long. Writers store articles and code them, four at a time, and try again under the same "
        "Idempotency-Key until they are answered; afterwards each acknowledged article and code has to be there once "
        "(`lost` and `doubled` count those that are not), and the "
        "database has to pass its integrity check. Short versions of these and other faults (a full disk, a log cut "
        "off, PostgreSQL gone and back, training runs killed in every step) are tests (`tests/test_faults.py`, "
        "`test_service_training.py`, `test_training_registry.py`), as are hostile inputs (`test_hostile_input.py`).\n\n"
        f"{table(['fault', 'what was found'], measure(asked.minutes))}\n"
    )
    print(text)
    if asked.write:
        DOCUMENT.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
