"""Writes how a model scores articles onto the card of a base, or into the file for models without a base."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from labels.codebook import Codebook
from training.cross_validation import ReportProgress, no_progress
from training.encoder.vectors import VectorStore
from training.making.article_fit import fit_articles
from training.making.whole_articles import CODES, read_codes, scored_corpus, scored_news, texts_of
from training.registry.base import BaseModel, read_base
from training.registry.model_files import CARD_FILE
from training.scoring.article_score import ArticleFacts
from training.scoring.compiled import sigmoid

_OF_NEWS = "news articles that the base had not learned from, annotated by language-model coders"
_OF_CORPUS = (
    "articles of the written corpus, with as few paragraphs with frames as in most outlets, scored by a model of words"
)


def fit_base(
    folder: Path,
    news: Sequence[Path],
    vectors: VectorStore,
    progress: ReportProgress = no_progress,
    codes: Path = CODES,
) -> ArticleFacts:
    """Fits how the base in a folder scores articles, given files of news, and writes it onto the card.

    Raises `TrainingDataError` where paragraphs are missing from the files.
    """
    base, articles = read_base(folder), read_codes(codes)
    texts = texts_of(articles, news)
    scores = dict(zip(texts, scores_of_base(base, list(texts.values()), vectors, progress), strict=True))
    facts = fit_articles(scored_news(articles, base.card.frame_keys, scores), _OF_NEWS)
    path = folder / CARD_FILE
    card = json.loads(path.read_text(encoding="utf-8"))
    # The other facts stay as they are written there.
    _write(path, {**card, "article": asdict(facts)})
    return facts


def scores_of_base(
    base: BaseModel, texts: list[str], vectors: VectorStore, progress: ReportProgress = no_progress
) -> NDArray[np.float64]:
    """Returns the scores of the frames, (n, k), for n paragraphs."""
    count = len(base.card.frames)
    if base.terms is not None:
        return sigmoid(np.asarray(base.scorer.logits(texts))[:, :count])
    means = vectors.means(base.card.encoder_digest, texts, lambda share: progress("encode paragraphs", share))
    return sigmoid((means @ base.coefficients + base.intercepts)[:, :count])


def fit_without_base(path: Path, codebook: Codebook, progress: ReportProgress = no_progress) -> ArticleFacts:
    """Fits how a model without a base scores articles, to the written corpus, and writes it into a file."""
    facts = fit_articles(scored_corpus(codebook, progress), _OF_CORPUS)
    _write(path, asdict(facts))
    return facts


def _write(path: Path, content: dict[str, object]) -> None:
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
