"""Coverage-guided fuzzing of every parser of untrusted input.

python -m tests.support.fuzzing --seconds 60          every target in turn, for 60 seconds each
python -m tests.support.fuzzing html --seconds 600    a single target

Input that makes a target fail with anything but an error of this project is printed and stored in reports/fuzzing.
"""

import argparse
import re
import subprocess
import sys
import tempfile

from rich.progress import Progress

from labels.exchange import FORMATS
from tests.support.paths import ROOT
from training.reports.tables import table

FINDINGS = ROOT / "reports" / "fuzzing"
HEAD = ["Target", "Inputs", "Failed unexpectedly"]
NAMES = ("text", "html", "cursor", "codebook", *(f"import {name}" for name in FORMATS))
# A target made of all the others.
EVERYTHING = "everything in turn"


def fuzz(name: str, seconds: float) -> tuple[int, str]:
    """Fuzzes a target in another process; returns the number of inputs, and its output if it failed."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "tests.support.fuzz_targets", name, str(seconds), folder]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, errors="replace", check=False)
    counts = re.findall(r"^#(\d+)", done.stderr, re.MULTILINE) or ["0"]
    return int(counts[-1]), "" if done.returncode == 0 else f"{done.stdout[-3000:]}\n{done.stderr[-1000:]}"


def main() -> None:
    """Prints a table; exits with 1 if a target failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", help="names of targets; all by default")
    parser.add_argument("--seconds", type=float, default=60, help="per target")
    arguments = parser.parse_args()
    rows, failures = [], []
    with Progress(transient=True) as bar:
        for name in bar.track(arguments.targets or NAMES):
            inputs, failure = fuzz(name, arguments.seconds)
            rows.append([name, f"{inputs:,}", str(int(bool(failure)))])
            failures += [failure] if failure else []
    print(table(HEAD, rows))
    for failure in failures:
        print(failure, file=sys.stderr)
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
