"""Follows training runs: however many clients follow a run, a server process reads it once for all of them."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

from anyio import CapacityLimiter, to_thread
from sqlalchemy.exc import SQLAlchemyError

from service.errors import NotFoundError
from service.store import training_runs
from service.store.sql.database import Database

_POLL_SECONDS = 0.3
_THREADS = 2


@dataclass(slots=True, eq=False)
class _Followed:
    """A run that somebody follows; `changed` is replaced whenever it is set."""

    run: training_runs.TrainingRun | None = None
    is_over: bool = False
    followers: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    reading: asyncio.Task[None] | None = None

    def announce(self) -> None:
        """Wakes the followers."""
        changed, self.changed = self.changed, asyncio.Event()
        changed.set()


class RunWatch:
    """The training runs that the clients of this process follow."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._threads = CapacityLimiter(_THREADS)
        self._followed: dict[str, _Followed] = {}

    async def follow(self, identifier: str) -> AsyncGenerator[training_runs.TrainingRun]:
        """Yields a run as it is, and again after each change, until it has ended."""
        followed = self._followed.get(identifier)
        if followed is None:
            followed = self._followed[identifier] = _Followed()
            followed.reading = asyncio.create_task(self._keep_reading(identifier, followed))
        followed.followers += 1
        seen = None
        try:
            while True:
                if followed.run is not None and followed.run != seen:
                    seen = followed.run
                    yield seen
                elif followed.is_over:
                    return
                else:
                    await followed.changed.wait()
        finally:
            followed.followers -= 1
            if not followed.followers:
                self._stop(identifier, followed)

    def _stop(self, identifier: str, followed: _Followed) -> None:
        if followed.reading is not None:
            followed.reading.cancel()
        if self._followed.get(identifier) is followed:
            del self._followed[identifier]

    async def _keep_reading(self, identifier: str, followed: _Followed) -> None:
        while not followed.is_over:
            try:
                run = await to_thread.run_sync(self._read, identifier, limiter=self._threads)
            except NotFoundError:
                followed.is_over = True
                followed.announce()
            except SQLAlchemyError:
                pass  # the database may come back, and the run with it
            else:
                followed.is_over = run.state in training_runs.ENDED
                if run != followed.run:
                    followed.run = run
                    followed.announce()
            await asyncio.sleep(_POLL_SECONDS)

    def _read(self, identifier: str) -> training_runs.TrainingRun:
        with self._database.read() as connection:
            return training_runs.require(connection, identifier)
