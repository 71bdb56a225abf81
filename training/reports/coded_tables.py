"""The tables of a model judged on coded paragraphs, as cells and as Markdown."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from training.evaluation import Averages, Evaluation, Figure, FrameFigures
from training.reports.article_figures import ARTICLES_HEAD, articles_rows
from training.reports.coded_figures import FramesFigures, GroupFigures
from training.reports.coded_report import CodedReport, TextFigures
from training.reports.renaming import MOST_CHANGED, RenamedFigures
from training.reports.tables import STANCES_HEAD, error_text, figure_text, stances_rows, table
from training.reports.trained_on import trained_on_note

SCORES_HEAD = ["Frame", "Support", "Prevalence", "Average precision", "ECE", "ECE of a calibrated model", "Uncertain"]
POINTS_HEAD = ["Frame", "Operating point", "Precision", "Recall", "F1"]
GROUPS_HEAD = ["By", "Name", "Paragraphs", "With a frame", "Macro F1", "Micro F1", "Average precision"]
OTHER_HEAD = ["Frame", "Present"]
CALLED_HEAD = ["Articles", "About something else"]
RENAMED_HEAD = ["What is replaced", "Paragraphs", "Decisions that change", "… from or to present"]


@dataclass(frozen=True, slots=True)
class TitledTable:
    """A table of a report: its title, its head and its rows of cells."""

    title: str
    head: list[str]
    rows: list[list[str]]


def coded_tables(report: CodedReport) -> Iterator[TitledTable]:
    """Yields the tables of a report that have rows."""
    for figures in (report.figures, report.population):
        if figures is not None:
            yield from _text_tables(figures)
    if report.groups:
        yield TitledTable("At balanced, by outlet, genre and topic", GROUPS_HEAD, groups_rows(report.groups))
    if report.renamed:
        title = (
            f"Decisions that change when other names stand in the text, at balanced (aim: at most {MOST_CHANGED:.0%})"
        )
        yield TitledTable(title, RENAMED_HEAD, renamed_rows(report.renamed))
    if report.articles is not None:
        title = f"Whole articles, at balanced: {report.articles.evaluation.articles:,}"
        yield TitledTable(title, ARTICLES_HEAD, articles_rows(report.articles))
    if report.other is not None:
        names = [frames.frame for frames in report.figures.frames.points["balanced"].frames]
        cells = [list(row) for row in zip([*names, "any frame"], map(percent_text, report.other.shares), strict=True)]
        yield TitledTable(f"Other news: {report.other.paragraphs:,} paragraphs given a frame", OTHER_HEAD, cells)
    called = [("coded", report.called_other), ("other news", report.other.called_other if report.other else None)]
    if rows := [[name, percent_text(figure)] for name, figure in called if figure is not None]:
        yield TitledTable("Articles said to be about something else", CALLED_HEAD, rows)


def _text_tables(figures: TextFigures) -> Iterator[TitledTable]:
    title = f"{figures.how}: {figures.paragraphs:,} paragraphs of {figures.articles:,} articles"
    yield TitledTable(title, POINTS_HEAD, points_rows(figures.frames))
    yield TitledTable(f"scores, {figures.how}", SCORES_HEAD, scores_rows(figures.frames))
    if figures.stances is not None:
        yield TitledTable(figures.stances.overall.how, STANCES_HEAD, stances_rows(figures.stances))


def points_rows(figures: FramesFigures) -> list[list[str]]:
    """Returns a row per frame and operating point, then the macro averages."""
    points = figures.points.items()
    frames = range(len(figures.points["balanced"].frames))
    rows = [_point_row(e.frames[k].frame, point, e.frames[k]) for k in frames for point, e in points]
    return [*rows, *(_point_row("macro", point, evaluation.macro) for point, evaluation in points)]


def _point_row(name: str, point: str, figures: FrameFigures | Averages) -> list[str]:
    return [name, point, *map(figure_text, (figures.precision, figures.recall, figures.f1))]


def scores_rows(figures: FramesFigures) -> list[list[str]]:
    """Returns a row per frame, then the macro averages."""
    evaluation = figures.points["balanced"]
    ends = zip(figures.carried, figures.chance_ece, figures.uncertain, strict=False)
    rows = [
        [
            f.frame,
            str(f.support),
            percent_text(c),
            figure_text(f.average_precision),
            error_text(f.ece),
            f"{e:.3f}",
            percent_text(u),
        ]
        for f, (c, e, u) in zip(evaluation.frames, ends, strict=True)
    ]
    carried, uncertain = percent_text(figures.carried[-1]), percent_text(figures.uncertain[-1])
    chance, ap = f"{np.mean(figures.chance_ece):.3f}", figure_text(evaluation.macro_average_precision)
    return [*rows, ["macro", "", carried, ap, error_text(evaluation.ece), chance, uncertain]]


def groups_rows(groups: Sequence[GroupFigures]) -> list[list[str]]:
    """Returns a row per outlet, genre and topic."""
    return [
        [
            group.grouped_by,
            group.name,
            str(group.evaluation.paragraphs),
            str(group.carrying),
            *_averages(group.evaluation),
        ]
        for group in groups
    ]


def _averages(evaluation: Evaluation) -> list[str]:
    figures = (evaluation.macro.f1, evaluation.micro.f1, evaluation.macro_average_precision)
    return [figure_text(figure) for figure in figures]


def renamed_rows(renamed: Sequence[RenamedFigures]) -> list[list[str]]:
    """Returns a row per replacement of names."""
    return [
        [entry.name, f"{entry.paragraphs:,}", percent_text(entry.changed), percent_text(entry.moved)]
        for entry in renamed
    ]


def percent_text(figure: Figure) -> str:
    """Returns a share with its interval in percent, or a dash where it is undefined."""
    if figure.value is None or figure.low is None or figure.high is None:
        return "–"
    return f"{figure.value:.1%} [{figure.low:.1%}, {figure.high:.1%}]"


def coded_markdown(report: CodedReport) -> str:
    """Returns what became of paragraphs that the model learned from, and all tables, each under its title."""
    note = trained_on_note(report.left_out, report.paragraphs_known)
    sections = [
        *([note] if note else []),
        *(
            f"{entry.title[0].upper()}{entry.title[1:]}\n\n{table(entry.head, entry.rows)}"
            for entry in coded_tables(report)
        ),
    ]
    return "\n\n".join(sections) + "\n"
