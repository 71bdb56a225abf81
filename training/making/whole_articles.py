"""Whole articles with the frames that they carry: real ones, of which only the annotations ship, and written ones.

`article_codes.jsonl` has a real article a line: a digest of its id, how many articles it stands for, and of each
paragraph a digest and the frames that it carries. The texts belong to their outlets; they are found by digest in files
of news, as paragraphs or as the neighbours that these name (`before` and `after`). All are of the fifth that no base
learned from.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from labels.annotations import DEFAULT_CORPUS, read_corpus
from labels.codebook import Codebook
from training.challenger import DEFAULT_SEED
from training.cross_validation import ReportProgress, calibrated_left_out, leave_out, no_progress
from training.dataset import Dataset, build_dataset
from training.errors import TrainingDataError
from training.hyperparameters import Hyperparameters
from training.making.article_fit import ScoredArticles, articles_of
from training.registry.learned import digest_of_text
from training.reports.coded_files import json_lines

CODES = Path(__file__).with_name("article_codes.jsonl")
_TEXT_FIELDS = ("text", "before", "after")
# In most outlets frames are rarer than in the corpus, so only this share of the paragraphs that carry any is kept,
# chosen anew in so many ways that each is kept about once.
RARE = 1 / 8
_THINNED = 8


@dataclass(frozen=True, slots=True)
class AnnotatedArticle:
    """A real article: the digest of each of its n paragraphs, and the frames that each carries."""

    name: str
    weight: float
    digests: tuple[str, ...]
    frames: tuple[frozenset[str], ...]


def read_codes(path: Path = CODES) -> tuple[AnnotatedArticle, ...]:
    """Reads the annotated articles."""
    return tuple(
        AnnotatedArticle(
            name=row["article"],
            weight=row["weight"],
            digests=tuple(row["paragraphs"]),
            frames=tuple(frozenset(row["frames"].get(digest, ())) for digest in row["paragraphs"]),
        )
        for _, row in json_lines(path)
    )


def texts_of(articles: Iterable[AnnotatedArticle], files: Sequence[Path]) -> dict[str, str]:
    """Returns the text of each paragraph by its digest, found in files of news.

    Raises `TrainingDataError` where a paragraph is in none of them.
    """
    wanted = {digest for article in articles for digest in article.digests}
    known: dict[str, str] = {}
    for path in files:
        for _, row in json_lines(path):
            for field in _TEXT_FIELDS if isinstance(row, dict) else ():
                text = row.get(field)
                if isinstance(text, str) and (digest := digest_of_text(text)) in wanted:
                    known[digest] = text
    if missing := len(wanted - known.keys()):
        raise TrainingDataError(
            f"{missing:,} of {len(wanted):,} paragraphs of the annotated articles are in none of these files: give the "
            "files of annotated and of other news from which the base was made."
        )
    return known


def scored_news(
    articles: Sequence[AnnotatedArticle], frames: Sequence[str], scores: dict[str, NDArray[np.float64]]
) -> ScoredArticles:
    """Returns real articles with the scores of their paragraphs, (k,) by digest."""
    rows = [(article.name, *pair) for article in articles for pair in zip(article.digests, article.frames, strict=True)]
    return articles_of(
        [name for name, _, _ in rows],
        np.array([scores[digest] for _, digest, _ in rows]),
        np.array([[frame in carried for frame in frames] for _, _, carried in rows]),
        {article.name: article.weight for article in articles},
    )


def scored_corpus(codebook: Codebook, progress: ReportProgress = no_progress) -> ScoredArticles:
    """Returns the articles of the written corpus as outlets have them where frames are rare.

    Scores are those of models of words that never saw the source of the article, calibrated on the corpus as it is: so
    will be those of a user's model, because many paragraphs are annotated that were chosen for their frames.
    """
    dataset = build_dataset(read_corpus(DEFAULT_CORPUS, codebook), codebook)
    left_out = leave_out(dataset, Hyperparameters(), DEFAULT_SEED, progress, stances=False)
    return thinned(dataset, calibrated_left_out(dataset, left_out), range(_THINNED))


def thinned(dataset: Dataset, scores: NDArray[np.float64], seeds: Iterable[int]) -> ScoredArticles:
    """Returns the articles of n paragraphs with scores (n, k), once for each seed, with fewer of those with frames."""
    names, places = [], []
    for seed in seeds:
        rows = np.flatnonzero(rare_stream(dataset, seed))
        places.append(rows)
        names += [(str(dataset.articles[place]), seed) for place in rows.tolist()]
    chosen = np.concatenate(places)
    articles = articles_of([f"{name}\n{seed}" for name, seed in names], scores[chosen], dataset.targets[chosen])
    # The forms of an article belong into the same fold, which its name decides.
    return replace(articles, names=tuple(name.split("\n")[0] for name in articles.names))


def rare_stream(dataset: Dataset, seed: int) -> NDArray[np.bool_]:
    """Returns a mask (n,) of all paragraphs without a frame, and of an eighth of those with frames."""
    chosen = np.random.default_rng([seed, 8]).random(len(dataset)) < RARE
    return ~dataset.targets.any(axis=1) | chosen
