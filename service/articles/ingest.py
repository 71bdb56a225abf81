"""Storing articles that were read and classified: the third step of a request, for a single article or for many.

`store_articles` is what the group commit of `create_app` runs, so articles of several requests share a transaction.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from service.articles.reading import ReadArticle
from service.schemas.articles import ArticleRequest
from service.store import audit, idempotency
from service.store.articles import Metadata, NewArticle, add_articles, new_article
from service.store.callers import Caller
from service.store.idempotency import RememberedAnswer
from service.store.scorings import Scoring
from training.scoring.classification import Classification
from training.scoring.frame_model import FrameModel


@dataclass(frozen=True, slots=True)
class Submission:
    """An article to store and who sent it; under an Idempotency-Key also the digest of the request and its answer."""

    article: NewArticle
    caller: Caller
    key: str | None = None
    request_sha256: str = ""
    answer: str = ""


@dataclass(frozen=True, slots=True)
class Receipt:
    """The id of a stored article, whether this submission stored it, and the answer remembered under its key."""

    article_id: str
    stored: bool
    answer: str | None


def scored_article(
    request: ArticleRequest, article: ReadArticle, classification: Classification, model: FrameModel
) -> NewArticle:
    """The article of a request with its scoring, ready to be stored."""
    metadata = Metadata(
        title=request.title,
        url=request.url,
        outlet=request.outlet,
        author=request.author,
        published_at=request.published_at,
        external_id=request.external_id,
    )
    card = model.card
    scoring = Scoring(card.version, card.codebook_version, request.operating_point, classification)
    return new_article(metadata, article.language, article.split, scoring)


def store_articles(connection: Connection, submissions: Sequence[Submission], *, hours: int) -> list[Receipt]:
    """Stores articles, logs who sent them, and remembers the answers under their keys for some `hours`.

    Raises `IdempotencyKeyReusedError` if a key was sent before with another request.
    """
    return [receipt for group in _without_repeated_keys(submissions) for receipt in _store(connection, group, hours)]


def _without_repeated_keys(submissions: Sequence[Submission]) -> Iterator[list[Submission]]:
    """The submissions in groups in which no key occurs twice: the second is a replay of the first."""
    group: list[Submission] = []
    for submission in submissions:
        if submission.key is not None and any(submission.key == other.key for other in group):
            yield group
            group = []
        group.append(submission)
    yield group


def _store(connection: Connection, submissions: Sequence[Submission], hours: int) -> list[Receipt]:
    keys = [submission.key for submission in submissions if submission.key is not None]
    remembered = idempotency.remembered(connection, keys) if keys else {}
    for submission in submissions:
        if submission.key in remembered:
            remembered[submission.key].require(submission.request_sha256)
    new = [submission for submission in submissions if submission.key not in remembered]
    identifiers = add_articles(connection, [submission.article for submission in new])
    audit.note_all(connection, list(_actions(new, identifiers)))
    added = iter(identifiers)
    receipts = [
        _replayed(remembered[submission.key]) if submission.key in remembered else _stored(submission, next(added))
        for submission in submissions
    ]
    if keys:
        answers = [
            RememberedAnswer(submission.key, submission.request_sha256, receipt.article_id, submission.answer)
            for submission, receipt in zip(submissions, receipts, strict=True)
            if submission.key is not None and receipt.stored
        ]
        idempotency.remember(connection, answers, hours=hours)
    return receipts


def _actions(submissions: Sequence[Submission], identifiers: Sequence[str]) -> Iterator[audit.Action]:
    """The action for each article that was not stored before."""
    for submission, identifier in zip(submissions, identifiers, strict=True):
        article = submission.article.article
        if article.id == identifier:
            yield audit.Action(submission.caller, "submit", identifier, {"outlet": article.metadata.outlet})


def _replayed(answer: RememberedAnswer) -> Receipt:
    return Receipt(answer.article_id, stored=False, answer=answer.response)


def _stored(submission: Submission, identifier: str) -> Receipt:
    return Receipt(identifier, stored=identifier == submission.article.article.id, answer=None)
