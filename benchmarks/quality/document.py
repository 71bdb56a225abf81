"""How good scores are on real news, on another codebook and on sources that the model never saw: docs/quality.md.

python -m benchmarks.quality.document news learning --write     only these parts; the page keeps its other sections

Three parts need data of third parties that are not shipped, and are left out where these are missing: `news` and
`learning` (--real-news) and `codebook` (--gun-violence). `corpus` is about the model of words, on the shipped corpus;
`articles` is about whole articles, those of the corpus and real ones.
"""

import json
import re
from argparse import Namespace
from collections.abc import Collection
from pathlib import Path
from typing import Any

from benchmarks.documents import arguments, publish, render, show
from benchmarks.quality import few_labels, gun_violence, learning, real_news, transfer, whole_articles
from benchmarks.quality.annotated_news import WORK
from labels.annotations import DEFAULT_CORPUS, CodedParagraph, read_corpus
from labels.codebook import Codebook, read_codebook
from tests.support.paths import ROOT
from training.behaviour import MOST_CHANGED, check_behaviour
from training.challenger import Challenger, train_challenger
from training.dataset import build_dataset
from training.encoder.vectors import VectorStore
from training.reports.tables import BEHAVIOUR_HEAD, behaviour_rows, error_text, figure_text, stances_table, table
from training.scoring.frame_model import FrameModel

TEMPLATE = Path(__file__).with_name("quality.md.jinja")
PARTS = ("news", "articles", "learning", "corpus", "codebook")
HEADLINES_HEAD = ["Evaluated on", "Macro F1", "Micro F1", "ECE"]
_HEADING = re.compile(r"^(?=## )", re.MULTILINE)


def measure(parts: Collection[str], options: Namespace) -> dict[str, Any]:
    """The figures of the template, by name; None for a part that is not measured."""
    figures: dict[str, Any] = dict.fromkeys(("news", "articles", "learning", "corpus", "gun_violence"))
    news = options.real_news / "coded.jsonl"
    if "learning" in parts and news.exists():
        chosen = learning.parser().parse_args(["--data", str(news), "--work", str(options.work)])
        figures["learning"] = {name: each.markdown for name, each in learning.measure(chosen).items()}
    if "articles" in parts:
        vectors = VectorStore(options.work / "vectors")
        figures["articles"] = whole_articles.measure(read_codebook(), options.real_news / "articles.jsonl", vectors)
    if "codebook" in parts and options.gun_violence.exists():
        rows = gun_violence.measure(options.gun_violence, options.work)
        figures["gun_violence"] = table(gun_violence.HEAD, rows)
    if "corpus" in parts or ("news" in parts and news.exists()):
        show("the model of words")
        codebook = read_codebook()
        paragraphs = read_corpus(DEFAULT_CORPUS, codebook)
        challenger = train_challenger(paragraphs, codebook)
        if "news" in parts and news.exists():
            kinds = real_news.models(FrameModel.of(challenger.pipeline, challenger.card))
            figures["news"] = real_news.measure(kinds, codebook, options.real_news)
        if "corpus" in parts:
            figures |= {"corpus": True, **_on_the_corpus(challenger, codebook, paragraphs)}
    return figures


def _on_the_corpus(
    challenger: Challenger, codebook: Codebook, paragraphs: tuple[CodedParagraph, ...]
) -> dict[str, Any]:
    dataset = build_dataset(paragraphs, codebook)
    training, held_out = dataset.take(~dataset.held_out), dataset.take(dataset.held_out)
    checks = check_behaviour(FrameModel.of(challenger.pipeline, challenger.card), codebook, paragraphs)
    pipelines = transfer.rows(training)
    shipped = len(transfer.PARTS)
    few, few_saving = few_labels.measure(training, held_out, few_labels.SIZES, few_labels.REPEATS)
    rare, rare_saving = few_labels.measure(
        training, held_out, few_labels.RARE_SIZES, few_labels.RARE_REPEATS, rare=True
    )
    return {
        "headlines": table(HEADLINES_HEAD, _headlines(challenger)),
        "parts": table(transfer.HEAD, pipelines[:shipped]),
        "tried": table(transfer.HEAD, pipelines[shipped:]),
        "stances": stances_table(challenger.card.stances_left_out) if challenger.card.stances_left_out else "",
        "paragraphs": f"{len(paragraphs):,}",
        "most_changed": f"{MOST_CHANGED:.0%}",
        "behaviour": table(BEHAVIOUR_HEAD, behaviour_rows(checks)),
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
        [name, figure_text(e.macro.f1), figure_text(e.micro.f1), error_text(e.ece)]
        for name, e in evaluations
        if e is not None
    ]


def merged(page: str, measured: str) -> str:
    """The page with the sections that were measured in the place of its own, in the order of the template."""
    first, *_ = _HEADING.split(measured)
    sections = {part.splitlines()[0]: part.strip() for text in (page, measured) for part in _HEADING.split(text)[1:]}
    headings = [part.splitlines()[0] for part in _HEADING.split(TEMPLATE.read_text(encoding="utf-8"))[1:]]
    return "\n\n".join([first.strip(), *(sections[name] for name in headings if name in sections)]) + "\n"


def main() -> None:
    parser = arguments(__doc__, "benchmarks.quality.document --write")
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="all by default")
    parser.add_argument("--write", action="store_true", help="write docs/quality.md")
    parser.add_argument("--json", action="store_true", help="print the tables as JSON")
    parser.add_argument("--real-news", type=Path, default=real_news.DATA, help="folder of annotated real paragraphs")
    parser.add_argument("--gun-violence", type=Path, default=gun_violence.DATA, help="that corpus, as JSON Lines")
    parser.add_argument("--work", type=Path, default=WORK, help="folder that keeps vectors; default: %(default)s")
    options = parser.parse_args()
    figures = measure(options.parts or PARTS, options)
    if options.json:
        print(json.dumps({name: each for name, each in figures.items() if each is not None}, indent=1))
        return
    page = ROOT / "docs" / "quality.md"
    text = render(TEMPLATE, **figures)
    # Of a part that was not measured, the page keeps what it says.
    publish(merged(page.read_text(encoding="utf-8"), text) if options.parts else text, page.name, write=options.write)


if __name__ == "__main__":
    main()
