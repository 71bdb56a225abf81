"""docs/prevalence.md is true: its worked example is what the estimator computes, and its examples estimate the same."""

import csv
import io
import re
import subprocess
import sys

import numpy as np
import pytest

from service.prevalence.regression import COLUMNS as REGRESSION_COLUMNS
from service.routes.prevalence import COLUMNS
from service.store.scores import COLUMNS as SCORES_COLUMNS
from tests.support.regressions import PAGE, example, write_scores
from training.estimates.prevalence import CodedUnits, Sums, corrected_share

TEXT = PAGE.read_text(encoding="utf-8")
WORKED = TEXT.partition("### An example by hand")[2].partition("\n## ")[0]


def rows_of(head):
    """The cells of the table with that head in the worked example."""
    body = WORKED.partition(f"{head}\n")[2].partition("\n\n")[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in body.splitlines()[1:]]


ARTICLES = [
    (float(first), float(second), float(label) if label else None)
    for _, first, second, label in rows_of(
        "| article | score, first paragraph | score, second paragraph | annotation of the first |"
    )
]
VALUES = {name: float(value) for name, value in rows_of("| quantity | value |")}


def by_the_service():
    sizes, scores = np.full(len(ARTICLES), 2.0), np.array([first + second for first, second, _ in ARTICLES])
    sums = Sums(
        len(sizes), sizes.sum(), scores.sum(), (sizes**2).sum(), (scores**2).sum(), float((sizes * scores).sum())
    )
    coded = [place for place, (_, _, label) in enumerate(ARTICLES) if label is not None]
    units = CodedUnits(
        label=np.array([ARTICLES[place][2] for place in coded], dtype=float),
        score=np.array([ARTICLES[place][0] for place in coded]),
        weight=np.ones(len(coded)),
        article=np.arange(len(coded)),
        article_sizes=sizes[coded],
        article_scores=scores[coded],
    )
    return corrected_share(sums, units)


def by_hand():
    """The formulas of the page, as they stand."""
    labelled = [(first, label) for first, _, label in ARTICLES if label is not None]
    n, total = len(labelled), 2 * len(ARTICLES)
    m = sum(first + second for first, second, _ in ARTICLES) / total
    y, s = (sum(column) / n for column in zip(*[(label, first) for first, label in labelled], strict=True))
    u = [(first + second - m * 2) / total for first, second, _ in ARTICLES]
    a = [0.0 if label is None else (label - y) / n for _, _, label in ARTICLES]
    b = [
        move - (0.0 if label is None else (first - s) / n) for move, (first, _, label) in zip(u, ARTICLES, strict=True)
    ]
    squares, products = sum(x * x for x in a), sum(x * z for x, z in zip(a, b, strict=True))
    score_squares = sum(z * z for z in b)
    tuning = min(1.0, max(0.0, -products / score_squares))
    return {
        "m": m,
        "ȳ": y,
        "s̄": s,
        "Σ a_g²": squares,
        "Σ a_g b_g": products,
        "Σ b_g²": score_squares,
        "λ": tuning,
        "corrected share": y + tuning * (m - s),
        "standard error, √V": (n / (n - 1) * (squares + 2 * tuning * products + tuning**2 * score_squares)) ** 0.5,
    }


def test_the_worked_example_is_what_the_service_computes():
    share = by_the_service()
    computed = (share.tuning, share.value, share.standard_error, share.low, share.high)
    names = ("λ", "corrected share", "standard error, √V", "low", "high")
    assert [round(float(value), 4) for value in computed] == [VALUES[name] for name in names]


def test_the_worked_example_can_be_redone_with_the_formulas_of_the_page():
    computed = by_hand()
    decimals = {name: len(value.partition(".")[2]) for name, value in rows_of("| quantity | value |")}
    assert {name: round(value, decimals[name]) for name, value in computed.items()} == {
        name: VALUES[name] for name in computed
    }
    assert computed["corrected share"] == pytest.approx(by_the_service().value, abs=1e-12)
    assert computed["standard error, √V"] == pytest.approx(by_the_service().standard_error, abs=1e-12)
    p, v, t = computed["corrected share"], computed["standard error, √V"] ** 2, VALUES["t, 7 degrees of freedom"]
    n = p * (1 - p) / v
    half = t * (v + t**2 / (4 * n**2)) ** 0.5
    ends = [(p + t**2 / (2 * n) + sign * half) / (1 + t**2 / n) for sign in (-1, 1)]
    assert ends == pytest.approx([VALUES["low"], VALUES["high"]], abs=2e-4)


def test_the_example_in_python_estimates_what_the_command_estimates(tmp_path):
    coefficients = write_scores(tmp_path / "scores.csv")
    (tmp_path / "example.py").write_text(example("python"), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "example.py"], cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [float(row["coefficient"]) for row in rows] == pytest.approx([c.coefficient for c in coefficients])
    assert [float(row["standard_error"]) for row in rows] == pytest.approx([c.standard_error for c in coefficients])


@pytest.mark.parametrize("columns", [COLUMNS, SCORES_COLUMNS, REGRESSION_COLUMNS])
def test_every_column_of_a_file_is_explained(columns):
    cells = re.findall(r"^\|([^|]*)\|", TEXT, re.MULTILINE)
    explained = {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}
    assert {column.name for column in columns} - explained == set()
