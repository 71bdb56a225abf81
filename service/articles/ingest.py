"""Storing articles that were read and classified: the third step of a request, for a single article or for many.

`store_articles` is what the group commit of `create_app` runs, so articles of several requests share a transaction.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace

from sqlalchemy import Connection

from labels.reading.imprint import Imprint
from service.articles.reading import ReadArticle, classify_article, read_article
from service.errors import ConflictError
from service.schemas.articles import ArticleRequest
from service.settings import Settings
from service.store import audit, idempotency
from service.store.articles import (
    KnownArticle,
    Mark,
    Metadata,
    NewArticle,
    Placement,
    add_articles,
    compared,
    content_digest,
    known_by,
    known_to_the_sender,
    new_article,
)
from service.store.callers import Caller
from service.store.idempotency import RememberedAnswer
from service.store.replacement import replace_article
from service.store.scorings import Scoring
from service.store.sql.database import Database
from training.scoring.classification import Classification
from training.scoring.frame_model import FrameModel


@dataclass(frozen=True, slots=True)
class Submission:
    """An article to store and who sent it; under an Idempotency-Key also the digest of the request and its answer.

    With `replace`, it takes the place of the article that it would conflict with.
    """

    article: NewArticle
    caller: Caller
    key: str | None = None
    request_sha256: str = ""
    answer: str = ""
    replace: bool = False


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a submission, and the answer remembered under its key."""

    placement: Placement
    answer: str | None = None

    @property
    def article_id(self) -> str:
        """The id of the stored article."""
        return self.placement.id

    @property
    def stored(self) -> bool:
        """Whether this submission stored a new article."""
        return self.placement.outcome == "stored"

    @property
    def replaced(self) -> bool:
        """Whether this submission replaced the text of a stored article."""
        return self.placement.outcome == "replaced"


def metadata_of(request: ArticleRequest) -> Metadata:
    """What the submitter says about the article."""
    return Metadata(
        title=request.title,
        url=request.url,
        outlet=request.outlet,
        author=request.author,
        published_at=request.published_at,
        external_id=request.external_id,
    )


def with_imprint(request: ArticleRequest, imprint: Imprint, database: Database) -> ArticleRequest:
    """The request, completed by what the article says of itself where the submitter says nothing."""
    facts = {
        name: value for name, value in asdict(imprint).items() if value is not None and getattr(request, name) is None
    }
    if "url" in facts:
        mark = ("url", facts["url"])
        with database.read() as connection:
            holder = known_by(connection, [mark]).get(mark)
            own = known_to_the_sender(connection, metadata_of(request))
        # Some sites give the address of their front page for every page.
        if holder is not None and (own is None or own[1].id != holder.id):
            del facts["url"]
    return request.model_copy(update=facts) if facts else request


def submitted_digest(request: ArticleRequest) -> str:
    """The digest of what was sent to be scored, before anything is extracted from it."""
    content = request.text or request.html or "\0".join(request.paragraphs or ())
    kind = "text" if request.text else "html" if request.html else "paragraphs"
    return hashlib.sha256(f"{kind}\0{content}".encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Scored:
    """An article of a request that was read and scored, ready to be stored."""

    article: ReadArticle
    classification: Classification
    new: NewArticle


def scored_unless_stored(
    database: Database, request: ArticleRequest, model: FrameModel, settings: Settings, *, replace: bool
) -> Scored | Placement:
    """The article of a request, scored; what becomes of it if it is stored already and not to be replaced.

    An article that was sent before need not even be read. Raises the errors of `read_article`.
    """
    metadata, digest = metadata_of(request), submitted_digest(request)
    known = None if replace else _known_to_the_sender(database, metadata)
    if known is not None and known[1].submitted_sha256 == digest and not known[1].is_another(request.external_id):
        return Placement(known[1].id, "same")
    article = read_article(request, model, settings)
    if known is not None:
        return compared(*known, request.external_id, digest, article.split.text)
    sent, request = request, with_imprint(request, article.split.imprint, database)
    if not replace:
        content = ("content_sha256", content_digest(request.outlet, article.split.text))
        with database.read() as connection:
            holder = known_by(connection, [content]).get(content)
        if holder is not None and not holder.is_another(request.external_id):
            return Placement(holder.id, "same")
    classification = classify_article(article, request, model)
    return Scored(article, classification, scored_article(request, article, classification, model, sent))


def _known_to_the_sender(database: Database, metadata: Metadata) -> tuple[Mark, KnownArticle] | None:
    if metadata.external_id is None and metadata.url is None:
        return None
    with database.read() as connection:
        return known_to_the_sender(connection, metadata)


def require_no_conflict(placement: Placement, metadata: Metadata) -> None:
    """Raises `ConflictError` if another text is stored under the external id or the URL of the metadata."""
    if placement.outcome == "conflict":
        raise ConflictError.of(placement.mark, placement.id, metadata.external_id, metadata.url, metadata.outlet)


def scored_article(
    request: ArticleRequest,
    article: ReadArticle,
    classification: Classification,
    model: FrameModel,
    sent: ArticleRequest,
) -> NewArticle:
    """The article of a request with its scoring, ready to be stored; `sent` is the request without its imprint."""
    card = model.card
    scoring = Scoring(card.version, card.codebook_version, request.operating_point, classification)
    new = new_article(metadata_of(request), article.language, article.split, scoring, submitted_digest(request))
    return replace(new, has_url_of_page=sent.url is None and request.url is not None)


def store_articles(connection: Connection, submissions: Sequence[Submission], *, hours: int) -> list[Receipt]:
    """Stores articles, logs who sent them, and remembers the answers under their keys for some `hours`.

    Raises `IdempotencyKeyReusedError` if a key was sent before with another request.
    """
    return [receipt for group in _groups(submissions) for receipt in _store(connection, group, hours)]


def _groups(submissions: Sequence[Submission]) -> Iterator[list[Submission]]:
    """The submissions in groups in which no key occurs twice, and a submission that replaces is alone.

    The second submission under a key is a replay of the first, and what is replaced may just have been stored.
    """
    group: list[Submission] = []
    for submission in submissions:
        repeats_key = submission.key is not None and any(submission.key == other.key for other in group)
        if group and (repeats_key or submission.replace or group[-1].replace):
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
    placements = _placements(connection, new)
    audit.note_all(connection, list(_actions(new, placements)))
    placed = iter(placements)
    receipts = [
        _replayed(remembered[submission.key]) if submission.key in remembered else Receipt(next(placed))
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


def _placements(connection: Connection, submissions: Sequence[Submission]) -> list[Placement]:
    articles = [submission.article for submission in submissions]
    if any(submission.replace for submission in submissions):
        return [replace_article(connection, article) for article in articles]
    return add_articles(connection, articles)


def _actions(submissions: Sequence[Submission], placements: Sequence[Placement]) -> Iterator[audit.Action]:
    """The action for each article that was stored or replaced."""
    for submission, placement in zip(submissions, placements, strict=True):
        outlet = {"outlet": submission.article.article.metadata.outlet}
        if placement.outcome == "stored":
            yield audit.Action(submission.caller, "submit", placement.id, outlet)
        elif placement.outcome == "replaced":
            yield audit.Action(submission.caller, "replace article", placement.id, outlet)


def _replayed(answer: RememberedAnswer) -> Receipt:
    return Receipt(Placement(answer.article_id, "same"), answer.response)
