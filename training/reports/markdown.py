"""The evaluation as Markdown, for documents that state figures."""

from training.reports.evaluate import EvaluationReport
from training.reports.tables import figure_text, figures_table, reliability_table, stances_table, table


def report_to_markdown(report: EvaluationReport) -> str:
    """Returns the tables of the whole evaluation."""
    sections = [
        "# Evaluation",
        f"Written by `make figures`: the model of words on {report.paragraphs:,} annotated paragraphs of "
        f"{report.articles} articles of the corpus. Calibration and threshold of each fold come from the other folds.",
    ]
    for evaluation in (report.left_out, report.held_out):
        if evaluation is not None:
            sections += [f"## {evaluation.how.capitalize()}", figures_table(evaluation)]
    baselines = [[e.how, figure_text(e.macro.f1), figure_text(e.micro.f1)] for e in report.baselines_left_out]
    model = ["the model", figure_text(report.left_out.macro.f1), figure_text(report.left_out.micro.f1)]
    sources = [[s.source, str(s.paragraphs), figure_text(s.macro_f1)] for s in report.by_source]
    curve = [
        [f"{p.paragraphs:,}", f"{p.macro_f1:.2f}", f"{p.lowest:.2f} to {p.highest:.2f}"] for p in report.learning_curve
    ]
    sections += [
        f"## Baselines ({report.left_out.how})",
        table(["What decides", "Macro F1", "Micro F1"], [*baselines, model]),
        "## Each source, judged by models that never saw it",
        table(["Source", "Paragraphs", "Macro F1"], sources),
        "## Learning curve: macro F1 on the held-out articles",
        table(["Paragraphs trained on", "Mean", "Range over random sets of articles"], curve),
        *(["## Stances of frames that are present", stances_table(report.stances)] if report.stances else []),
        f"## Reliability ({report.left_out.how})",
        reliability_table(report.left_out),
    ]
    return "\n\n".join(sections) + "\n"
