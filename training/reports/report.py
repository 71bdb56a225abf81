"""What a paper's appendix needs, in one folder: methods, references, tables, plots, model card, datasheet."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import vl_convert
from jinja2 import Environment, PackageLoader, StrictUndefined

from labels.agreement import FrameAgreement, agreement
from labels.annotations import SPECIFIED_STANCES, CodedParagraph
from labels.codebook import Codebook, codebook_to_toml
from labels.gold import settle
from training.behaviour import Check, check_behaviour
from training.registry.card import ModelCard, card_to_json
from training.reports.card import (
    BASELINES_HEAD,
    FIGURES_HEAD,
    STANCES_HEAD,
    baselines_rows,
    card_to_markdown,
    figure_text,
    figures_rows,
    stances_rows,
    table,
)
from training.reports.html import f1_chart, reliability_chart, svg
from training.reports.latex import csv_table, escaped, latex_table
from training.scoring.frame_model import FrameModel
from training.validation import Validation, validate

_TEX = Environment(loader=PackageLoader("training.reports"), autoescape=False, undefined=StrictUndefined)  # noqa: S701 - TeX
_AGREEMENT_HEAD = ["Frame", "Alpha", "95% interval", "Percent", "Paragraphs"]
BEHAVIOUR_HEAD = ["Check", "Kind", "Tried", "Failed", "Passed"]


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the appendix; `name` is that of its files."""

    name: str
    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


def write_report(
    folder: Path,
    model: FrameModel,
    codebook: Codebook,
    paragraphs: Sequence[CodedParagraph],
    coded: Sequence[CodedParagraph] | None = None,
) -> list[Path]:
    """Writes all files about a model and the annotated paragraphs given, over those of an earlier report.

    On `coded`, paragraphs that the model never saw, it is validated too; what `validate` raises is raised before
    anything is written.
    """
    written = []
    for name, content in _files(model, codebook, paragraphs, coded):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        written.append(path)
    return written


def _files(
    model: FrameModel,
    codebook: Codebook,
    paragraphs: Sequence[CodedParagraph],
    coded: Sequence[CodedParagraph] | None,
) -> Iterator[tuple[str, str | bytes]]:
    card, validation, validation_tables = model.card, None, []
    if coded is not None:
        validation = validate(model, codebook, coded)
        validation_tables = _validation_tables(validation, codebook, coded)
    tables = [*_tables(card, codebook, paragraphs, check_behaviour(model, codebook, paragraphs)), *validation_tables]
    methods = _TEX.get_template("methods.tex").render(
        card=card, classes=[*map(escaped, codebook.classes)], validation=validation, figure=figure_text, tex=escaped
    )
    yield "methods.tex", methods
    yield "references.bib", Path(__file__).with_name("references.bib").read_text(encoding="utf-8")
    for one in tables:
        yield f"tables/{one.name}.tex", latex_table(one.caption, one.name, one.head, one.rows)
        yield f"tables/{one.name}.csv", csv_table(one.head, one.rows)
    evaluations = [card.left_out, *([card.held_out] if card.held_out else [])]
    colours = {frame.key: frame.colour for frame in codebook.frames}
    for name, chart in (
        ("f1", f1_chart(evaluations, card.frames, colours)),
        ("reliability", reliability_chart(card.left_out, card.frames, colours)),
    ):
        yield f"figures/{name}.svg", svg(chart)
        yield f"figures/{name}.pdf", vl_convert.vegalite_to_pdf(chart.to_dict())
    yield "model-card.md", card_to_markdown(card)
    yield "card.json", card_to_json(card)
    yield "codebook.toml", codebook_to_toml(codebook)
    yield "datasheet.md", _datasheet(codebook, paragraphs)
    yield "appendix.tex", _appendix(tables)
    yield "README.md", _readme(card, tables)


def _tables(
    card: ModelCard, codebook: Codebook, paragraphs: Sequence[CodedParagraph], checks: Sequence[Check]
) -> list[Table]:
    caption = f"Figures of model {card.version}: {card.left_out.how}"
    found = [Table("frames", caption, FIGURES_HEAD, figures_rows(card.left_out))]
    if card.held_out:
        found.append(Table("held-out", "Figures on held-out articles", FIGURES_HEAD, figures_rows(card.held_out)))
    if card.stances_left_out:
        found.append(Table("stances", "Stances of frames present", STANCES_HEAD, stances_rows(card.stances_left_out)))
    agreed = [_agreement_row(result) for result in agreement(paragraphs, codebook)]
    return [
        *found,
        Table(
            "baselines",
            "Baselines and model",
            BASELINES_HEAD,
            baselines_rows(card.baselines, card.held_out or card.left_out),
        ),
        Table("agreement", "Agreement of the coders", _AGREEMENT_HEAD, agreed),
        Table("behaviour", "Behaviour checks", BEHAVIOUR_HEAD, behaviour_rows(checks)),
    ]


def _validation_tables(validation: Validation, codebook: Codebook, coded: Sequence[CodedParagraph]) -> list[Table]:
    """Figures on paragraphs that the model never saw, and how far their coders agree."""
    name = "paragraphs coded for validation"
    tables = [Table("validation", f"Figures on {name}", FIGURES_HEAD, figures_rows(validation.evaluation))]
    if validation.stances is not None:
        rows = figures_rows(validation.stances)
        tables.append(Table("validation-stances", f"Stances of frames present in {name}", FIGURES_HEAD, rows))
    agreed = [_agreement_row(result) for result in agreement(coded, codebook)]
    return [*tables, Table("validation-agreement", f"Agreement of the coders of {name}", _AGREEMENT_HEAD, agreed)]


def behaviour_rows(checks: Sequence[Check]) -> list[list[str]]:
    """Cells under `BEHAVIOUR_HEAD`."""
    return [[c.name, c.kind, str(c.tried), str(c.failed), "yes" if c.passed else "no"] for c in checks]


def _agreement_row(result: FrameAgreement) -> list[str]:
    alpha = "undefined" if result.alpha is None else f"{result.alpha:.3f}"
    interval = "–" if result.interval is None else f"{result.interval[0]:.3f} to {result.interval[1]:.3f}"
    percent = "–" if result.percent is None else f"{result.percent:.1%}"
    return [result.frame, alpha, interval, percent, str(result.paragraphs)]


def _datasheet(codebook: Codebook, paragraphs: Sequence[CodedParagraph]) -> str:
    """What the annotated paragraphs are, counted from themselves."""
    gold = settle(paragraphs, codebook)
    sources = Counter(p.source for p in paragraphs)
    coders = Counter(a.coder for p in paragraphs for a in p.annotations)
    frames = [
        [
            frame.key,
            str(sum(frame.key in g.frames for g in gold)),
            *(str(sum(g.stances.get(frame.key) == stance for g in gold)) for stance in SPECIFIED_STANCES),
        ]
        for frame in codebook.frames
    ]
    words = sum(len(p.text.split()) for p in paragraphs)
    none, tied = sum(not g.frames for g in gold), sum(bool(g.unsettled) for g in gold)
    sections = [
        "# Datasheet",
        f"{len(paragraphs):,} paragraphs of {len({p.article for p in paragraphs}):,} articles from {len(sources)} "
        f"sources, {words:,} words, coded by {len(coders)} coders for the codebook '{codebook.name}', version "
        f"{codebook.version}. {none:,} carry no frame; on {tied:,} the coders are tied.",
        table(["Frame", "Carry it", *SPECIFIED_STANCES], frames),
        table(["Coder", "Paragraphs"], [[name, f"{count:,}"] for name, count in coders.most_common()]),
        table(["Source", "Paragraphs"], [[name, f"{count:,}"] for name, count in sorted(sources.items())]),
        "How the texts were chosen, who the coders are and what they were paid, and what may be done with the data "
        "is for you to add (Gebru et al. 2021, Datasheets for datasets).",
    ]
    return "\n\n".join(sections) + "\n"


def _appendix(tables: Sequence[Table]) -> str:
    """A document that compiles as it is, to look at or to take from."""
    return _TEX.get_template("appendix.tex").render(names=[one.name for one in tables])


def _readme(card: ModelCard, tables: Sequence[Table]) -> str:
    rows = [
        ["methods.tex", "the methods paragraph, with citations"],
        ["references.bib", "what is cited"],
        *([f"tables/{one.name}.tex, .csv", one.caption] for one in tables),
        ["figures/*.svg, *.pdf", "F1 of each frame, reliability"],
        ["model-card.md, card.json", "everything known about the model"],
        ["datasheet.md, codebook.toml", "the annotated paragraphs and what they were coded by"],
        ["appendix.tex", "all of it as a document: pdflatex, bibtex, pdflatex twice"],
    ]
    return f"# Appendix on model {card.version}\n\nMade by `framing report`.\n\n{table(['File', 'What it is'], rows)}\n"
