"""The record of a training run: its row in the database and its snapshot beside the models."""

import json
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from labels.annotations import CodedParagraph, read_corpus, write_corpus
from labels.codebook import Codebook
from labels.errors import FramingError
from service.store import training_runs
from service.store.articles import stored_ids
from service.store.sql.database import Database
from training.encoder.vectors import VectorStore
from training.errors import ModelFileError
from training.hyperparameters import Start
from training.model_card import Kind
from training.registry.storage import Storage

STEPS = ("snapshot", "check", "train", "label_diff", "promote")
_REPORT_SECONDS = 0.25
_PARTS_OF_TRAINING = ("encode", "leave", "fit", "evaluate")
_RUNS = "runs"
_SNAPSHOT = "snapshot.jsonl"
_FACTS = "facts.json"


@dataclass(frozen=True, slots=True)
class SnapshotFacts:
    """The kind of model that a run trains, None for the better kind, and what it starts from; ids of stored articles.

    The first `of_corpus` paragraphs of the snapshot are from the corpus, the others were coded here.
    They are written with the snapshot: later the champion may be another, and an article may be purged.
    """

    kind: Kind | None
    stored_articles: tuple[str, ...]
    start: Start = "base"
    of_corpus: int = 0


class RunCancelledError(FramingError):
    """The run was cancelled."""

    def __init__(self, detail: str = "The run was cancelled.") -> None:
        super().__init__(detail)


class RunRecord:
    """Reads and changes the record of a run.

    The snapshot is in the storage of the models, where the workers of all hosts can read it.
    """

    def __init__(self, run: str, database: Database, storage: Storage) -> None:
        self.run = run
        self._database = database
        self._storage = storage
        self._folder = f"{_RUNS}/{run}"

    def read(self) -> training_runs.TrainingRun:
        with self._database.read() as connection:
            return training_runs.require(connection, self.run)

    def change(self, line: str, **values: Any) -> None:
        """Sets columns of the run and adds a line to its log."""
        with self._database.write() as connection:
            training_runs.change(connection, self.run, line=line, **values)

    def report(self, step: str, share: float, line: str | None = None) -> None:
        """Records that `share` of a step is done, from 0 to 1."""
        progress = (STEPS.index(step) + share) / len(STEPS)
        with self._database.write() as connection:
            training_runs.change(connection, self.run, line=line, step=step, progress=progress)

    def training_progress(self) -> Callable[[str, float], None]:
        """A callback of a training: reports a few times per second, and raises `RunCancelledError` to stop it."""
        reported, highest = 0.0, 0.0

        def report(part: str, share: float) -> None:
            nonlocal reported, highest
            if time.monotonic() - reported > _REPORT_SECONDS:
                reported = time.monotonic()
                place = next((n for n, name in enumerate(_PARTS_OF_TRAINING) if part.startswith(name)), 0)
                highest = max(highest, (place + share) / len(_PARTS_OF_TRAINING))  # two kinds may be trained in turn
                self.report("train", highest)
                self.stop_if_cancelled()

        return report

    def stop_if_cancelled(self) -> None:
        """Raises `RunCancelledError` if the run was cancelled."""
        if self.read().cancel_requested:
            raise RunCancelledError

    def cancel(self, line: str) -> None:
        """Requests the run to stop; raises `NotFoundError` if it does not exist."""
        run = self.read()
        if run.state not in training_runs.ENDED and not run.cancel_requested:
            self.change(line, cancel_requested=True)

    def end(self, state: training_runs.State, line: str, error: str | None = None) -> None:
        """Ends the run and deletes its snapshot, because that holds text."""
        with self._database.write() as connection:
            training_runs.finish(connection, self.run, state, line=line, error=error)
        self.delete_snapshot()

    def delete_snapshot(self) -> None:
        self._storage.delete(self._folder)

    def write_snapshot(self, paragraphs: tuple[CodedParagraph, ...], facts: SnapshotFacts) -> None:
        """Writes the paragraphs and facts about them."""
        self._storage.write(f"{self._folder}/{_FACTS}", json.dumps(asdict(facts)).encode())
        with TemporaryDirectory() as folder:
            file = Path(folder) / _SNAPSHOT
            write_corpus(paragraphs, file)
            self._storage.write(f"{self._folder}/{_SNAPSHOT}", file.read_bytes())

    def read_snapshot(self, codebook: Codebook) -> tuple[CodedParagraph, ...]:
        with TemporaryDirectory() as folder:
            file = Path(folder) / _SNAPSHOT
            file.write_bytes(self._storage.read(f"{self._folder}/{_SNAPSHOT}"))
            return read_corpus(file, codebook)

    def texts_of_removed(self) -> list[str]:
        """The texts that the snapshot has of articles that are not stored any longer; empty without a snapshot."""
        try:
            listed = self.read_facts().stored_articles
            snapshot = self._storage.read(f"{self._folder}/{_SNAPSHOT}")
        except FileNotFoundError:
            return []
        with self._database.read() as connection:
            removed = set(listed) - stored_ids(connection, listed)
        rows = map(json.loads, snapshot.splitlines())
        return [row["text"] for row in rows if row["article"] in removed] if removed else []

    def read_facts(self) -> SnapshotFacts:
        facts = json.loads(self._storage.read(f"{self._folder}/{_FACTS}"))
        return SnapshotFacts(**{**facts, "stored_articles": tuple(facts["stored_articles"])})


def runs_with(storage: Storage, articles: Collection[str]) -> dict[str, set[str]]:
    """The runs whose snapshots have any of the articles, each with those that it has.

    Raises `ModelFileError` where that of a run cannot be read.
    """
    runs = {}
    for run in sorted(storage.names(_RUNS)) if articles else ():
        with suppress(FileNotFoundError):  # the run has just ended
            if shared := _articles_in(storage, f"{_RUNS}/{run}/{_FACTS}").intersection(articles):
                runs[run] = shared
    return runs


def _articles_in(storage: Storage, path: str) -> set[str]:
    try:
        return set(json.loads(storage.read(path))["stored_articles"])
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        sentence = f"The file {path} in the models folder is damaged; if that run has ended, delete it."
        raise ModelFileError(sentence) from error


def forget_removed(record: RunRecord, vectors: VectorStore) -> None:
    """Removes the vectors of articles that were removed while a run encoded its snapshot."""
    vectors.forget(record.texts_of_removed())
