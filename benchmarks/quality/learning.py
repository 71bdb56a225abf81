"""What annotations of real news teach: a learning curve, outlets and topics left out, annotations of an outlet's own.

python -m benchmarks.quality.learning curve --articles 300     a section alone, on some of the articles, to try it

The encoders are those in training/base and of --base. They stay as they are: what learns here are linear heads on their
vectors, in seconds, and the model of words beside them.
"""

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from textwrap import fill
from typing import Any

from benchmarks.documents import arguments, objects, show
from benchmarks.quality import news_curve, news_left_out, own_annotations
from benchmarks.quality.annotated_news import WORK, EncodedNews, News, read_news
from benchmarks.quality.news_models import WORDS, Learn, heads_of, words_of
from labels.codebook import read_codebook
from tests.support.paths import SHARED
from training.encoder.shipped import encoder_folders
from training.reports.tables import table

DATA = SHARED / "real" / "coded.jsonl"


@dataclass(frozen=True, slots=True)
class Section:
    """A table and what a reader has to know about it."""

    note: str
    head: list[str]
    rows: list[list[str]]

    @property
    def markdown(self) -> str:
        """The note and the table."""
        return f"{fill(self.note, 120)}\n\n{table(self.head, self.rows)}"

    @property
    def objects(self) -> dict[str, Any]:
        """The same as JSON."""
        return {"note": self.note, "rows": objects(self.head, self.rows)}


class Measured:
    """The news, and the encoders with their vectors, which are encoded when a section first needs them."""

    def __init__(self, options: Namespace) -> None:
        self.options = options
        self.news: News = read_news(options.data, read_codebook(), options.articles)
        self.encoders = [EncodedNews(folder, options.work) for folder in (*encoder_folders(), *options.base)]
        unseen = list(self.news.dataset.texts[~self.news.learned])
        for encoder in self.encoders:
            encoder.require_unseen(unseen)

    @cached_property
    def models(self) -> dict[str, Learn]:
        """What learns, by name: heads on each encoder, and words."""
        dataset = self.news.dataset
        heads = {each.name: heads_of(dataset, each.vectors(list(dataset.texts))) for each in self.encoders}
        return {**heads, WORDS: words_of(dataset)}

    def seen(self) -> str:
        """What the encoders have seen of the paragraphs that heads and words learn from."""
        learned = list(self.news.dataset.texts[self.news.learned])
        counts = [f"{each.name} from {each.learned_from(learned).sum():,}" for each in self.encoders]
        return f"Of the {len(learned):,} paragraphs to learn from, encoders had learned before: {', '.join(counts)}."


def _curve(measured: Measured) -> Section:
    models, options = measured.models, measured.options
    news = measured.news
    rows = news_curve.measure(news, models, options.sizes, options.draws)
    note = (
        f"Judged on the {news.held_out.sum():,} paragraphs of the held-out fifth, most of which were chosen because a "
        f"model thought a frame likely. {measured.seen()} So the rows say how many annotations the heads of an encoder "
        "that has learned already need, not how many the encoder needs; the words learn from nothing else."
    )
    return Section(note, news_curve.head(list(models)), rows)


def _left_out(measured: Measured) -> Section:
    news = measured.news
    rows = news_left_out.measure(news, measured.models)
    note = (
        f"Judged on paragraphs that no encoder learned from. {measured.seen()} That includes other articles of the "
        "outlets and topics that are left out here: the rows of an encoder say what its heads lose, and those of the "
        "words what a model loses that never saw them."
    )
    return Section(note, news_left_out.HEAD, rows)


def _own(measured: Measured) -> Section:
    options = measured.options
    rows = [
        [encoder.name, *row]
        for encoder in measured.encoders
        for row in own_annotations.measure(measured.news, encoder, options.outlet, options.own_sizes, options.own_draws)
    ]
    note = (
        f"Means of {options.own_draws} draws of articles that the encoder never saw. It did learn from other articles "
        "of the outlet (the third column counts the paragraphs), and its thresholds were set with some of these: an "
        "outlet that it does not know has more to gain."
    )
    return Section(note, ["Base", *own_annotations.HEAD], rows)


SECTIONS: dict[str, Callable[[Measured], Section]] = {"curve": _curve, "left-out": _left_out, "own": _own}


def measure(options: Namespace) -> dict[str, Section]:
    """The sections by name, with the options of `parser`."""
    measured = Measured(options)
    if not measured.encoders:
        show("There is no encoder in training/base: only words are measured.")
    return {name: SECTIONS[name](measured) for name in options.sections or SECTIONS}


def parser() -> ArgumentParser:
    """The options, with the defaults that the document is measured with."""
    options = arguments(__doc__, "benchmarks.quality.learning own --json")
    options.add_argument("sections", nargs="*", choices=[*SECTIONS, []], help="all by default")
    options.add_argument("--data", type=Path, default=DATA, help="annotated news, as JSON Lines")
    options.add_argument("--base", type=Path, action="append", default=[], help="folder of another base model")
    options.add_argument("--work", type=Path, default=WORK, help="folder that keeps vectors; default: %(default)s")
    options.add_argument("--articles", type=int, help="only so many articles, to try the command")
    options.add_argument("--sizes", type=int, nargs="+", default=news_curve.SIZES, help="annotations of the curve")
    options.add_argument("--draws", type=int, default=3, help="of the curve; default: %(default)s")
    options.add_argument("--outlet", nargs="+", default=own_annotations.OUTLETS, help="whose own annotations count")
    options.add_argument("--own-sizes", type=int, nargs="+", default=own_annotations.SIZES, help="numbers of these")
    options.add_argument("--own-draws", type=int, default=10, help="of these; default: %(default)s")
    options.add_argument("--json", action="store_true", help="print JSON")
    return options


def main() -> None:
    """Prints sections."""
    options = parser().parse_args()
    if not options.data.exists():
        raise SystemExit(f"There are no annotated news at {options.data}: name a file with --data.")
    sections = measure(options)
    if options.json:
        print(json.dumps({name: each.objects for name, each in sections.items()}, indent=1))
    else:
        print("\n\n".join(each.markdown for each in sections.values()))


if __name__ == "__main__":
    main()
