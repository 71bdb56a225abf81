"""How good each kind of model is on real news and opinion: the first section of docs/quality.md.

The paragraphs (--real-news, or FRAMING_SHARED) belong to their outlets and are not shipped; they were coded by
language-model coders. Nothing is learned from, and nothing chosen on, the part `dev`, which is measured here.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from benchmarks.documents import show
from labels.codebook import Codebook
from tests.support.paths import SHARED
from training.evaluation import Evaluation, evaluate
from training.model_card import Kind
from training.registry.base import shipped_base
from training.reports.coded_files import CodedArticle, read_articles, read_coded, read_texts
from training.reports.coded_report import CodedReport, TextFigures, evaluate_coded
from training.reports.coded_tables import TitledTable, coded_tables, percent_text
from training.reports.tables import error_text, figure_text, table
from training.scoring.frame_model import FrameModel
from training.scoring.operating_points import above_threshold

DATA = SHARED / "real"
SPLIT = "dev"
HEAD = ["Model", "Paragraphs", "Macro F1", "Average precision", "ECE", "Stances, macro F1", "Other news with a frame"]
CODERS_HEAD = ["F1 on paragraphs of whole articles", "Support"]


def models(words: FrameModel) -> dict[str, FrameModel]:
    """The kinds of model that exist in this installation; the first is used to post-stratify."""
    kinds: tuple[Kind, ...] = ("encoder", "encoder-small", "words")
    shipped = {kind: base for kind in kinds if (base := shipped_base(kind))}
    return {
        **{kind: FrameModel(base.scorer, base.card) for kind, base in shipped.items()},
        "words, of the written corpus alone": words,
    }


def measure(kinds: Mapping[str, FrameModel], codebook: Codebook, folder: Path) -> dict[str, str]:
    """The tables of the section as Markdown, by name; the scores of the first kind are the strata of all."""
    coded = read_coded(folder / "coded.jsonl", codebook, split=SPLIT)
    population = read_texts(folder / "uncoded.jsonl.gz", split=SPLIT)
    other = read_texts(folder / "other.jsonl", split=SPLIT)
    articles = read_articles(folder / "articles.jsonl", codebook, split=SPLIT)
    strata = next(iter(kinds.values()))
    reports = {}
    for kind, model in kinds.items():
        show(f"real news, {kind}")
        reports[kind] = evaluate_coded(
            model, codebook, coded, population=population, other=other, articles=articles, strata=strata
        )
    return {
        "overview": table(HEAD, [row for kind, report in reports.items() for row in overview(kind, report)]),
        "coders": coders_table(kinds, codebook, articles, folder / "articles.jsonl"),
        "details": "\n\n".join(
            _detail(kind, entry) for kind, report in reports.items() for entry in coded_tables(report)
        ),
    }


def overview(kind: str, report: CodedReport) -> list[list[str]]:
    """Cells under `HEAD`: the random paragraphs, then all, post-stratified."""
    figures = [entry for entry in (report.figures, report.population) if entry is not None]
    others = percent_text(report.other.shares[-1]) if report.other else ""
    return [[kind, *_overview(entry), others if entry is report.figures else ""] for entry in figures]


def _overview(figures: TextFigures) -> list[str]:
    balanced = figures.frames.points["balanced"]
    stances = figure_text(figures.stances.overall.macro.f1) if figures.stances else "–"
    ap = figure_text(balanced.macro_average_precision)
    return [
        f"{figures.paragraphs:,}, {figures.how}",
        figure_text(balanced.macro.f1),
        ap,
        error_text(balanced.ece),
        stances,
    ]


def _detail(kind: str, entry: TitledTable) -> str:
    return f"{kind}: {entry.title}\n\n{table(entry.head, entry.rows)}"


def coders_table(
    kinds: Mapping[str, FrameModel], codebook: Codebook, articles: tuple[CodedArticle, ...], path: Path
) -> str:
    """F1 of a coder against the other on the paragraphs of whole articles, beside that of each kind of model."""
    paragraphs = [paragraph for article in articles for paragraph in article.paragraphs]
    names = np.array([paragraph.article for paragraph in paragraphs], dtype=object)
    settled = np.array([[key in paragraph.annotations[0].frames for key in codebook.keys] for paragraph in paragraphs])
    first, second = _codings(path, codebook)
    columns = {"coder against coder": evaluate("", codebook.keys, second.astype(float), second, first, names)}
    for kind, model in kinds.items():
        scores = model.score([paragraph.text for paragraph in paragraphs])
        decisions = above_threshold(scores, [model.card.cuts["balanced"][key] for key in codebook.keys])
        columns[kind] = evaluate("", codebook.keys, scores, decisions, settled, names)
    supports = settled.sum(axis=0)
    rows = [
        [frame, str(supports[k]), *(figure_text(figures.frames[k].f1) for figures in columns.values())]
        for k, frame in enumerate(codebook.keys)
    ]
    return table([*CODERS_HEAD, *columns], [*rows, ["micro", "", *map(_micro, columns.values())]])


def _micro(figures: Evaluation) -> str:
    return figure_text(figures.micro.f1)


def _codings(path: Path, codebook: Codebook) -> tuple[np.ndarray, np.ndarray]:
    """The decisions of both coders on the paragraphs of whole articles, boilerplate left out: (n, k) each."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    codings = [part["coders"] for row in rows for part in row["paragraphs"] if not part.get("boilerplate")]
    first, second = (
        np.array([[key in coders[which] for key in codebook.keys] for coders in codings]) for which in (0, 1)
    )
    return first, second
