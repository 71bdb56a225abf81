"""From a request to a stored article: read outside the transaction, stored within one, many at a time."""

from dataclasses import dataclass

from sqlalchemy import Connection

from labels.duplicates import ArticleSketch, sketch_article
from service.access.roles import Caller
from service.intake import Reading, read_article
from service.schemas.articles import ArticleRequest
from service.settings import Settings
from service.store import articles as store
from service.store import audit
from service.store.scorings import Scoring
from training.frame_model import FrameModel


@dataclass(frozen=True, slots=True)
class Prepared:
    """An article that is ready to be stored."""

    metadata: store.Metadata
    reading: Reading
    scoring: Scoring
    digest: str
    sketch: ArticleSketch


def prepare(request: ArticleRequest, model: FrameModel, settings: Settings) -> Prepared:
    """Cuts and scores an article; raises what `read_article` raises."""
    reading, metadata = read_article(request, model, settings), _metadata(request)
    scoring = Scoring(model.card.version, model.card.codebook_version, request.operating_point, reading.classification)
    digest = store.content_digest(metadata.outlet, reading.article)
    return Prepared(metadata, reading, scoring, digest, sketch_article(reading.article.text))


def add(connection: Connection, prepared: Prepared, caller: Caller) -> store.StoredArticle | str:
    """Stores an article and notes who did, or gives the id of the same one that is there already."""
    same = store.find_same(connection, prepared.metadata, prepared.digest)
    if same is not None:
        return same
    added = store.add(
        connection,
        prepared.metadata,
        prepared.reading.language,
        prepared.reading.article,
        prepared.scoring,
        prepared.sketch,
    )
    audit.note(connection, caller, "submit", added.id, outlet=prepared.metadata.outlet)
    return added


def _metadata(request: ArticleRequest) -> store.Metadata:
    """What the submitter says of the article."""
    return store.Metadata(
        title=request.title,
        url=request.url,
        outlet=request.outlet,
        author=request.author,
        published_at=request.published_at,
        external_id=request.external_id,
    )
