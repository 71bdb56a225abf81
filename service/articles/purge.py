"""Taking articles down: out of the store with all that was made of them, and out of the database file's bytes."""

from collections.abc import Sequence
from dataclasses import dataclass

from service.store import articles, audit
from service.store.callers import Caller
from service.store.sql.database import Database
from training.errors import ModelFileError
from training.registry.versions import Registry


@dataclass(frozen=True, slots=True)
class TakenDown:
    """Which articles were removed, which were not there, and which models learned from any of them."""

    removed: tuple[str, ...]
    missing: tuple[str, ...]
    models: tuple[str, ...]


def take_down(database: Database, registry: Registry, identifiers: Sequence[str], caller: Caller) -> TakenDown:
    """Removes articles with their paragraphs, codes, scores and remembered answers, and overwrites their bytes.

    What a model learned stays in it: train again without them, where that matters.
    """
    removed, missing = [], []
    with database.write() as connection:
        for identifier in dict.fromkeys(identifiers):
            if articles.remove(connection, identifier):
                audit.note(connection, caller, "purge article", identifier)
                removed.append(identifier)
            else:
                missing.append(identifier)
    database.scrub(thoroughly=True)
    return TakenDown(tuple(removed), tuple(missing), _trained_on(registry, set(identifiers)))


def _trained_on(registry: Registry, identifiers: set[str]) -> tuple[str, ...]:
    found = []
    for version in registry.versions():
        try:
            if identifiers & set(registry.card(version).stored_articles):
                found.append(version)
        except ModelFileError:
            continue  # the doctor names damaged cards
    return tuple(found)
