"""How good scores are on sources that the model never saw, and what made them so: docs/quality.md.

Three sections need data of third parties that are not shipped, and are left out where these are missing: real news and
opinion (--real-news), paragraphs on four conflicts (--real) and the Gun Violence Frame Corpus (--gun-violence).
Everything else is about the model of words, on the shipped corpus.
"""

import json
import sys
from pathlib import Path
from typing import Any

from benchmarks.documents import arguments, publish, render
from benchmarks.quality import few_labels, gun_violence, real_news, transfer, whole_articles
from labels.annotations import DEFAULT_CORPUS, Annotation, CodedParagraph, read_corpus
from labels.codebook import Codebook, read_codebook
from tests.support.paths import SHARED
from training.behaviour import MOST_CHANGED, check_behaviour
from training.challenger import Challenger, train_challenger
from training.cross_validation import leave_out
from training.dataset import build_dataset
from training.evaluation import Evaluation
from training.reports.tables import (
    BEHAVIOUR_HEAD,
    FIGURES_HEAD,
    behaviour_rows,
    figure_text,
    figures_rows,
    stances_table,
    table,
)
from training.scoring.frame_model import FrameModel
from training.validation import validate

REAL = SHARED / "benchmarks" / "real-conflict" / "dev.jsonl"
HEADLINES_HEAD = ["Evaluated on", "Macro F1", "Micro F1", "ECE"]


def _show(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def measure(news: Path, real: Path, headlines: Path) -> dict[str, Any]:
    """The figures of the template, by name."""
    codebook = read_codebook()
    paragraphs = read_corpus(DEFAULT_CORPUS, codebook)
    dataset = build_dataset(paragraphs, codebook)
    training, held_out = dataset.take(~dataset.held_out), dataset.take(dataset.held_out)
    _show("the model of words")
    challenger = train_challenger(paragraphs, codebook)
    model = FrameModel.of(challenger.pipeline, challenger.card)
    checks = check_behaviour(model, codebook, paragraphs)
    kinds = real_news.models(model)
    news_tables = real_news.measure(kinds, codebook, news, _show) if news.exists() else None
    on_real = _real(real, model, codebook) if real.exists() else None
    left_out = leave_out(training, transfer.CHOSEN, transfer.SEED)
    pipelines = transfer.rows(training, left_out, _show)
    shipped = len(transfer.PARTS)
    few, few_saving = few_labels.measure(training, held_out, few_labels.SIZES, few_labels.REPEATS, _show)
    rare, rare_saving = few_labels.measure(
        training, held_out, few_labels.RARE_SIZES, few_labels.RARE_REPEATS, _show, rare=True
    )
    return {
        "news": news_tables,
        "headlines": table(HEADLINES_HEAD, _headlines(challenger)),
        "parts": table(transfer.HEAD, pipelines[:shipped]),
        "tried": table(transfer.HEAD, pipelines[shipped:]),
        "narrow": table(transfer.NARROW_HEAD, transfer.narrow(training, _show)),
        "rounds": table(transfer.ROUNDS_HEAD, transfer.rounds(training, left_out, _show)),
        "articles": table(whole_articles.HEAD, whole_articles.rows(training, left_out)),
        "rare_articles": table(whole_articles.HEAD, whole_articles.rows(training, left_out, rare=True)),
        "stances": stances_table(challenger.card.stances_left_out) if challenger.card.stances_left_out else "",
        "paragraphs": f"{len(paragraphs):,}",
        "most_changed": f"{MOST_CHANGED:.0%}",
        "behaviour": table(BEHAVIOUR_HEAD, behaviour_rows(checks)),
        "real": on_real,
        "real_table": table(FIGURES_HEAD, figures_rows(on_real)) if on_real else "",
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
    evaluations = [("sources left out of training", card.left_out), ("held-out articles", card.held_out)]
    return [
        [name, figure_text(e.macro.f1), figure_text(e.micro.f1), f"{e.ece:.3f}"]
        for name, e in evaluations
        if e is not None
    ]


def _real(path: Path, model: FrameModel, codebook: Codebook) -> Evaluation:
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    paragraphs = [
        CodedParagraph(row["article"], number, row["source"], row["text"], (Annotation("both", row["frames"]),))
        for number, row in enumerate(rows)
    ]
    return validate(model, codebook, paragraphs).evaluation


def main() -> None:
    parser = arguments(__doc__, "benchmarks.quality.document --write")
    parser.add_argument("--write", action="store_true", help="write docs/quality.md")
    parser.add_argument("--json", action="store_true", help="print the tables as JSON")
    parser.add_argument("--real-news", type=Path, default=real_news.DATA, help="folder of annotated real paragraphs")
    parser.add_argument("--real", type=Path, default=REAL, help="annotated paragraphs of real news, as JSON Lines")
    parser.add_argument("--gun-violence", type=Path, default=gun_violence.DATA, help="that corpus, as JSON Lines")
    options = parser.parse_args()
    figures = measure(options.real_news, options.real, options.gun_violence)
    if options.json:
        print(json.dumps({**figures, "real": None}, indent=1))
    else:
        text = render(Path(__file__).with_name("quality.md.jinja"), **figures)
        publish(text, "quality.md", write=options.write)


if __name__ == "__main__":
    main()
