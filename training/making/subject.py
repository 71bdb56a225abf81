"""The head that tells articles on the subject of the codebook from news about something else.

It is fitted on paragraphs that the encoder learned from, because there are few others of other news, and on written
ones: other news from sport to recipes, which the files of real news lack, and beside them paragraphs of the written
corpus, so that what is written is not taken for what is off the subject. How far its scores can be trusted, and the
score below which an article is about something else, are determined on real articles held out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from labels.codebook import Codebook
from training.calibration import fit_platt
from training.cross_validation import ReportProgress
from training.encoder.encoder import Encoder
from training.encoder.heads import Heads
from training.finetuning.paragraphs import LearnedParagraph, read_written
from training.making.assembly import vectors_of
from training.model_card import SubjectCut, SubjectFacts
from training.reports.coded_files import json_lines
from training.scoring.subject import article_logit, places_by_article

# More paragraphs on the subject teach the head nothing and take minutes to encode.
_MOST_ON_SUBJECT = {"news": 1000, "written": 300}
# In articles of the written corpus on the subject, at least such a share of the paragraphs carries a frame.
_CARRYING = 0.25
_OTHER_NEWS = Path(__file__).with_name("other_news.jsonl")
# Of the articles on the subject, such a share may be taken for articles about something else.
MAX_MISSED = 0.01
# Nobody would believe an article to be about something else that is more likely about the subject.
_HIGHEST_CUT = 0.5
_REGULARISATION = 3.0


@dataclass(frozen=True, slots=True, eq=False)
class SubjectMaterial:
    """What the head learns from and is judged on: paragraphs of articles on the subject, and of others."""

    learned: Sequence[LearnedParagraph]
    judged: Sequence[LearnedParagraph]
    judged_others: Sequence[LearnedParagraph]


def written_paragraphs(codebook: Codebook) -> tuple[LearnedParagraph, ...]:
    """Returns the written paragraphs on the subject of the shipped codebook, and those of other news."""
    by_article: dict[str, list[LearnedParagraph]] = {}
    for paragraph in read_written(codebook):
        by_article.setdefault(paragraph.article, []).append(paragraph)
    on_subject = [
        paragraph
        for own in by_article.values()
        if sum(bool(paragraph.frames) for paragraph in own) >= _CARRYING * len(own)
        for paragraph in own
    ]
    others = [LearnedParagraph(row["article"], row["text"], {}, "other") for _, row in json_lines(_OTHER_NEWS)]
    return (*on_subject, *others)


def fit_subject(
    name: str, encoder: Encoder, material: SubjectMaterial, vectors: NDArray[np.float32], progress: ReportProgress
) -> tuple[Heads, SubjectFacts]:
    """Returns the calibrated head (a single column) of the subject with a name, and its facts.

    `vectors` (n, d) are those of the n judged paragraphs on the subject.
    """
    learned = _sample(material.learned)
    known = vectors_of(encoder, [paragraph.text for paragraph in learned], progress)
    of_others = vectors_of(encoder, [paragraph.text for paragraph in material.judged_others], progress)
    head = _fit(known, np.array([paragraph.origin != "other" for paragraph in learned]))
    logits = head.logits(np.concatenate([vectors, of_others]).astype(np.float64))[:, 0]
    articles = _by_article([*material.judged, *material.judged_others], logits)
    slope, offset = fit_platt(articles.logits, articles.on_subject, _equal_weights(articles.on_subject))
    paragraphs = np.array([paragraph.origin != "other" for paragraph in (*material.judged, *material.judged_others)])
    several = articles.sizes > 1
    facts = SubjectFacts(
        name=name,
        several=_cut(expit(slope * articles.logits + offset)[several], articles.on_subject[several]),
        alone=_cut(expit(slope * logits + offset), paragraphs),
    )
    return head.calibrated(np.array([slope]), np.array([offset])), facts


def _sample(learned: Sequence[LearnedParagraph]) -> list[LearnedParagraph]:
    """Returns all paragraphs of other news and a sample of those on the subject, real and written."""
    written = [paragraph for paragraph in learned if paragraph.origin == "written"]
    news = [paragraph for paragraph in learned if paragraph.origin not in ("written", "other")]
    others = [paragraph for paragraph in learned if paragraph.origin == "other"]
    return [*_some(news, _MOST_ON_SUBJECT["news"]), *_some(written, _MOST_ON_SUBJECT["written"]), *others]


def _some(paragraphs: Sequence[LearnedParagraph], most: int) -> list[LearnedParagraph]:
    chosen = np.random.default_rng(0).permutation(len(paragraphs))[:most]
    return [paragraphs[number] for number in np.sort(chosen).tolist()]


def _fit(vectors: NDArray[np.float32], on_subject: NDArray[np.bool_]) -> Heads:
    regression = LogisticRegression(C=_REGULARISATION, class_weight="balanced", max_iter=2000)
    with threadpool_limits(limits=1):
        regression.fit(vectors.astype(np.float64), on_subject)
    return Heads(np.asarray(regression.coef_.T, np.float64), np.asarray(regression.intercept_, np.float64))


@dataclass(frozen=True, slots=True, eq=False)
class _Articles:
    """Of each of m articles, (m,): log-odds, number of paragraphs, and whether it is on the subject."""

    logits: NDArray[np.float64]
    sizes: NDArray[np.int64]
    on_subject: NDArray[np.bool_]


def _by_article(paragraphs: Sequence[LearnedParagraph], logits: NDArray[np.float64]) -> _Articles:
    """Returns the articles of n paragraphs with log-odds (n,)."""
    articles = places_by_article(paragraph.article for paragraph in paragraphs).values()
    return _Articles(
        logits=np.array([article_logit(logits[own], [paragraphs[place].text for place in own]) for own in articles]),
        sizes=np.array([len(own) for own in articles]),
        on_subject=np.array([paragraphs[own[0]].origin != "other" for own in articles], dtype=np.bool_),
    )


def _equal_weights(on_subject: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Weights (m,) with which articles on the subject and others count the same: how common these are, nobody knows."""
    share = on_subject.mean()
    return np.asarray(np.where(on_subject, 0.5 / share, 0.5 / (1 - share)), np.float64)


def _cut(scores: NDArray[np.float64], on_subject: NDArray[np.bool_]) -> SubjectCut:
    """Returns the cut at which at most `MAX_MISSED` of those on the subject are missed, with a further article to come.

    Where they are too few to promise that, it is 0, and nothing is about something else.
    """
    own, others = np.sort(scores[on_subject]), scores[~on_subject]
    rank = int(MAX_MISSED * (len(own) + 1))
    cut = min(_HIGHEST_CUT, float(own[rank - 1])) if rank else 0.0
    return SubjectCut(
        other_below=cut,
        on_subject=len(own),
        missed=float((own < cut).mean()) if len(own) else 0.0,
        others=len(others),
        recognised=float((others < cut).mean()) if len(others) else 0.0,
    )
