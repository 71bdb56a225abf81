"""`framing report`: the appendix of a paper in a folder: methods, references, tables, plots, model card, datasheet."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from labels.agreement import agreement
from labels.annotations import CodedParagraph
from labels.codebook import Codebook, codebook_to_toml
from training.behaviour import Check, check_behaviour
from training.cross_validation import ReportProgress, no_progress
from training.evaluation import OF_THE_BASE
from training.model_card import ModelCard
from training.registry.base import shipped_base
from training.registry.card import card_to_json
from training.registry.provenance import figures_hold_for, learned_from
from training.reports.card import card_to_markdown
from training.reports.charts import f1_chart, pdf, reliability_chart, svg
from training.reports.datasheet import datasheet
from training.reports.latex import csv_table, escaped, latex_table
from training.reports.tables import (
    AGREEMENT_HEAD,
    BASELINES_HEAD,
    BEHAVIOUR_HEAD,
    FIGURES_HEAD,
    STANCES_HEAD,
    agreement_rows,
    baselines_rows,
    behaviour_rows,
    figure_text,
    figures_rows,
    stances_rows,
    table,
)
from training.reports.trained_on import Screen, trained_on_note, unseen_paragraphs
from training.scoring.frame_model import FrameModel
from training.validation import Validation, validate

_TEX = Environment(loader=PackageLoader("training.reports"), autoescape=False, undefined=StrictUndefined)  # noqa: S701 - TeX


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the appendix; its files are named `name`."""

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
    progress: ReportProgress = no_progress,
    screen: Screen = Screen(),  # noqa: B008 - immutable
) -> list[Path]:
    """Writes all files about a model and its annotated paragraphs, over those of an earlier report; returns the paths.

    With `coded`, it validates the model on coded paragraphs too; `screen` says what the model learned from. Errors of
    `validate` and `screened` are raised before anything is written.
    """
    written = []
    for name, content in _files(model, codebook, paragraphs, coded, progress, screen):
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
    progress: ReportProgress,
    screen: Screen,
) -> Iterator[tuple[str, str | bytes]]:
    card, validation, validation_tables, note = model.card, None, [], None
    if coded is not None:
        unseen = unseen_paragraphs(screen, coded)
        coded = [row.paragraph for row in unseen.described]
        validation, note = validate(model, codebook, coded), trained_on_note(unseen.left_out, unseen.judged)
        validation_tables = _validation_tables(validation, codebook, coded)
    # Before the checks of behaviour, which take minutes with an encoder.
    methods = _methods(card, codebook, validation, note)
    tables = [
        *_tables(card, codebook, paragraphs, check_behaviour(model, codebook, paragraphs, progress)),
        *validation_tables,
    ]
    yield "methods.tex", methods
    yield "references.bib", _references(methods)
    for entry in tables:
        yield f"tables/{entry.name}.tex", latex_table(entry.caption, entry.name, entry.head, entry.rows)
        yield f"tables/{entry.name}.csv", csv_table(entry.head, entry.rows)
    evaluations = [card.left_out, *([card.held_out] if card.held_out else [])]
    for name, chart in (
        ("f1", f1_chart(evaluations, card.frames, codebook.colours)),
        ("reliability", reliability_chart(card.left_out, card.frames, codebook.colours)),
    ):
        yield f"figures/{name}.svg", svg(chart)
        yield f"figures/{name}.pdf", pdf(chart)
    yield "model-card.md", card_to_markdown(card)
    yield "card.json", card_to_json(card)
    yield "codebook.toml", codebook_to_toml(codebook)
    yield "datasheet.md", datasheet(codebook, paragraphs, card)
    yield "appendix.tex", _appendix(tables)
    yield "README.md", _readme(card, tables)


def _tables(
    card: ModelCard, codebook: Codebook, paragraphs: Sequence[CodedParagraph], checks: Sequence[Check]
) -> list[Table]:
    """Returns the tables on the model: figures, baselines, agreement of the coders and behaviour."""
    caption = f"Figures of model {card.version}: {card.left_out.how}"
    tables = [Table("frames", caption, FIGURES_HEAD, figures_rows(card.left_out))]
    if card.held_out:
        tables.append(Table("held-out", "Figures on held-out articles", FIGURES_HEAD, figures_rows(card.held_out)))
    if card.stances_left_out:
        tables.append(Table("stances", "Stances of frames present", STANCES_HEAD, stances_rows(card.stances_left_out)))
    baselines = baselines_rows(card.baselines, card.held_out or card.left_out)
    agreed = agreement_rows(agreement(paragraphs, codebook))
    return [
        *tables,
        Table("baselines", "Baselines and model", BASELINES_HEAD, baselines),
        Table("agreement", "Agreement of the coders", AGREEMENT_HEAD, agreed),
        Table("behaviour", "Behaviour checks", BEHAVIOUR_HEAD, behaviour_rows(checks)),
    ]


def _validation_tables(validation: Validation, codebook: Codebook, coded: Sequence[CodedParagraph]) -> list[Table]:
    """Returns figures on paragraphs that the model never saw, and the agreement of their coders."""
    name = "paragraphs coded for validation"
    tables = [Table("validation", f"Figures on {name}", FIGURES_HEAD, figures_rows(validation.evaluation))]
    if validation.stances is not None:
        rows = figures_rows(validation.stances)
        tables.append(Table("validation-stances", f"Stances of frames present in {name}", FIGURES_HEAD, rows))
    agreed = agreement_rows(agreement(coded, codebook))
    return [*tables, Table("validation-agreement", f"Agreement of the coders of {name}", AGREEMENT_HEAD, agreed)]


def _methods(card: ModelCard, codebook: Codebook, validation: Validation | None, note: str | None) -> str:
    """Returns the methods paragraph in LaTeX, with citations and figures; `note` is about the validation."""
    base = shipped_base(card.kind)
    return _TEX.get_template("methods.tex").render(
        card=card,
        words={**(base.card.hyperparameters if base else {}), **card.hyperparameters},
        base_note=base.card.note if base and base.card.encoder == card.encoder else "",
        classes=[*map(escaped, codebook.classes)],
        validation=validation,
        validation_note=note,
        learned_from=learned_from(card),
        figures_hold_for=figures_hold_for(card),
        of_the_base=OF_THE_BASE,
        figure=figure_text,
        tex=escaped,
    )


def _references(methods: str) -> str:
    """Returns the references that the methods cite; `references.bib` has a reference per line."""
    cited = set(re.findall(r"\\cite[pt]\{(\w+)\}", methods))
    references = Path(__file__).with_name("references.bib").read_text(encoding="utf-8").splitlines(keepends=True)
    return "".join(line for line in references if line.partition("{")[2].partition(",")[0] in cited)


def _appendix(tables: Sequence[Table]) -> str:
    """Returns a LaTeX document that inputs all files and compiles without changes."""
    return _TEX.get_template("appendix.tex").render(names=[entry.name for entry in tables])


def _readme(card: ModelCard, tables: Sequence[Table]) -> str:
    rows = [
        ["methods.tex", "the methods paragraph, with citations"],
        ["references.bib", "what is cited"],
        *([f"tables/{entry.name}.tex, .csv", entry.caption] for entry in tables),
        ["figures/*.svg, *.pdf", "F1 of each frame, reliability"],
        ["model-card.md, card.json", "everything known about the model"],
        ["datasheet.md, codebook.toml", "the annotated paragraphs and their codebook"],
        ["appendix.tex", "all of it as a document: pdflatex, bibtex, pdflatex twice"],
    ]
    return f"# Appendix on model {card.version}\n\nMade by `framing report`.\n\n{table(['File', 'What it is'], rows)}\n"
