"""The report on the shipped corpus: a single file, so that a single test process makes the report."""

import re

import pytest

from tests.support.paths import ROOT
from training.dataset import build_dataset
from training.reports.evaluate import report_of
from training.reports.html import report_to_html
from training.reports.latex import csv_table
from training.reports.markdown import report_to_markdown


@pytest.fixture(scope="module")
def report(challenger, corpus, codebook):
    return report_of(challenger, corpus, codebook)


def test_the_model_beats_both_baselines_on_sources_left_out_and_is_calibrated_there(report):
    for baseline in report.baselines_left_out:
        assert report.left_out.macro.f1.low > baseline.macro.f1.high + 0.1
    assert report.left_out.macro.f1.value > 0.75
    assert report.left_out.ece < 0.05


def test_the_report_has_sources_a_learning_curve_and_plots(report, corpus, codebook):
    dataset = build_dataset(corpus, codebook)
    assert {figure.source for figure in report.by_source} == set(dataset.take(~dataset.held_out).sources)
    curve = [point.macro_f1 for point in report.learning_curve]
    assert curve[-1] > curve[0]
    html = report_to_html(report)
    assert html.count("<svg") == 4
    assert "src=" not in html
    assert "<script" not in html


def test_the_documents_state_the_figures_that_the_commands_give(report):
    assert (ROOT / "docs" / "evaluation.md").read_text(encoding="utf-8") == report_to_markdown(report)
    quality = (ROOT / "docs" / "quality.md").read_text(encoding="utf-8")
    for evaluation in (report.left_out, report.held_out):
        macro, micro = (
            f"{f.value:.2f} [{f.low:.2f}, {f.high:.2f}]" for f in (evaluation.macro.f1, evaluation.micro.f1)
        )
        assert f"| {macro} | {micro} | {evaluation.ece:.3f} |" in quality


def test_the_readme_states_the_figures_on_real_news_that_the_quality_document_has():
    readme, quality = (
        " ".join((ROOT / name).read_text(encoding="utf-8").split()) for name in ("README.md", "docs/quality.md")
    )
    rows = re.findall(
        r"\| encoder \| [\d,]+, [^|]*coded paragraphs[^|]* \| ([^|]*) \| ([^|]*) \| [^|]* \| ([^|]*) \|", quality
    )
    assert len(rows) == 2
    for macro_f1, average_precision, _ in rows:
        assert macro_f1 in readme
        assert average_precision in readme
    assert rows[1][2] in readme


def test_every_figure_of_a_table_in_csv_is_a_number_in_a_cell_of_its_own():
    head = ["Frame", "Advanced / contested", "F1", "95% interval", "Percent", "Alpha"]
    rows = [
        ["a", "3 / 1", "0.50 [0.40, 0.60]", "0.700 to 0.900", "84.0%", "0.812"],
        ["b", "", "–", "–", "–", "undefined"],
    ]
    assert csv_table(head, rows).splitlines() == [
        "Frame,Advanced,contested,F1,F1 low,F1 high,95% interval low,95% interval high,Share of agreement,Alpha",
        "a,3,1,0.50,0.40,0.60,0.700,0.900,0.84,0.812",
        "b,,,,,,,,,",
    ]
