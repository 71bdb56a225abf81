"""From a request to a stored article: read and answered outside the transaction, stored within one, many at a time."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from service.articles.reading import read_article
from service.schemas.articles import ArticleRequest
from service.settings import Settings
from service.store import audit, idempotency, new_articles
from service.store.articles import Metadata
from service.store.callers import Caller
from service.store.idempotency import Remembered
from service.store.new_articles import NewArticle, new_article
from service.store.scorings import Scoring
from training.scoring.frame_model import FrameModel


@dataclass(frozen=True, slots=True)
class Submission:
    """An article to store and who sent it; where under a key, also what is answered to it from then on."""

    new: NewArticle
    caller: Caller
    key: str | None = None
    request_sha256: str = ""
    answer: str = ""


@dataclass(frozen=True, slots=True)
class Receipt:
    """The id that an article is stored under, whether it was stored just now, and what was answered under its key."""

    article_id: str
    stored: bool
    answer: str | None


def prepare(request: ArticleRequest, model: FrameModel, settings: Settings) -> NewArticle:
    """Cuts and scores an article; raises what `read_article` raises."""
    reading = read_article(request, model, settings)
    scoring = Scoring(model.card.version, model.card.codebook_version, request.operating_point, reading.classification)
    return new_article(_metadata(request), reading.language, reading.article, scoring)


def add_all(connection: Connection, arrived: Sequence[NewArticle], callers: Sequence[Caller]) -> list[str]:
    """Stores articles and notes who did; the ids they are stored under, those of the same ones if there already."""
    identifiers = new_articles.add_all(connection, arrived)
    audit.note_all(
        connection,
        [
            audit.Action(caller, "submit", identifier, {"outlet": one.article.metadata.outlet})
            for one, caller, identifier in zip(arrived, callers, identifiers, strict=True)
            if identifier == one.article.id
        ],
    )
    return identifiers


def submit_all(connection: Connection, submitted: Sequence[Submission], *, hours: int) -> list[Receipt]:
    """Stores articles, each key's once; what was answered under a key is kept for some `hours`.

    Raises `IdempotencyKeyReusedError` where a key stands for another request.
    """
    receipts: list[Receipt] = []
    together: list[Submission] = []
    for one in submitted:
        if one.key is not None and any(one.key == other.key for other in together):
            receipts += _submit(connection, together, hours)
            together = []
        together.append(one)
    return receipts + _submit(connection, together, hours)


def _submit(connection: Connection, submitted: Sequence[Submission], hours: int) -> list[Receipt]:
    """As `submit_all`, with no key twice."""
    known = idempotency.remembered(connection, [one.key for one in submitted if one.key is not None])
    for one in submitted:
        if one.key in known:
            known[one.key].require(one.request_sha256)
    new = [one for one in submitted if one.key not in known]
    identifiers = iter(add_all(connection, [one.new for one in new], [one.caller for one in new]))
    receipts = [_receipt(one, known[one.key] if one.key in known else next(identifiers)) for one in submitted]
    idempotency.remember(
        connection,
        [
            Remembered(one.key, one.request_sha256, receipt.article_id, one.answer)
            for one, receipt in zip(submitted, receipts, strict=True)
            if one.key is not None and receipt.stored
        ],
        hours=hours,
    )
    return receipts


def _receipt(submission: Submission, found: Remembered | str) -> Receipt:
    """Given what was remembered, or the id that the article is stored under."""
    if isinstance(found, Remembered):
        return Receipt(found.article_id, stored=False, answer=found.response)
    return Receipt(found, stored=found == submission.new.article.id, answer=None)


def _metadata(request: ArticleRequest) -> Metadata:
    """What the submitter says of the article."""
    return Metadata(
        title=request.title,
        url=request.url,
        outlet=request.outlet,
        author=request.author,
        published_at=request.published_at,
        external_id=request.external_id,
    )
