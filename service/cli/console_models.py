"""Models and their evaluation in the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from service.cli.console import add_columns, optional, out, show_table
from training.reports.tables import (
    BASELINES_HEAD,
    FIGURES_HEAD,
    STANCES_HEAD,
    baselines_rows,
    figure_text,
    figures_rows,
    stances_rows,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from service.schemas.models import ModelAnswer, ModelFigures, ModelList
    from training.evaluation import Evaluation
    from training.registry.promotions import Promotion
    from training.reports.coded_report import CodedReport
    from training.reports.evaluate import EvaluationReport


def show_evaluation(evaluation: Evaluation) -> None:
    """Shows the figures of each frame, then macro and micro."""
    table = Table(title=f"{evaluation.how}: {evaluation.paragraphs:,} paragraphs of {evaluation.articles:,} articles")
    add_columns(table, FIGURES_HEAD)
    for number, row in enumerate(figures_rows(evaluation), 1):
        table.add_row(*row, end_section=number == len(evaluation.frames))
    out.print(table)


def show_coded_report(report: CodedReport) -> None:
    """Shows a model judged on coded paragraphs."""
    from training.reports.coded_tables import coded_tables

    for entry in coded_tables(report):
        show_table(entry.title, entry.head, entry.rows)


def show_report(report: EvaluationReport) -> None:
    """Shows a whole evaluation of the pipeline."""
    show_evaluation(report.left_out)
    if report.held_out:
        show_evaluation(report.held_out)
    if report.stances:
        title = f"Stances of frames that are present, {report.stances.overall.how}"
        show_table(title, STANCES_HEAD, stances_rows(report.stances))
    show_table(
        f"Baselines on the same paragraphs as '{report.left_out.how}'",
        BASELINES_HEAD,
        baselines_rows(report.baselines_left_out, report.left_out),
    )
    _show_reliability(report.left_out)
    show_table(
        "Macro F1 on each source, by models that never saw it",
        ("Source", "Paragraphs", "Macro F1"),
        [(source.source, str(source.paragraphs), figure_text(source.macro_f1)) for source in report.by_source],
    )
    show_table(
        "Learning curve: macro F1 on the held-out articles",
        ("Paragraphs trained on", "Mean", "Range"),
        [(f"{p.paragraphs:,}", f"{p.macro_f1:.2f}", f"{p.lowest:.2f}–{p.highest:.2f}") for p in report.learning_curve],
    )


def _show_reliability(evaluation: Evaluation) -> None:
    table = Table(title="Reliability: paragraphs by score, and the share of them that carries the frame")
    add_columns(table, ("Frame", "Score", "Paragraphs", "Mean score", "Share"))
    for figures in evaluation.frames:
        for row in figures.reliability:
            table.add_row(
                figures.frame,
                f"{row.low:.1f}–{row.high:.1f}",
                str(row.paragraphs),
                f"{row.mean_score:.2f}",
                f"{row.share:.2f}",
            )
        table.add_section()
    out.print(table)


def show_models(models: ModelList, history: Sequence[Promotion]) -> None:
    """Shows the versions, what their figures were measured on, their notes, and the promotions."""
    table = Table(title="Models")
    add_columns(table, ("Version", "Kind", "Trained", "Paragraphs", "Macro F1"))
    for model in models.models:
        table.add_row(
            _marked(model.version, "champion", "bold green") if model.champion else model.version,
            model.kind,
            f"{model.created_at:%Y-%m-%d %H:%M}",
            f"{model.paragraphs:,}",
            optional(_figures_of(model)[0].macro_f1.value),
        )
    for damaged in models.damaged:
        table.add_row(_marked(damaged.version, "damaged", "bold red"))
    out.print(table)
    # Beside the figures, sentences would leave them no room.
    for version, sentence in [
        *((model.version, sentence) for model in models.models for sentence in _sentences_about(model)),
        *((damaged.version, damaged.fault) for damaged in models.damaged),
    ]:
        out.print(f"{version}: {sentence}", highlight=False)
    for promotion in history:
        out.print(
            f"{promotion.number:>4}  {promotion.at[:19]}  {promotion.action} {promotion.version} "
            f"by {promotion.by}: {promotion.reason}",
        )


def _marked(version: str, mark: str, style: str) -> Text:
    return Text.assemble(version, " ", (mark, style))


def _figures_of(model: ModelAnswer) -> list[ModelFigures]:
    return [figures for figures in (model.held_out, model.left_out) if figures is not None]


def _sentences_about(model: ModelAnswer) -> Iterator[str]:
    """Says what each macro F1 was measured on, then the note."""
    for figures in _figures_of(model):
        value = optional(figures.macro_f1.value)
        yield f"macro F1 {value} on {figures.paragraphs:,} paragraphs: {figures.how}; {figures.texts}"
    if model.note:
        yield model.note
