"""What the own code of other tools makes of our files, and what we make of theirs.

`python -m tests.support.interop [FOLDER]` makes an environment for each tool below FOLDER, lets the tool read our
export and write its own exports, imports these, and prints what came back. The example in R of docs/prevalence.md
estimates the same regression as we do, if R is installed. Prodigy, MAXQDA, ATLAS.ti, NVivo and
QualCoder do not install from PyPI, so they are not tried.
"""

import csv
import math
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from labels.annotations import Stance
from labels.codebook import read_codebook
from labels.exchange import FORMATS, ExchangedAnnotation, ExchangeError, FormatName, ReadingOptions
from labels.exchange.options import DEFAULTS
from tests.support.paths import ROOT
from tests.support.regressions import example, write_scores
from training.reports.tables import table

SCRIPTS = ROOT / "tests" / "interop"
HEAD = ["Tool", "File", "Annotations", "Same", "Set aside or refused"]


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool with the requirements that install it, and the options that its exports need."""

    name: FormatName
    script: str
    requirements: tuple[str, ...]
    options: ReadingOptions = DEFAULTS


TOOLS = (
    Tool("label-studio", "of_label_studio.py", ("label-studio-sdk",)),
    Tool("argilla", "of_argilla.py", ("argilla>=2", "requests")),
    Tool("potato", "of_potato.py", ("potato-annotation",)),
    # doccano 1.8 does not start with the newest marshmallow and numpy. Whoever imports owns all labels there, so our
    # column has the coders.
    Tool("doccano", "of_doccano.py", ("doccano", "marshmallow<4", "numpy<2"), ReadingOptions(coder_field="coder")),
)
ODD = "“Nothing,” he said;\nthen: no, nothing. 👩‍👩‍👧 One.\u2028Two."


def _annotation(coder: str, number: int, frames: dict[str, Stance], text: str = "") -> ExchangedAnnotation:
    text = text or f"The minister blamed a neighbour for the guns of town {number}."
    return ExchangedAnnotation(coder, text, "Courier", frames, article_id=f"a{number}", paragraph=number)


OURS = (
    _annotation("mira", 1, {"foreign_hand": "reported"}),
    _annotation("tom", 1, {"foreign_hand": "present", "militarized_response": "advanced"}),
    _annotation("mira", 2, {}),
    _annotation("mira", 3, {"grievance_driven": "contested"}, ODD),
)


def main() -> None:
    """Prints a table; exits with 1 if a tool cannot read our file, or if a code came back that nobody made."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "build" / "interop"
    rows: list[list[str]] = []
    failed = False
    for tool in TOOLS:
        with tempfile.TemporaryDirectory() as exports:
            fault = _run(tool, _python(tool, folder), Path(exports))
            failed |= bool(fault)
            rows += [[tool.name, "our export", f"{len(OURS)}", "", fault]] if fault else []
            for file in sorted(file for file in Path(exports).glob("[!_]*") if file.is_file()):
                row, is_wrong = _compared(tool, file)
                rows.append(row)
                failed |= is_wrong
    print(table(HEAD, rows))
    program = shutil.which("Rscript")
    if program is None:
        print("\nRegression in R: not tried, R is not installed (apt-get install r-base-core r-cran-sandwich)")
        sys.exit(failed)
    fault = _regression_in_r(program)
    print(f"\nRegression in R: {fault or 'the same coefficients and standard errors'}")
    sys.exit(failed or bool(fault))


def _regression_in_r(program: str) -> str:
    """Runs the example in R on a table as we write it; returns what is wrong, if anything."""
    with tempfile.TemporaryDirectory() as folder:
        ours = write_scores(Path(folder) / "scores.csv")
        script = Path(folder) / "example.R"
        script.write_text(example("r"), encoding="utf-8")
        done = subprocess.run([program, script.name], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return f"R could not run the example: {done.stderr.strip()}"
    rows = list(csv.DictReader(done.stdout.splitlines()))
    theirs = [(float(row["coefficient"]), float(row["standard_error"])) for row in rows]
    expected = [(entry.coefficient, entry.standard_error) for entry in ours]
    same = len(theirs) == len(expected) and all(
        math.isclose(mine, other, rel_tol=1e-6)
        for pair, others in zip(expected, theirs, strict=True)
        for mine, other in zip(pair, others, strict=True)
    )
    return "" if same else f"R estimates {theirs}, we estimate {expected}"


def _python(tool: Tool, folder: Path) -> Path:
    """The interpreter of an environment with the tool, which is made on first use."""
    place = folder / tool.name
    python = place / "bin" / "python"
    if not (place / "ready").exists():
        venv.create(place, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *tool.requirements], check=True)
        (place / "ready").touch()
    return python


def _run(tool: Tool, python: Path, exports: Path) -> str:
    """Lets the tool read our export and write its own; returns what went wrong, if anything."""
    ours = exports / f"_ours{FORMATS[tool.name].suffix}"
    ours.write_bytes(FORMATS[tool.name].write(OURS, read_codebook()))
    command: Sequence[str | Path] = [python, SCRIPTS / tool.script, ours, exports]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stderr.strip().splitlines()[-1]


def _compared(tool: Tool, file: Path) -> tuple[list[str], bool]:
    """A row about a file of the tool, and whether it gave a code that is not ours."""
    try:
        reading = FORMATS[tool.name].read(file.read_bytes(), read_codebook(), tool.options)
    except ExchangeError as error:
        return [tool.name, file.name, "0", "0", str(error)], True
    ours = {(entry.coder, entry.text, frozenset(entry.frames)) for entry in OURS}
    theirs = [(entry.coder, entry.text, frozenset(entry.frames)) for entry in reading.annotations]
    same = sum(entry in ours for entry in theirs)
    reasons = "; ".join(f"{reason.count} {reason.reason}" for reason in reading.reasons)
    return [tool.name, file.name, f"{len(theirs)}", f"{same}", reasons], same < len(theirs)


if __name__ == "__main__":
    main()
