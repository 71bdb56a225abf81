"""How good decisions on whole articles are: by one paragraph, as in earlier versions, and by the score of the article.

Real articles were annotated as wholes. The articles of the written corpus carry more frames than news does, so they are
thinned until frames are as rare as in most outlets: there one paragraph that is wrongly called present makes an article
wrong. They are scored by models that never saw their source. Where parameters are fitted to these articles themselves,
none is scored by what was fitted to any form of it; the shipped ones were fitted to other forms of all of them.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.documents import show
from labels.annotations import DEFAULT_CORPUS, read_corpus
from labels.codebook import Codebook
from training.calibration import chance_calibration_error, expected_calibration_error
from training.challenger import DEFAULT_SEED
from training.cross_validation import LeftOut, calibrated_left_out, leave_out, left_out_decisions
from training.dataset import Dataset, build_dataset
from training.encoder.vectors import VectorStore
from training.evaluation import evaluate
from training.hyperparameters import Hyperparameters
from training.making.article_card import scores_of_base
from training.making.article_fit import ScoredArticles, articles_of, fit_articles, left_out_scores
from training.making.whole_articles import thinned
from training.model_card import Kind
from training.registry.base import BaseModel, article_facts_without_base, shipped_base
from training.reports.coded_files import CodedArticle, read_articles
from training.reports.tables import error_text, figure_text, table
from training.scoring.article_score import ArticleFacts, scores_of_articles
from training.scoring.operating_points import above_threshold

HEAD = ["Articles", "Present by", "Precision", "Recall", "F1", "ECE (chance)"]
FACTS_HEAD = ["Model", "Fitted to", "Power", "Sharpness", "Accidents", "Precision / recall, left out", "ECE (chance)"]
KINDS: tuple[Kind, ...] = ("encoder", "encoder-small", "words")
# Other ways of thinning than those by which the shipped parameters were chosen.
_SEEDS = range(100, 108)


def measure(codebook: Codebook, real: Path, vectors: VectorStore) -> dict[str, Any]:
    """The figures of the section by name, tables as Markdown; that of real articles is None without their file."""
    show("whole articles")
    bases = {kind: base for kind in KINDS if (base := shipped_base(kind))}
    dataset = build_dataset(read_corpus(DEFAULT_CORPUS, codebook), codebook)
    left_out = leave_out(dataset, Hyperparameters(), DEFAULT_SEED, stances=False)
    corpus = corpus_rows(dataset, left_out)
    figures: dict[str, Any] = {
        "facts": table(FACTS_HEAD, facts_rows(bases)),
        "corpus": table(HEAD, corpus),
        "real": None,
    }
    if real.exists():
        articles = read_articles(real, codebook, split="dev")
        rows = real_rows(codebook, articles, bases, vectors)
        figures |= {
            "real": table(HEAD, rows),
            "real_articles": len(articles),
            "best_by_any_paragraph": f"{best_by_any_paragraph(codebook, articles):.2f}",
        }
    return figures


def facts_rows(bases: Mapping[Kind, BaseModel]) -> list[list[str]]:
    """Cells under `FACTS_HEAD`, from the cards."""
    shipped: list[tuple[str, ArticleFacts | None]] = [(kind, base.card.article) for kind, base in bases.items()]
    shipped.append(("without a base", article_facts_without_base()))
    rows = []
    for name, facts in shipped:
        if facts is not None:
            cut = facts.cuts["balanced"]
            figures = f"{cut.precision or 0:.2f} / {cut.recall or 0:.2f}"
            numbers = [f"{number:.2f}" for number in (facts.power, facts.sharpness, facts.accidents)]
            error = f"{error_text(facts.ece)} ({error_text(facts.chance_ece)})"
            rows.append([name, f"{facts.articles:,} {facts.learned_from}", *numbers, figures, error])
    return rows


def corpus_rows(dataset: Dataset, left_out: LeftOut) -> list[list[str]]:
    """Cells under `HEAD` for the articles of the corpus, thinned and as they are."""
    scores = calibrated_left_out(dataset, left_out)
    decisions = left_out_decisions(dataset, left_out, scores)
    # The decisions of paragraphs take the same way as their scores, so that both belong to the same articles.
    rare, rare_decisions = (thinned(dataset, each, _SEEDS) for each in (scores, decisions.astype(float)))
    fitted, facts = fit_articles(rare, ""), article_facts_without_base()
    whole, whole_decisions = (
        articles_of([str(name) for name in dataset.articles], each, dataset.targets)
        for each in (scores, decisions.astype(float))
    )
    return [
        _row("thinned", "one paragraph", rare, _highest(rare), _highest(rare_decisions) > 0),
        _by_score("thinned", "score, fitted to others of these", rare, left_out_scores(rare, fitted.power), fitted),
        _by_score("thinned", "score, as shipped", rare, _scores(facts, rare), facts),
        _row("as they are", "one paragraph", whole, _highest(whole), _highest(whole_decisions) > 0),
        _by_score("as they are", "score, as shipped", whole, _scores(facts, whole), facts),
    ]


def best_by_any_paragraph(codebook: Codebook, articles: Sequence[CodedArticle]) -> float:
    """The micro F1 of articles where one paragraph decides, if decisions on paragraphs were those of their coders."""
    decided = [
        {frame for paragraph in article.paragraphs for entry in paragraph.annotations for frame in entry.frames}
        for article in articles
    ]
    decisions, carried = (
        np.array([[key in frames for key in codebook.keys] for frames in each])
        for each in (decided, [article.frames for article in articles])
    )
    return float(2 * (decisions & carried).sum() / (decisions.sum() + carried.sum()))


def real_rows(
    codebook: Codebook, articles: Sequence[CodedArticle], bases: Mapping[Kind, BaseModel], vectors: VectorStore
) -> list[list[str]]:
    """Cells under `HEAD` for real articles that were annotated as wholes."""
    paragraphs = [paragraph for article in articles for paragraph in article.paragraphs]
    names = [paragraph.article for paragraph in paragraphs]
    carried = {article.article: [key in article.frames for key in codebook.keys] for article in articles}
    targets = np.array([carried[name] for name in names])
    rows = []
    for kind, base in bases.items():
        scores = scores_of_base(base, [paragraph.text for paragraph in paragraphs], vectors)
        scored = articles_of(names, scores, targets)
        cuts = [base.card.cuts["balanced"][key] for key in codebook.keys]
        rows.append(_row(kind, "one paragraph", scored, _highest(scored), above_threshold(_highest(scored), cuts)))
        if base.card.article is not None:
            rows.append(_by_score(kind, "score", scored, _scores(base.card.article, scored), base.card.article))
    return rows


def _highest(articles: ScoredArticles) -> NDArray[np.float64]:
    return _scores(None, articles)


def _scores(facts: ArticleFacts | None, articles: ScoredArticles) -> NDArray[np.float64]:
    return scores_of_articles(facts, articles.scores, articles.begins)


def _by_score(
    which: str, how: str, articles: ScoredArticles, scores: NDArray[np.float64], facts: ArticleFacts
) -> list[str]:
    return _row(which, how, articles, scores, above_threshold(scores, [facts.cuts["balanced"]]))


def _row(
    which: str, how: str, articles: ScoredArticles, scores: NDArray[np.float64], decisions: NDArray[np.bool_]
) -> list[str]:
    names = np.array(articles.names, dtype=object)
    frames = tuple(map(str, range(scores.shape[1])))
    micro = evaluate("", frames, scores, decisions, articles.carried, names).micro
    error = expected_calibration_error(scores.ravel(), articles.carried.ravel())
    chance = chance_calibration_error(scores.ravel())
    figures = [figure_text(figure) for figure in (micro.precision, micro.recall, micro.f1)]
    return [which, how, *figures, f"{error_text(error)} ({error_text(chance)})"]
