"""Who does the work of a bulk job: this process, several on this machine, or a Dask cluster."""

import multiprocessing
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from queue import Empty
from typing import TYPE_CHECKING, Any

from labels.errors import FramingError
from service.bulk.job import Done, Job, Task, score_task

if TYPE_CHECKING:
    from distributed import Client

_TASKS_AHEAD = 4
_LOOK_SECONDS = 0.2
_ATTRIBUTE = "framing_job"


class WorkerLostError(FramingError):
    """A process that worked on the job ended before its work did."""

    def __init__(self) -> None:
        super().__init__(
            "A process that scored was ended from outside, perhaps for want of memory. What is finished stays: give "
            "the same command again to go on."
        )


class ThisProcess:
    """One task after the other."""

    def run(self, job: Job, tasks: Iterable[Task]) -> Iterator[Done]:
        for task in tasks:
            yield from score_task(job, task)


class Processes:
    """Several processes of this machine."""

    def __init__(self, count: int) -> None:
        self._count = count

    def run(self, job: Job, tasks: Iterable[Task]) -> Iterator[Done]:
        context = multiprocessing.get_context("spawn")
        told: multiprocessing.Queue[Done] = context.Queue()
        with ProcessPoolExecutor(self._count, context, initializer=_begin, initargs=(job, told)) as pool:
            waiting, running = iter(tasks), set[Future[int]]()
            expected = received = 0
            while True:
                running |= {pool.submit(_tell, task) for task in islice(waiting, self._window(running))}
                if not running and received == expected:
                    return
                try:
                    while True:
                        yield told.get(timeout=_LOOK_SECONDS if not running else 0)
                        received += 1
                except Empty:
                    pass
                finished, running = wait(running, timeout=_LOOK_SECONDS, return_when=FIRST_COMPLETED)
                expected += sum(map(_result, finished))

    def _window(self, running: set[Future[int]]) -> int:
        """How many tasks more to hand out: the list of a huge job would only take memory."""
        return max(0, _TASKS_AHEAD * self._count - len(running))


def _result(future: "Future[int]") -> int:
    try:
        return future.result()
    except BrokenProcessPool as error:
        raise WorkerLostError from error


_job: Job | None = None
_told: Any = None


def _begin(job: Job, told: Any) -> None:
    global _job, _told
    _job, _told = job, told


def _tell(task: Task) -> int:
    """Does a task, telling of each file at once, and answers how often it told."""
    if _job is None:
        raise RuntimeError("The process was not given a job.")
    count = 0
    for count, done in enumerate(score_task(_job, task), 1):  # noqa: B007
        _told.put(done)
    return count


class Cluster:
    """The workers of a Dask cluster. A lost worker's tasks are done again by the others."""

    def __init__(self, client: "Client") -> None:
        self._client = client

    def run(self, job: Job, tasks: Iterable[Task]) -> Iterator[Done]:
        from distributed import as_completed  # noqa: PLC0415 - an extra
        from distributed.diagnostics.plugin import WorkerPlugin  # noqa: PLC0415

        class Begin(WorkerPlugin):
            """Gives each worker the job once, those too that join later."""

            name = "framing-job"

            def setup(self, worker: Any) -> None:
                setattr(worker, _ATTRIBUTE, job)

        self._client.register_plugin(Begin())
        waiting = iter(tasks)
        ahead = _TASKS_AHEAD * max(1, len(self._client.scheduler_info()["workers"]))
        futures = as_completed([self._submit(task) for task in islice(waiting, ahead)])  # type: ignore[no-untyped-call]
        for future in futures:
            yield future.result()
            for task in islice(waiting, 1):
                futures.add(self._submit(task))  # type: ignore[no-untyped-call]

    def _submit(self, task: Task) -> Any:
        return self._client.submit(_done_on_cluster, task, pure=False, retries=3)


def _done_on_cluster(task: Task) -> Done:
    from distributed import get_worker  # noqa: PLC0415

    job: Job = getattr(get_worker(), _ATTRIBUTE)
    return sum(score_task(job, task), Done())
