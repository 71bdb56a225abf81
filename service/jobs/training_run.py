"""The steps of a training run, each of which can be done again from its start.

snapshot → check → train (fit, judge, register) → label diff → promote. Whatever kills the process, a step that was not
finished is done over: the snapshot is one file, written whole; a model is looked for by its run before another is
registered; promoting twice is noticed in the history.
"""

import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from labels.agreement import agreement
from labels.annotations import CodedParagraph, read_corpus, write_corpus
from labels.codebook import Codebook
from labels.errors import FramingError
from service.schemas.hyperparameters import HyperparametersRequest, chosen
from service.settings import Settings
from service.store import annotations, articles, training_runs
from service.store.audit import note_promotion
from service.store.callers import WORKER
from service.store.sql.database import Database
from training.challenger import DEFAULT_SEED, judge, train_challenger
from training.dataset import build_dataset, data_digest, require_trainable
from training.errors import ChampionChangedError, NoChampionError, TrainingDataError
from training.label_diff import LabelDiff
from training.registry.versions import Registry
from training.scoring.frame_model import FrameModel

STEPS = ("snapshot", "check", "train", "label_diff", "promote")
PROMOTER = "training run"
_REPORT_SECONDS = 0.25
_DIFF_ARTICLES = 2000
_DIFF_BATCH = 50
_SHARED_FOR_AGREEMENT = 30
_SNAPSHOT = "snapshot.jsonl"


class RunCancelledError(FramingError):
    """Somebody asked the run to stop."""

    def __init__(self) -> None:
        super().__init__("The run was cancelled.")


class TrainingRunner:
    """Does the steps of runs, one run at a time, and reports into the database."""

    def __init__(self, settings: Settings, database: Database, registry: Registry, codebook: Codebook) -> None:
        self._settings = settings
        self._database = database
        self._registry = registry
        self._codebook = codebook
        self._steps: dict[str, Callable[[str], None]] = {
            "snapshot": self._snapshot,
            "check": self._check,
            "train": self._train,
            "label_diff": self._label_diff,
            "promote": self._promote,
        }

    def perform(self, step: str, run: str) -> None:
        """Does one step of a run; raises `FramingError` where the run cannot succeed."""
        self._report(run, step, 0.0, line=f"{step} started")
        self._steps[step](run)
        self._report(run, step, 1.0, line=f"{step} done")

    def end(self, run: str, state: training_runs.State, line: str, error: str | None = None) -> None:
        """Ends a run and forgets its snapshot, which holds text."""
        with self._database.write() as connection:
            training_runs.finish(connection, run, state, line=line, error=error)
        self._registry.storage.delete(f"runs/{run}")

    # -- steps ------------------------------------------------------------------------------------------------------

    def _snapshot(self, run: str) -> None:
        request = self._request(run)
        with self._database.read() as connection:
            own = annotations.coded_paragraphs(connection, self._codebook.keys, adjudicated=True)
        coders = request["coders"]
        if coders is not None:
            own = tuple(p for p in (_only(p, coders) for p in own) if p.annotations)
        corpus = read_corpus(self._settings.corpus, self._codebook) if request["include_corpus"] else ()
        paragraphs = (*corpus, *own)
        self._write_snapshot(run, paragraphs)
        self._change(
            run,
            annotations=len(paragraphs),
            annotations_digest=data_digest(paragraphs),
            line=f"{len(corpus):,} paragraphs of the corpus and {len(own):,} coded here",
        )

    def _check(self, run: str) -> None:
        paragraphs = self._read_snapshot(run)
        require_trainable(build_dataset(paragraphs, self._codebook))
        with self._database.read() as connection:
            own = annotations.coded_paragraphs(connection, self._codebook.keys, adjudicated=False)
        for result in agreement(own, self._codebook, resamples=1):
            if result.alpha is None or result.paragraphs < _SHARED_FOR_AGREEMENT:
                continue
            self._change(run, line=f"alpha of {result.frame}: {result.alpha:.2f} on {result.paragraphs} paragraphs")
            if result.alpha < self._settings.min_alpha:
                raise TrainingDataError(
                    f"The coders agree too little on '{result.frame}': Krippendorff's alpha is {result.alpha:.2f} and "
                    f"{self._settings.min_alpha} is asked for. Settle the disagreements first."
                )

    def _train(self, run: str) -> None:
        card = self._registry.made_by(run)
        if card is None:
            request = self._request(run)
            paragraphs = self._read_snapshot(run)
            challenger = train_challenger(
                paragraphs,
                self._codebook,
                hyperparameters=chosen(
                    self._settings.hyperparameters, HyperparametersRequest(**request["hyperparameters"])
                ),
                seed=DEFAULT_SEED if request["seed"] is None else request["seed"],
                note=request["note"],
                progress=self._progress(run),
                jobs=1,  # the other core answers requests meanwhile
            )
            dataset = build_dataset(paragraphs, self._codebook)
            verdict = judge(challenger, self._champion(), dataset.take(dataset.held_out))
            stored = tuple(sorted({p.article for p in paragraphs if annotations.is_of_stored_article(p)}))
            card = replace(challenger.card, verdict=verdict, run=run, stored_articles=stored)
            challenger = replace(challenger, card=card)
            self._stop_if_asked(run)
            card = self._registry.register(challenger)
        found = card.verdict
        self._change(
            run,
            version=card.version,
            verdict=None if found is None else asdict(found),
            line=f"registered as {card.version}. {found.reason if found else ''}",
        )

    def _label_diff(self, run: str) -> None:
        champion = self._champion()
        version = self._run(run).version
        if champion is None or version is None or champion.card.version == version:
            return
        diff = LabelDiff(champion, self._registry.load(version))
        with self._database.read() as connection:
            identifiers = articles.newest_ids(connection, _DIFF_ARTICLES)
        for start in range(0, len(identifiers), _DIFF_BATCH):
            self._stop_if_asked(run)
            with self._database.read() as connection:
                splits = articles.splits(connection, identifiers[start : start + _DIFF_BATCH])
            places = [
                ({"article_id": identifier, "paragraph": paragraph.index}, paragraph.text)
                for identifier, split in splits.items()
                for paragraph in split.paragraphs
            ]
            if places:
                diff.add([place for place, _ in places], [text for _, text in places])
            self._report(run, "label_diff", min(1.0, (start + _DIFF_BATCH) / len(identifiers)))
        summary = {
            "champion": champion.card.version,
            "challenger": version,
            "articles": len(identifiers),
            "paragraphs": diff.paragraphs,
            "frames": {frame: asdict(changes) for frame, changes in diff.changes.items()},
        }
        self._change(run, label_diff=summary, line=f"compared {diff.paragraphs:,} stored paragraphs")

    def _promote(self, run: str) -> None:
        self._stop_if_asked(run)
        found = self._run(run)
        verdict = found.verdict or {}
        if found.version is None or self._settings.promotion != "auto" or not verdict.get("promote"):
            self._change(run, promoted=False, line="not promoted: left to a person")
            return
        if found.version not in [promotion.version for promotion in self._registry.history()]:
            try:
                promotion = self._registry.promote(
                    found.version,
                    by=f"{PROMOTER} {run}",
                    reason=verdict["reason"],
                    judged_against=verdict.get("champion"),
                )
            except ChampionChangedError as error:
                self._change(run, promoted=False, line=f"not promoted: {error}")
                return
            with self._database.write() as connection:
                note_promotion(connection, WORKER, promotion)
        self._change(run, promoted=True, line=f"promoted {found.version}")

    # -- what steps share -------------------------------------------------------------------------------------------

    def _champion(self) -> FrameModel | None:
        try:
            return self._registry.load_champion()[0]
        except NoChampionError:
            return None

    def _run(self, run: str) -> training_runs.TrainingRun:
        with self._database.read() as connection:
            return training_runs.require(connection, run)

    def _request(self, run: str) -> dict[str, Any]:
        return dict(self._run(run).request)

    def _change(self, run: str, line: str, **values: Any) -> None:
        with self._database.write() as connection:
            training_runs.change(connection, run, line=line, **values)

    def _report(self, run: str, step: str, share: float, line: str | None = None) -> None:
        progress = (STEPS.index(step) + share) / len(STEPS)
        with self._database.write() as connection:
            training_runs.change(connection, run, line=line, step=step, progress=progress)

    def _progress(self, run: str) -> Callable[[str, float], None]:
        """Reports a few times a second, and is where a run notices that it should stop."""
        reported = 0.0
        parts = ("leave", "fit", "evaluate")

        def report(part: str, share: float) -> None:
            nonlocal reported
            if time.monotonic() - reported > _REPORT_SECONDS:
                reported = time.monotonic()
                place = next((n for n, name in enumerate(parts) if part.startswith(name)), 0)
                self._report(run, "train", (place + share) / len(parts))
                self._stop_if_asked(run)

        return report

    def _stop_if_asked(self, run: str) -> None:
        if self._run(run).cancel_requested:
            raise RunCancelledError

    def _write_snapshot(self, run: str, paragraphs: tuple[CodedParagraph, ...]) -> None:
        """Beside the models, where a worker of another host finds it too."""
        with TemporaryDirectory() as folder:
            file = Path(folder) / _SNAPSHOT
            write_corpus(paragraphs, file)
            self._registry.storage.write(f"runs/{run}/{_SNAPSHOT}", file.read_bytes())

    def _read_snapshot(self, run: str) -> tuple[CodedParagraph, ...]:
        with TemporaryDirectory() as folder:
            file = Path(folder) / _SNAPSHOT
            file.write_bytes(self._registry.storage.read(f"runs/{run}/{_SNAPSHOT}"))
            return read_corpus(file, self._codebook)


def _only(paragraph: CodedParagraph, coders: list[str]) -> CodedParagraph:
    kept = tuple(annotation for annotation in paragraph.annotations if annotation.coder in coders)
    return replace(paragraph, annotations=kept)


def failure(error: Exception) -> str:
    """What a run says of its failure: the sentence of a domain error, the kind of any other."""
    return (
        str(error) if isinstance(error, FramingError) else f"Unexpected {type(error).__name__}; see the worker's log."
    )
