"""Executors of a bulk job: this process, several processes of this machine, or a Dask cluster."""

import multiprocessing
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from queue import Empty
from typing import TYPE_CHECKING, Any

from labels.errors import FramingError
from service.bulk.job import Job, Progress, Task, score_task
from training.encoder.runtime import available_cores

if TYPE_CHECKING:
    from distributed import Client

_TASKS_AHEAD = 4
_POLL_SECONDS = 0.2
_ATTRIBUTE = "framing_job"


class WorkerLostError(FramingError):
    """A scoring process ended before its work was done."""

    def __init__(self) -> None:
        super().__init__(
            "A scoring process was killed, perhaps because memory ran out. The finished files stay: give the same "
            "command again to resume."
        )


class ThisProcess:
    """Performs the tasks in this process, in order."""

    def processes(self) -> int:
        return 1

    def run(self, job: Job, tasks: Iterable[Task]) -> Iterator[Progress]:
        for task in tasks:
            yield from score_task(job, task)


class Processes:
    """Performs the tasks in `count` processes of this machine."""

    def __init__(self, count: int) -> None:
        self._count = count

    def processes(self) -> int:
        return min(self._count, available_cores())

    def run(self, job: Job, tasks: Iterable[Task]) -> Iterator[Progress]:
        context = multiprocessing.get_context("spawn")
        reports: multiprocessing.Queue[Progress] = context.Queue()
        with ProcessPoolExecutor(self._count, context, initializer=_begin, initargs=(job, reports)) as pool:
            waiting, running = iter(tasks), set[Future[int]]()
            expected = received = 0
            while True:
                running |= {pool.submit(_perform, task) for task in islice(waiting, self._window(running))}
                if not running and received == expected:
                    return
                try:
                    while True:
                        yield reports.get(timeout=_POLL_SECONDS if not running else 0)
                        received += 1
                except Empty:
                    pass
                finished, running = wait(running, timeout=_POLL_SECONDS, return_when=FIRST_COMPLETED)
                expected += sum(map(_result, finished))

    def _window(self, running: set[Future[int]]) -> int:
        """Number of tasks to submit now; submitting all tasks of a huge job would only take memory."""
        return max(0, _TASKS_AHEAD * self._count - len(running))


def _result(future: "Future[int]") -> int:
    try:
        return future.result()
    except BrokenProcessPool as error:
        raise WorkerLostError from error


_job: Job | None = None
_reports: Any = None


def _begin(job: Job, reports: Any) -> None:
    global _job, _reports
    _job, _reports = job, reports


def _perform(task: Task) -> int:
    """Performs a task, reports each file as soon as it is written, and returns the number of reports."""
    if _job is None:
        raise RuntimeError("The process has no job.")
    count = 0
    for count, progress in enumerate(score_task(_job, task), 1):  # noqa: B007
        _reports.put(progress)
    return count


class Cluster:
    """Performs the tasks on the workers of a Dask cluster; the others repeat the tasks of a lost worker."""

    def __init__(self, client: "Client") -> None:
        self._client = client

    def processes(self) -> int:
        return max(1, len(self._client.scheduler_info()["workers"]))

    def run(self, job: Job, tasks: Iterable[Task]) -> Iterator[Progress]:
        from distributed import as_completed  # noqa: PLC0415 - an extra
        from distributed.diagnostics.plugin import WorkerPlugin  # noqa: PLC0415

        class Begin(WorkerPlugin):
            """Gives the job to each worker once, also to workers that join later."""

            name = "framing-job"

            def setup(self, worker: Any) -> None:
                setattr(worker, _ATTRIBUTE, job)

        self._client.register_plugin(Begin())
        waiting = iter(tasks)
        ahead = _TASKS_AHEAD * self.processes()
        futures = as_completed([self._submit(task) for task in islice(waiting, ahead)])  # type: ignore[no-untyped-call]
        for future in futures:
            yield future.result()
            for task in islice(waiting, 1):
                futures.add(self._submit(task))  # type: ignore[no-untyped-call]

    def _submit(self, task: Task) -> Any:
        return self._client.submit(_perform_on_cluster, task, pure=False, retries=3)


def _perform_on_cluster(task: Task) -> Progress:
    from distributed import get_worker  # noqa: PLC0415

    job: Job = getattr(get_worker(), _ATTRIBUTE)
    return sum(score_task(job, task), Progress())
