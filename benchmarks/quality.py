"""How good the scores are on writing that the model never saw, and what made them so: docs/quality.md.

Everything is computed from the shipped corpus. Two sections need third-party data that are not shipped and are left out
where these are not found: paragraphs of real news (--real) and the Gun Violence Frame Corpus (--gun-violence).
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from benchmarks import few_labels, gun_violence, transfer, whole_articles
from benchmarks.server import ROOT
from labels.annotations import DEFAULT_CORPUS, Annotation, CodedParagraph, read_corpus
from labels.codebook import Codebook, read_codebook
from training.behaviour import MOST_CHANGED, check_behaviour
from training.challenger import Challenger, train_challenger
from training.cross_validation import leave_out
from training.dataset import build_dataset
from training.evaluation import Evaluation
from training.reports.card import FIGURES_HEAD, figure_text, figures_rows, stances_table, table
from training.reports.report import BEHAVIOUR_HEAD, behaviour_rows
from training.scoring.frame_model import FrameModel
from training.validation import validate

REAL = ROOT.parent / "shared" / "benchmarks" / "real-conflict" / "dev.jsonl"
HEADLINES_HEAD = ["Judged on", "Macro F1", "Micro F1", "ECE"]
_TEMPLATE = Path(__file__).with_name("templates") / "quality.md"


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def measure(real: Path, headlines: Path) -> dict[str, Any]:
    """What the template states, by name."""
    codebook = read_codebook()
    paragraphs = read_corpus(DEFAULT_CORPUS, codebook)
    dataset = build_dataset(paragraphs, codebook)
    training, judged = dataset.take(~dataset.held_out), dataset.take(dataset.held_out)
    say("the shipped model")
    challenger = train_challenger(paragraphs, codebook)
    model = FrameModel.of(challenger.pipeline, challenger.card)
    checks = check_behaviour(model, codebook, paragraphs)
    found_real = _real(real, model, codebook) if real.exists() else None
    left_out = leave_out(training, transfer.CHOSEN, transfer.SEED)
    pipelines = transfer.rows(training, left_out, say)
    shipped = len(transfer.PARTS)
    few, few_saving = few_labels.measure(training, judged, few_labels.SIZES, few_labels.REPEATS, say)
    rare, rare_saving = few_labels.measure(
        training, judged, few_labels.RARE_SIZES, few_labels.RARE_REPEATS, say, rare=True
    )
    return {
        "headlines": table(HEADLINES_HEAD, _headlines(challenger)),
        "parts": table(transfer.HEAD, pipelines[:shipped]),
        "tried": table(transfer.HEAD, pipelines[shipped:]),
        "narrow": table(transfer.NARROW_HEAD, transfer.narrow(training, say)),
        "rounds": table(transfer.ROUNDS_HEAD, transfer.rounds(training, left_out, say)),
        "articles": table(whole_articles.HEAD, whole_articles.rows(training, left_out)),
        "rare_articles": table(whole_articles.HEAD, whole_articles.rows(training, left_out, rare=True)),
        "stances": stances_table(challenger.card.stances_left_out) if challenger.card.stances_left_out else "",
        "paragraphs": f"{len(paragraphs):,}",
        "most_changed": f"{MOST_CHANGED:.0%}",
        "behaviour": table(BEHAVIOUR_HEAD, behaviour_rows(checks)),
        "real": found_real,
        "real_table": table(FIGURES_HEAD, figures_rows(found_real)) if found_real else "",
        "gun_violence": table(gun_violence.HEAD, gun_violence.measure(headlines)) if headlines.exists() else "",
        "repeats": few_labels.REPEATS,
        "rare_repeats": few_labels.RARE_REPEATS,
        "few": table(few_labels.HEAD, few),
        "few_saving": few_saving,
        "rare": table(few_labels.HEAD, rare),
        "rare_saving": rare_saving,
    }


def _headlines(challenger: Challenger) -> list[list[str]]:
    card = challenger.card
    judged = [("sources left out of training", card.left_out), ("held-out articles", card.held_out)]
    return [
        [name, figure_text(e.macro.f1), figure_text(e.micro.f1), f"{e.ece:.3f}"] for name, e in judged if e is not None
    ]


def _real(path: Path, model: FrameModel, codebook: Codebook) -> Evaluation:
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    paragraphs = [
        CodedParagraph(row["article"], number, row["source"], row["text"], (Annotation("both", row["frames"]),))
        for number, row in enumerate(rows)
    ]
    return validate(model, codebook, paragraphs).evaluation


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, epilog="Example: python -m benchmarks.quality --write")
    parser.add_argument("--write", action="store_true", help="write docs/quality.md")
    parser.add_argument("--json", action="store_true", help="print the tables as JSON")
    parser.add_argument("--real", type=Path, default=REAL, help="coded paragraphs of real news, JSON Lines")
    parser.add_argument("--gun-violence", type=Path, default=gun_violence.DATA, help="that corpus, JSON Lines")
    given = parser.parse_args()
    found = measure(given.real, given.gun_violence)
    page = Environment(undefined=StrictUndefined, trim_blocks=True, autoescape=False)  # noqa: S701 - Markdown
    text = page.from_string(_TEMPLATE.read_text(encoding="utf-8")).render(found) + "\n"
    print(json.dumps({**found, "real": None}, indent=1) if given.json else text)
    if given.write:
        (ROOT / "docs" / "quality.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
