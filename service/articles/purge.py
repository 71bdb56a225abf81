"""Purging articles: removing them with everything derived from them, down to the bytes of the database file."""

from collections.abc import Sequence
from dataclasses import dataclass

from labels.paragraphs import SplitArticle
from service.store import article_lookup, audit
from service.store.articles import remove_article
from service.store.callers import Caller
from service.store.sql.database import Database
from training.encoder.vectors import VectorStore
from training.errors import ModelFileError
from training.registry.versions import Registry


@dataclass(frozen=True, slots=True)
class Purged:
    """Ids of articles that were removed and that were missing, and the models that were trained on any of them."""

    removed: tuple[str, ...]
    missing: tuple[str, ...]
    models: tuple[str, ...]


def purge(
    database: Database, registry: Registry, vectors: VectorStore, identifiers: Sequence[str], caller: Caller
) -> Purged:
    """Removes articles with their paragraphs, annotations, scores and remembered answers, and overwrites their bytes.

    So are the vectors of their paragraphs that are stored on this machine. What a model has learned from them stays in
    it: retrain without them if that matters.
    """
    removed, missing = [], []
    forget_vectors(database, vectors, identifiers)
    with database.write() as connection:
        for identifier in dict.fromkeys(identifiers):
            if remove_article(connection, identifier):
                audit.note(connection, caller, "purge article", identifier)
                removed.append(identifier)
            else:
                missing.append(identifier)
    database.overwrite_deleted(thoroughly=True)
    return Purged(tuple(removed), tuple(missing), _trained_on(registry, set(identifiers)))


def forget_vectors(database: Database, vectors: VectorStore, identifiers: Sequence[str]) -> None:
    """Removes the vectors of the paragraphs of stored articles; to be called before the articles are removed."""
    with database.read() as connection:
        splits = article_lookup.splits(connection, list(dict.fromkeys(identifiers)))
        former = article_lookup.former_versions_of(connection, identifiers)
    articles: list[SplitArticle | article_lookup.FormerVersion] = [*splits.values(), *former]
    vectors.forget(paragraph.text for article in articles for paragraph in article.paragraphs)


def _trained_on(registry: Registry, identifiers: set[str]) -> tuple[str, ...]:
    """Versions whose cards list any of the articles."""
    versions = []
    for version in registry.versions():
        try:
            if identifiers & set(registry.card(version).stored_articles):
                versions.append(version)
        except ModelFileError:
            continue  # `framing doctor` names damaged cards
    return tuple(versions)
