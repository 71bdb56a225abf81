"""The tables of all reports: figures, stances, baselines, behaviour and agreement, as cells and as Markdown.

Each `..._rows` function returns the cells under the head of the same name.
"""

from collections.abc import Sequence

from labels.agreement import FrameAgreement
from training.behaviour import Check
from training.evaluation import Evaluation, Figure, StanceFigures

FIGURES_HEAD = ["Frame", "Support", "Precision", "Recall", "F1", "Average precision", "ECE"]
STANCES_HEAD = ["Frame", "Advanced / reported / contested", "Macro F1 over stances", "ECE"]
BASELINES_HEAD = ["What decides", "Macro F1", "Micro F1"]
BEHAVIOUR_HEAD = ["Check", "Kind", "Tried", "Failed", "Passed"]
AGREEMENT_HEAD = ["Frame", "Alpha", "95% interval", "Percent", "Paragraphs"]


def figure_text(figure: Figure) -> str:
    """Returns a figure with its interval, or a dash where it is undefined."""
    if figure.value is None or figure.low is None or figure.high is None:
        return "–"
    return f"{figure.value:.2f} [{figure.low:.2f}, {figure.high:.2f}]"


def error_text(error: float | None) -> str:
    """Returns an expected calibration error, or a dash where it is undefined."""
    return "–" if error is None else f"{error:.3f}"


def figures_rows(evaluation: Evaluation) -> list[list[str]]:
    """Returns a row per frame, then macro and micro averages."""
    rows = [
        [
            f.frame,
            str(f.support),
            *map(figure_text, (f.precision, f.recall, f.f1, f.average_precision)),
            error_text(f.ece),
        ]
        for f in evaluation.frames
    ]
    macro, micro = evaluation.macro, evaluation.micro
    ap = figure_text(evaluation.macro_average_precision)
    return [
        *rows,
        ["macro", "", *map(figure_text, (macro.precision, macro.recall, macro.f1)), ap, error_text(evaluation.ece)],
        ["micro", "", *map(figure_text, (micro.precision, micro.recall, micro.f1)), "", ""],
    ]


def stances_rows(figures: StanceFigures) -> list[list[str]]:
    """Returns a row per frame, then all frames, and all frames decided by the commonest stance of each."""
    rows = [_stance_row(frame, evaluation) for frame, evaluation in figures.frames.items()]
    return [*rows, _stance_row("all frames", figures.overall), _stance_row("the commonest stance", figures.majority)]


def _stance_row(name: str, evaluation: Evaluation) -> list[str]:
    support = " / ".join(str(stance.support) for stance in evaluation.frames)
    return [name, support, figure_text(evaluation.macro.f1), error_text(evaluation.ece)]


def baselines_rows(baselines: Sequence[Evaluation], model: Evaluation) -> list[list[str]]:
    """Returns a row per baseline, then the model itself on the same paragraphs."""
    judged = [*((baseline.how, baseline) for baseline in baselines), ("this model", model)]
    return [[name, figure_text(figures.macro.f1), figure_text(figures.micro.f1)] for name, figures in judged]


def behaviour_rows(checks: Sequence[Check]) -> list[list[str]]:
    """Returns a row per behaviour check."""
    return [[c.name, c.kind, str(c.tried), str(c.failed), "yes" if c.passed else "no"] for c in checks]


def agreement_rows(results: Sequence[FrameAgreement]) -> list[list[str]]:
    """Returns a row per frame with the agreement of its coders."""
    return [_agreement_row(result) for result in results]


def _agreement_row(result: FrameAgreement) -> list[str]:
    alpha = "undefined" if result.alpha is None else f"{result.alpha:.3f}"
    interval = "–" if result.interval is None else f"{result.interval[0]:.3f} to {result.interval[1]:.3f}"
    percent = "–" if result.percent is None else f"{result.percent:.1%}"
    return [result.frame, alpha, interval, percent, str(result.paragraphs)]


def table(head: list[str], rows: list[list[str]]) -> str:
    """Returns a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def figures_table(evaluation: Evaluation) -> str:
    """Returns a Markdown table of the figures per frame, macro and micro, with their intervals."""
    return (
        f"{evaluation.paragraphs:,} paragraphs of {evaluation.articles:,} articles, at the balanced operating point; "
        "95% intervals by bootstrap over articles.\n\n" + table(FIGURES_HEAD, figures_rows(evaluation))
    )


def stances_table(figures: StanceFigures) -> str:
    """Returns a Markdown table of how well the model distinguishes the stances of frames that are present."""
    return (
        f"{figures.overall.how}: {figures.overall.paragraphs:,} frames of paragraphs that carry them; 95% intervals by "
        "bootstrap over articles.\n\n" + table(STANCES_HEAD, stances_rows(figures))
    )


def reliability_table(evaluation: Evaluation) -> str:
    """Returns a Markdown table of the number of paragraphs by score and the share that carries the frame."""
    rows = [
        [
            figures.frame,
            f"{row.low:.1f} to {row.high:.1f}",
            str(row.paragraphs),
            f"{row.mean_score:.2f}",
            f"{row.share:.2f}",
        ]
        for figures in evaluation.frames
        for row in figures.reliability
    ]
    return table(["Frame", "Score", "Paragraphs", "Mean score", "Share that carries it"], rows)
