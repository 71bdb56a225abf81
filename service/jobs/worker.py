"""The worker: performs training runs as durable DBOS workflows, and rescores stored articles after a promotion.

Only a single worker works at any time (see service/jobs/lock.py). The workflow of a run is started under the run's id,
so DBOS resumes it after the last finished step and never starts it twice.
"""

import logging
import os
import signal
import threading
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeAlias

from croniter import croniter
from dbos import DBOS, SetWorkflowID
from threadpoolctl import threadpool_limits

from labels.codebook import read_codebook
from service.articles.rescoring import Rescoring
from service.jobs.lock import only_worker
from service.jobs.removal import Remover, start_erasing
from service.jobs.run_record import STEPS, RunCancelledError
from service.jobs.training_run import TrainingRunner, failure
from service.jobs.workflows import launch
from service.metrics import product_version
from service.settings import Settings
from service.store import annotations, audit, training_runs
from service.store.callers import WORKER
from service.store.sql.database import Database
from training.registry.versions import Registry

_log = logging.getLogger("framing")

_IDLE_SECONDS = 0.5
_NICENESS = 19
# How long the end of the worker waits for bytes that are being erased; the next worker continues.
_ERASING_SECONDS = 5
# Times of the cron expression before the start of the worker do not count.
_STARTED = datetime.now(UTC)

# State, last line of the log, and error of a run that has ended; a list, because JSON knows no tuples.
_End: TypeAlias = list[Any]

_runner: TrainingRunner | None = None


@DBOS.workflow(name="training_run")
def _training_run(run: str) -> None:
    end: _End = ["succeeded", "done", None]
    try:
        for step in STEPS:
            stopped = DBOS.run_step({"name": step}, _perform, step, run)
            if stopped is not None:
                end = stopped
                break
    except Exception as error:  # noqa: BLE001 - whatever it was, the run has failed and its record must show it
        end = _failed(run, error)
    DBOS.run_step({"name": "end"}, _end, run, *end)


def _perform(step: str, run: str) -> _End | None:
    """Performs a step; returns how the run ends where it ends with this step: JSON, as DBOS cannot store errors."""
    try:
        _require_runner().perform(step, run)
    except RunCancelledError:
        return ["cancelled", "cancelled", None]
    except Exception as error:  # noqa: BLE001 - as above
        return _failed(run, error)
    return None


def _failed(run: str, error: Exception) -> _End:
    _log.error("Training run %s failed", run, exc_info=error)
    return ["failed", "failed", failure(error)]


def _end(run: str, state: training_runs.State, line: str, error: str | None) -> None:
    _require_runner().end(run, state, line, error)


def _require_runner() -> TrainingRunner:
    if _runner is None:
        raise RuntimeError("The worker has not started.")
    return _runner


def work(settings: Settings, *, parent: int | None = None) -> None:
    """Works until SIGTERM or SIGINT, or until the process `parent` is gone."""
    global _runner  # noqa: PLW0603 - DBOS workflows are functions of the module
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    threadpool_limits(limits=1)
    if settings.worker_yields:
        _yield_to_others()
    codebook = read_codebook(settings.codebook)
    database, registry = Database(settings.store_url), Registry(settings.models_location, settings.trust)
    database.migrate()
    annotations.note_covered(database, codebook)
    with only_worker(database, settings.data_dir, stop, partial(_must_stop, stop, parent)) as has_lock:
        if not has_lock:
            return
        registry.storage.sweep()
        _runner = TrainingRunner(settings, database, registry, codebook)
        rescoring = Rescoring(settings, database, registry)
        launch(database.separate_engine())
        remover = Remover(settings, database, registry)
        erasing = start_erasing(remover, is_sqlite=database.is_sqlite, stop=stop)
        _log.info("The worker is ready.")
        try:
            while not _must_stop(stop, parent):
                _schedule(settings, database)
                if not _perform_next_run(database) and not rescoring.do_some():
                    stop.wait(_IDLE_SECONDS)
        finally:
            DBOS.destroy()
            stop.set()
            erasing.join(_ERASING_SECONDS)
            database.close()


def _yield_to_others() -> None:
    """Gives way to requests: training takes only what they leave of a core."""
    os.nice(_NICENESS)
    if hasattr(os, "SCHED_IDLE"):
        # Linux: a process that wakes up to answer a request gets the core at once.
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def _perform_next_run(database: Database) -> bool:
    """Starts the next run, or joins the run that DBOS recovered, and waits for its end; False if no run is waiting."""
    with database.read() as connection:
        run = training_runs.next_to_do(connection)
    if run is None:
        return False
    if run.state == "queued":
        with database.write() as connection:
            training_runs.change(
                connection,
                run.id,
                line=f"started by framing {product_version()}",
                state="running",
                step=STEPS[0],
                started_at=datetime.now(UTC),
            )
    with SetWorkflowID(run.id):
        DBOS.start_workflow(_training_run, run.id).get_result(polling_interval_sec=0.1)
    return True


def _schedule(settings: Settings, database: Database) -> None:
    """Queues a run if the cron expression is due, or if enough annotations were made since the newest run."""
    if not settings.retrain_cron and not settings.retrain_every:
        return
    with database.read() as connection:
        newest = training_runs.newest(connection)
        new_annotations = annotations.count_since(connection, newest.created_at if newest else None)
    if newest is not None and newest.state not in training_runs.ENDED:
        return
    due = bool(settings.retrain_every) and new_annotations >= settings.retrain_every
    note = f"scheduled: {new_annotations} new annotations"
    if settings.retrain_cron and not due:
        last = croniter(settings.retrain_cron, datetime.now(UTC)).get_prev(datetime)
        due = last > _STARTED and (newest is None or newest.created_at < last)
        note = f"scheduled: {settings.retrain_cron}"
    if due:
        with database.write() as connection:
            run = training_runs.create(connection, training_runs.RunRequest(note=note))
            audit.note(connection, WORKER, "train", run.id, note=note)


def _must_stop(stop: threading.Event, parent: int | None) -> bool:
    return stop.is_set() or (parent is not None and os.getppid() != parent)
