"""Looking up stored articles, with the evidence for their scores computed again."""

from dataclasses import replace

from sqlalchemy import Connection

from service.errors import NotFoundError
from service.store.article_lookup import get_article
from service.store.articles import StoredArticle
from training.scoring.frame_model import FrameModel


def require_article(connection: Connection, identifier: str, model_version: str | None) -> StoredArticle:
    """The article as `model_version` scored it, else with its newest scoring; raises `NotFoundError`."""
    article = get_article(connection, identifier, model_version)
    if article is None:
        raise NotFoundError.article(identifier)
    return article


def with_evidence(article: StoredArticle, model: FrameModel) -> StoredArticle:
    """The article with evidence for its stored scores, if the model gave these scores; else unchanged.

    Evidence is not stored: it is larger than the article.
    """
    if model.card.version != article.scoring.model_version:
        return article
    _, explanations = model.score_and_explain([paragraph.text for paragraph in article.split.paragraphs])
    stored = article.scoring.classification
    paragraphs = tuple(
        {frame: decisions[frame]._replace(explanation=explanation[k]) for k, frame in enumerate(model.frames)}
        for decisions, explanation in zip(stored.paragraphs, explanations, strict=True)
    )
    return replace(article, scoring=replace(article.scoring, classification=replace(stored, paragraphs=paragraphs)))
