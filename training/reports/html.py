"""The evaluation as a single HTML file with charts, readable offline and without scripts."""

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from training.reports.charts import curve_chart, f1_chart, reliability_chart, sources_chart, svg
from training.reports.evaluate import EvaluationReport
from training.reports.tables import figure_text

_PAGE = Environment(
    loader=PackageLoader("training.reports"),
    autoescape=select_autoescape(),
    undefined=StrictUndefined,
    trim_blocks=True,
)


def report_to_html(report: EvaluationReport) -> str:
    """Returns the page, complete in itself."""
    evaluations = [evaluation for evaluation in (report.left_out, report.held_out) if evaluation is not None]
    charts = {
        "f1": f1_chart(evaluations, report.frames, report.colours),
        "reliability": reliability_chart(report.left_out, report.frames, report.colours),
        "sources": sources_chart(report.by_source),
        "curve": curve_chart(report.learning_curve) if report.learning_curve else None,
    }
    return _PAGE.get_template("report.html").render(
        report=report,
        charts={name: Markup(svg(chart)) for name, chart in charts.items() if chart is not None},  # noqa: S704
        figure=figure_text,
        evaluations=evaluations,
    )
