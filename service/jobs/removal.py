"""Removing articles with everything that has their text or is made of it, down to the bytes in the files.

An article is removed in a transaction, which also notes the removal. What then still has bytes of its text is looked
for until nothing has; the worker continues where the process that removed it stopped. These stores are walked:

- the database: `service.store.removals.WITH_TEXT`;
- `models/runs/`: the snapshots of training runs; a purge cancels those runs, another removal waits for their end;
- `vectors/`: the vectors of paragraphs, on this machine.

Rows of an import on their way are in a temporary table of a connection, in memory with SQLite; an import that names a
removed article is refused. The other folders have no text: `cache/` has charts, `models/` digests of paragraphs and
what a model has learned. The checkpoints in `finetuning/` are of a corpus in a file, not of stored articles.
"""

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from labels.paragraphs import SplitArticle
from service.errors import NotFoundError
from service.jobs.lock import worker_has_lock
from service.jobs.run_record import RunRecord, forget_removed, runs_with
from service.settings import Settings
from service.store import article_lookup, audit, removals
from service.store.articles import remove_article
from service.store.callers import Caller
from service.store.removals import Removal
from service.store.sql.database import Database
from service.store.sql.erasing import erase_deleted
from training.encoder.vectors import VectorStore
from training.errors import ModelFileError, StorageError
from training.registry.versions import Registry

_log = logging.getLogger("framing")

RemovalAction = Literal["delete article", "purge article"]

_TABLES = tuple(table.name for table in removals.WITH_TEXT)
_PAUSE_SECONDS = 0.2
# How often the worker tries again; PostgreSQL locks the tables that it rewrites, so those wait for each other.
_SQLITE_SECONDS = 5.0
_POSTGRESQL_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Purged:
    """Ids of articles that were removed and that were missing, and the models that were trained on any of them.

    `runs` are the training runs that were learning from them, and were ended. `left` says what still has bytes of the
    removed texts, and why; it is None once they are gone.
    """

    removed: tuple[str, ...]
    missing: tuple[str, ...]
    models: tuple[str, ...]
    runs: tuple[str, ...]
    left: str | None


class Remover:
    """Removes articles of a service, and erases what is left of their texts."""

    def __init__(self, settings: Settings, database: Database, registry: Registry) -> None:
        self._folder = settings.data_dir
        self._database = database
        self._registry = registry
        self._vectors = VectorStore(settings.vectors_dir)

    def delete(self, identifier: str, caller: Caller, seconds: float) -> Removal:
        """Removes an article, and tries for some `seconds` to erase its text; raises `NotFoundError`.

        Of an article that was removed before it erases what was left. Training runs that learn from it go on.
        """
        removed, _ = self._remove([identifier], caller, "delete article")
        if not removed:
            raise NotFoundError.article(identifier)
        self.erase(seconds, rewrite=False)
        return self.removal(identifier)

    def purge(self, identifiers: Sequence[str], caller: Caller, seconds: float) -> Purged:
        """Removes articles, ends the training runs that learn from them, and rewrites the database.

        It tries for some `seconds` to erase the texts, also those that earlier removals left.
        """
        removed, missing = self._remove(identifiers, caller, "purge article")
        runs = self._learning_from(set(removed))
        left = self.erase(seconds, rewrite=True)
        return Purged(tuple(removed), tuple(missing), self._trained_on(set(identifiers)), runs, left)

    def removal(self, identifier: str) -> Removal:
        """The last removal of an article; raises `NotFoundError` if it was never removed."""
        with self._database.read() as connection:
            removal = removals.newest(connection, identifier)
        if removal is None:
            raise NotFoundError(f"No article was removed under the id {identifier}.")
        return removal

    def erase(self, seconds: float, *, rewrite: bool) -> str | None:
        """Erases what removals left, and returns what is still left and why; None if nothing is.

        Without `rewrite` the database is not rewritten, and what needs that is left.
        """
        with self._database.read() as connection:
            waiting = removals.pending(connection)
        mine = [removal for removal in waiting if rewrite or not removal.thorough]
        if not mine:
            return None
        deadline = time.monotonic() + seconds
        in_runs, runs = self._end_runs(mine, deadline)
        of_rewriting = [removal for removal in mine if removal.thorough or not self._database.is_sqlite]
        # Rewriting is dear, so it waits until nothing else has the texts.
        thoroughly = rewrite and runs is None and bool(of_rewriting)
        rows = erase_deleted(self._database, _TABLES, deadline - time.monotonic(), thoroughly=thoroughly)
        if runs is None:
            return self._noted(mine, rows)
        waiting = [removal for removal in mine if removal in of_rewriting or removal.article_id in in_runs]
        self._noted([removal for removal in mine if removal not in waiting], rows)
        return self._noted(waiting, " ".join(filter(None, (runs, rows))))

    def _noted(self, erased: Sequence[Removal], left: str | None) -> str | None:
        """Notes what is left of some removals, and returns it, or that it could not be noted."""
        if left is not None and all(removal.obstacle == left for removal in erased):
            return left
        try:
            with self._database.write() as connection:
                removals.note_obstacle(connection, [removal.number for removal in erased], left)
        except DBAPIError:  # the bytes may be gone, but nobody knows
            return left or "The database accepts no writes at the moment, so this removal cannot be finished."
        return left

    def _remove(self, identifiers: Sequence[str], caller: Caller, action: RemovalAction) -> tuple[list[str], list[str]]:
        """Removes articles; returns the ids of those that were removed, now or before without end, and of the others.

        Raises `StorageError` where vectors cannot be removed, and then removes nothing.
        """
        removed, missing = [], []
        with self._database.read() as connection:
            texts = _texts(connection, identifiers)
            annotations = removals.annotations_with(connection, texts)
        self._vectors.forget(texts)
        with self._database.write() as connection:
            for identifier in dict.fromkeys(identifiers):
                if remove_article(connection, identifier):
                    audit.note(connection, caller, action, identifier)
                    removals.note(connection, identifier, thorough=action == "purge article")
                    removed.append(identifier)
                else:
                    missing.append(identifier)
            if removed:
                removals.delete_annotations(connection, annotations)
                removals.leave_out_examples(connection)
            unfinished = {removal.article_id for removal in removals.pending(connection)}.intersection(missing)
            if action == "purge article":
                removals.insist(connection, unfinished)
            # Again, because a training run may have stored some meanwhile; those of later it removes itself. Inside the
            # transaction, because nothing is removed where a vector cannot be.
            self._vectors.forget(texts)
        return [*removed, *sorted(unfinished)], [name for name in missing if name not in unfinished]

    def _end_runs(self, erased: Sequence[Removal], deadline: float) -> tuple[set[str], str | None]:
        """Ends the training runs whose snapshots have articles that were purged.

        Returns the articles that the snapshots of other runs have, and a sentence about these runs.
        """
        purged = {removal.article_id for removal in erased if removal.thorough}
        deleted = {removal.article_id for removal in erased}
        try:
            for run in runs_with(self._registry.storage, purged):
                self._cancel(run)
            while (working := runs_with(self._registry.storage, deleted)) and time.monotonic() < deadline:
                if not runs_with(self._registry.storage, purged):
                    break
                time.sleep(_PAUSE_SECONDS)
        except (StorageError, ModelFileError) as error:
            return deleted, f"The snapshots of training runs cannot be looked through: {error}"
        if not working:
            return set(), None
        runs = f"The snapshot of the training run {', '.join(working)} has the text until the run ends."
        return set().union(*working.values()), runs

    def _learning_from(self, identifiers: set[str]) -> tuple[str, ...]:
        """The training runs whose snapshots have any of the articles; none where they cannot be looked through."""
        try:
            return tuple(runs_with(self._registry.storage, identifiers))
        except (StorageError, ModelFileError):
            return ()

    def _cancel(self, run: str) -> None:
        """Asks the worker to end a run; where no worker is at work, ends it here."""
        record = RunRecord(run, self._database, self._registry.storage)
        try:
            record.cancel("stop requested: an article that it learns from was purged")
        except NotFoundError:  # the database is older than the snapshot
            record.delete_snapshot()
            return
        if not worker_has_lock(self._database, self._folder):
            forget_removed(record, self._vectors)
            record.end("cancelled", "cancelled, because an article that it learns from was purged")

    def _trained_on(self, identifiers: set[str]) -> tuple[str, ...]:
        """Versions whose cards list any of the articles."""
        versions = []
        for version in self._registry.versions():
            try:
                if identifiers & set(self._registry.card(version).stored_articles):
                    versions.append(version)
            except ModelFileError:
                continue  # `framing doctor` names damaged cards
        return tuple(versions)


def _texts(connection: Connection, identifiers: Sequence[str]) -> list[str]:
    """The texts of the paragraphs of stored articles and of their former versions."""
    splits = article_lookup.splits(connection, list(dict.fromkeys(identifiers)))
    former = article_lookup.former_versions_of(connection, identifiers)
    articles: list[SplitArticle | article_lookup.FormerVersion] = [*splits.values(), *former]
    return list(dict.fromkeys(paragraph.text for article in articles for paragraph in article.paragraphs))


def start_erasing(remover: Remover, *, is_sqlite: bool, stop: threading.Event) -> threading.Thread:
    """Starts a thread that erases what removals left, until `stop` is set: training runs may take hours meanwhile."""
    pause = _SQLITE_SECONDS if is_sqlite else _POSTGRESQL_SECONDS

    def erase() -> None:
        while True:
            try:
                remover.erase(1.0, rewrite=True)
            except Exception as error:  # noqa: BLE001 - the next attempt may succeed
                _log.warning("Removed texts could not be erased (%s); the worker tries again.", type(error).__name__)
            if stop.wait(pause):
                return

    thread = threading.Thread(target=erase, name="erasing", daemon=True)
    thread.start()
    return thread
