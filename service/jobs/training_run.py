"""The steps of a training run, each of which can be repeated from its start.

snapshot → check → train (fit, judge, register) → label diff → promote. Whatever kills the process, a step that was not
finished is repeated: the snapshot is a file, written whole; before a model is registered, the registry is searched for
a model of the same run; a second promotion is noticed in the history.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Any

from labels.agreement import agreement
from labels.annotations import CodedParagraph, read_corpus
from labels.codebook import Codebook
from labels.errors import FramingError
from labels.wording import counted
from service.jobs.run_record import RunRecord, SnapshotFacts, forget_removed
from service.schemas.hyperparameters import HyperparametersRequest, chosen
from service.settings import Settings
from service.store import annotations, article_lookup, articles, removals, training_runs
from service.store.audit import note_promotion
from service.store.callers import WORKER
from service.store.sql.database import Database
from training.challenger import DEFAULT_SEED, Challenger
from training.dataset import build_dataset, data_digest
from training.encoder.vectors import VectorStore
from training.errors import ChampionChangedError, ModelFileError, NoChampionError, TrainingDataError
from training.hyperparameters import Start
from training.kinds.choice import base_of, has_learned_from, require_learnable, train_kind
from training.kinds.judging import judge
from training.kinds.wanted import kind_to_train, require_used
from training.model_card import Kind
from training.promotion import Verdict
from training.registry.versions import Registry
from training.reports.label_diff import LabelDiff
from training.scoring.frame_model import FrameModel

_log = logging.getLogger("framing")

_PROMOTER = "training run"
# The newest stored articles are compared: as many as each kind of model scores in a minute or two on a core.
_DIFF_ARTICLES: dict[Kind, int] = {"words": 2000, "encoder-small": 700, "encoder": 150}
_DIFF_BATCH = 10
# Agreement is not checked if fewer paragraphs than this have several coders.
_MIN_SHARED_PARAGRAPHS = 30


class TrainingRunner:
    """Performs the steps of training runs, a single run at a time."""

    def __init__(self, settings: Settings, database: Database, registry: Registry, codebook: Codebook) -> None:
        self._settings = settings
        self._database = database
        self._registry = registry
        self._codebook = codebook
        self._steps: dict[str, Callable[[RunRecord], None]] = {
            "snapshot": self._snapshot,
            "check": self._check,
            "train": self._train,
            "label_diff": self._label_diff,
            "promote": self._promote,
        }

    def perform(self, step: str, run: str) -> None:
        """Performs a step of a run; raises `FramingError` if the run cannot succeed."""
        record = self._record(run)
        record.stop_if_cancelled()
        record.report(step, 0.0, line=f"{step} started")
        self._steps[step](record)
        record.report(step, 1.0, line=f"{step} done")

    def end(self, run: str, state: training_runs.State, line: str, error: str | None = None) -> None:
        """Ends a run and deletes its snapshot."""
        record = self._record(run)
        # Here too, because the process that encoded the snapshot may have been killed.
        forget_removed(record, VectorStore(self._settings.vectors_dir))
        record.end(state, line, error)

    def _record(self, run: str) -> RunRecord:
        return RunRecord(run, self._database, self._registry.storage)

    def _snapshot(self, record: RunRecord) -> None:
        request = record.read().request
        with self._database.read() as connection:
            own = annotations.coded_paragraphs(connection, self._codebook, adjudicated=True)
            stored = articles.stored_ids(connection, {paragraph.article for paragraph in own})
        if request.coders is not None:
            own = tuple(p for p in (_only(p, request.coders) for p in own) if p.annotations)
        kind = kind_to_train(request.kind or self._settings.kind, self._registry.champion_card(), self._codebook)
        # Again, because another kind may have become champion since the run was queued.
        require_used(kind, request.hyperparameters)
        start: Start = "nothing" if request.hyperparameters else self._settings.start
        learned = has_learned_from(kind, self._settings.corpus, self._codebook, start)
        corpus = read_corpus(self._settings.corpus, self._codebook) if request.include_corpus and not learned else ()
        paragraphs = (*corpus, *own)
        stored_articles = tuple(sorted(stored & {paragraph.article for paragraph in own}))
        record.write_snapshot(paragraphs, SnapshotFacts(kind, stored_articles, start, len(corpus)))
        left_out = "; the corpus is left out: the shipped model has learned from a sample of it" if learned else ""
        record.change(
            annotations=len(own),
            corpus_paragraphs=len(corpus),
            annotations_digest=data_digest(paragraphs),
            line=f"{counted(len(corpus), 'paragraph')} of the corpus and {len(own):,} coded here{left_out}",
        )
        with self._database.read() as connection:
            if len(articles.stored_ids(connection, stored_articles)) < len(stored_articles):
                self._snapshot(record)  # an article was removed before the snapshot was there to be seen
                return
        if not paragraphs and base_of(kind, self._codebook, start) is not None:
            # Of nothing, training makes a copy of the base, which would pass for a new model.
            raise TrainingDataError(_nothing_to_learn_from(request, learned=learned))

    def _check(self, record: RunRecord) -> None:
        paragraphs = record.read_snapshot(self._codebook)
        facts = record.read_facts()
        require_learnable(facts.kind, paragraphs, self._codebook, facts.start)
        with self._database.read() as connection:
            own = annotations.coded_paragraphs(connection, self._codebook, adjudicated=False)
        for result in agreement(own, self._codebook, resamples=1):
            if result.alpha is None or result.paragraphs < _MIN_SHARED_PARAGRAPHS:
                continue
            record.change(
                line=f"alpha of {result.frame}: {result.alpha:.2f} on {counted(result.paragraphs, 'paragraph')}"
            )
            if result.alpha < self._settings.min_alpha:
                raise TrainingDataError(
                    f"The coders agree too little on '{result.frame}': Krippendorff's alpha is {result.alpha:.2f}, "
                    f"below the required {self._settings.min_alpha}. Settle the disagreements first."
                )

    def _train(self, record: RunRecord) -> None:
        card = self._registry.card_of_run(record.run)
        if card is None:
            challenger = self._trained(record)
            record.stop_if_cancelled()
            card = self._registry.register(challenger)
        verdict = card.verdict
        record.change(
            version=card.version,
            verdict=None if verdict is None else asdict(verdict),
            line=f"registered as {card.version}. {verdict.reason if verdict else ''}",
        )

    def _trained(self, record: RunRecord) -> Challenger:
        """The challenger of a run, with its verdict against the champion on its card."""
        request, facts = record.read().request, record.read_facts()
        paragraphs = record.read_snapshot(self._codebook)
        vectors = VectorStore(self._settings.vectors_dir)
        hyperparameters = HyperparametersRequest(**request.hyperparameters)
        try:
            challenger = train_kind(
                facts.kind,
                paragraphs,
                self._codebook,
                vectors=vectors,
                start=facts.start,
                hyperparameters=chosen(self._settings.hyperparameters, hyperparameters),
                pull=self._pull(request),
                seed=DEFAULT_SEED if request.seed is None else request.seed,
                note=request.note,
                progress=record.training_progress(),
                jobs=1,  # a model of words leaves the other cores to requests
            )
        finally:
            forget_removed(record, vectors)
        if "base" in challenger.card.hyperparameters:
            by = "chosen by cross-validation" if self._pull(request) is None else "as set"
            pulls = challenger.card.hyperparameters["pull"]
            record.change(line=f"pull of the base on the heads of the frames: {pulls['frames']} ({by})")
        verdict = self._verdict(challenger, paragraphs[facts.of_corpus :] or paragraphs, facts)
        card = replace(challenger.card, verdict=verdict, run=record.run, stored_articles=facts.stored_articles)
        return replace(challenger, card=card)

    def _pull(self, request: training_runs.RunRequest) -> float | None:
        return self._settings.pull if request.pull is None else request.pull

    def _verdict(self, challenger: Challenger, paragraphs: Sequence[CodedParagraph], facts: SnapshotFacts) -> Verdict:
        """The verdict on what was coded here; on the corpus where nothing was."""
        champion = self._champion()
        base = base_of(facts.kind, self._codebook, facts.start)
        return judge(
            challenger,
            champion,
            build_dataset(paragraphs, self._codebook),
            current_keys=self._codebook.current_keys,
            champion_learned=frozenset() if champion is None else self._registry.learned(champion.card.version),
            base=None if base is None else base.card,
        )

    def _label_diff(self, record: RunRecord) -> None:
        champion = self._champion()
        version = record.read().version
        if champion is None or version is None or champion.card.version == version:
            return
        challenger = self._registry.load(version)
        diff = LabelDiff(champion, challenger)
        most = min(_DIFF_ARTICLES[model.card.kind] for model in (champion, challenger))
        with self._database.read() as connection:
            identifiers = article_lookup.newest_ids(connection, most)
        for start in range(0, len(identifiers), _DIFF_BATCH):
            record.stop_if_cancelled()
            self._compare(diff, identifiers[start : start + _DIFF_BATCH])
            record.report("label_diff", min(1.0, (start + _DIFF_BATCH) / len(identifiers)))
        summary: dict[str, Any] = {
            "champion": champion.card.version,
            "challenger": version,
            "articles": len(identifiers),
            "paragraphs": diff.paragraphs,
            "frames": {frame: asdict(changes) for frame, changes in diff.changes.items()},
        }
        with self._database.write() as connection:
            # Without the examples of articles that were removed during the comparison.
            summary = removals.stored_examples(connection, summary)
            line = f"compared {diff.paragraphs:,} stored paragraphs"
            training_runs.change(connection, record.run, label_diff=summary, line=line)

    def _compare(self, diff: LabelDiff, identifiers: Sequence[str]) -> None:
        """Adds the paragraphs of some stored articles to a comparison."""
        with self._database.read() as connection:
            splits = article_lookup.splits(connection, identifiers)
        for identifier, split in splits.items():
            places = [{"article_id": identifier, "paragraph": paragraph.index} for paragraph in split.paragraphs]
            if places:
                diff.add(places, [paragraph.text for paragraph in split.paragraphs])

    def _promote(self, record: RunRecord) -> None:
        record.stop_if_cancelled()
        run = record.read()
        verdict = run.verdict or {}
        if run.version is None or not verdict.get("promote"):
            record.change(promoted=False, line=f"{training_runs.NOT_PROMOTED}the verdict is negative")
            return
        if self._settings.promotion != "auto":
            record.change(
                promoted=False, line=f"{training_runs.NOT_PROMOTED}the verdict is positive, but a person has to promote"
            )
            return
        if run.version not in [promotion.version for promotion in self._registry.history()]:
            try:
                promotion = self._registry.promote(
                    run.version,
                    by=f"{_PROMOTER} {run.id}",
                    reason=verdict["reason"],
                    judged_against=verdict.get("champion"),
                )
            except ChampionChangedError as error:
                record.change(promoted=False, line=f"{training_runs.NOT_PROMOTED}{error}")
                return
            with self._database.write() as connection:
                note_promotion(connection, WORKER, promotion)
        record.change(promoted=True, line=f"promoted {run.version}")

    def _champion(self) -> FrameModel | None:
        """The champion; None where there is none, or where this installation lacks its encoder."""
        try:
            champion, _ = self._registry.load_champion()
            champion.prepare()
        except NoChampionError:
            return None
        except ModelFileError as error:
            _log.warning("The challenger is not compared with the champion, which cannot serve: %s", error)
            return None
        return champion


def _only(paragraph: CodedParagraph, coders: Sequence[str]) -> CodedParagraph:
    """The paragraph with the annotations of some coders only."""
    own = tuple(annotation for annotation in paragraph.annotations if annotation.coder in coders)
    return replace(paragraph, annotations=own)


def _nothing_to_learn_from(request: training_runs.RunRequest, *, learned: bool) -> str:
    """Says why a run has no annotations."""
    coders = "" if request.coders is None else training_runs.by_coders(request.coders)
    corpus = "the corpus holds no paragraph" if request.include_corpus else "the request leaves the corpus out"
    if learned:
        corpus = "from the shipped corpus the shipped model has learned already"
    return (
        f"There is nothing to learn from: no paragraph has been annotated here{coders}, and {corpus}. Annotate "
        "paragraphs first; `framing train` registers the shipped model of a kind as it is."
    )


def failure(error: Exception) -> str:
    """The error of a failed run: the message of a domain error, else the name of the exception."""
    return (
        str(error) if isinstance(error, FramingError) else f"Unexpected {type(error).__name__}; see the worker's log."
    )
