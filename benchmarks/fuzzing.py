"""Coverage-guided fuzzing of all that reads what strangers send: mutates bytes towards code that was not run before.

python -m benchmarks.fuzzing --seconds 60          every target so long, in turn
python -m benchmarks.fuzzing html --seconds 600    one of them

What makes a target fail other than by a sentence is kept in reports/fuzzing and shown.
"""

import argparse
import re
import subprocess
import sys
import tempfile

from rich.progress import Progress

from benchmarks.server import ROOT
from labels.exchange import FORMATS
from training.reports.card import table

FOUND = ROOT / "reports" / "fuzzing"
HEAD = ["What is fuzzed", "Inputs", "Failed other than by a sentence"]
NAMES = ("text", "html", "cursor", "codebook", *(f"import {name}" for name in FORMATS))
EVERYTHING = "everything in turn"
"""One target of all the others."""


def fuzz(name: str, seconds: float) -> tuple[int, str]:
    """How many inputs a target took in a process of its own, and what it failed with, if it did."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "benchmarks.fuzz_targets", name, str(seconds), folder]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, errors="replace", check=False)
    counts = re.findall(r"^#(\d+)", done.stderr, re.MULTILINE) or ["0"]
    return int(counts[-1]), "" if done.returncode == 0 else f"{done.stdout[-3000:]}\n{done.stderr[-1000:]}"


def main() -> None:
    """Prints a table; ends with 1 where something failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", help="of what is fuzzed; all without")
    parser.add_argument("--seconds", type=float, default=60, help="for each")
    asked = parser.parse_args()
    rows, failures = [], []
    with Progress(transient=True) as bar:
        for name in bar.track(asked.targets or NAMES):
            inputs, failure = fuzz(name, asked.seconds)
            rows.append([name, f"{inputs:,}", str(int(bool(failure)))])
            failures += [failure] if failure else []
    print(table(HEAD, rows))
    for failure in failures:
        print(failure, file=sys.stderr)
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
