"""Whether a worker is running, as each server process reports it in `/readyz` and `/metrics`."""

from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from service.jobs.lock import worker_has_lock
from service.store.sql.database import Database


class WorkerStatus:
    """Looks at the worker's lock, and so also sees a worker that another process or host started.

    `expected` is false for a server that starts no worker.
    """

    def __init__(self, database: Database, folder: Path, *, expected: bool) -> None:
        self._database = database
        self._folder = folder
        self._expected = expected
        # When this process noticed that no worker is running; None while a worker runs.
        self._missing_since: datetime | None = None

    def describe(self) -> str:
        """`off`, `running`, or `not running since` the moment at which this process noticed."""
        if not self._expected:
            return "off"
        if worker_has_lock(self._database, self._folder):
            self._missing_since = None
            return "running"
        since = self._missing_since = self._missing_since or datetime.now(UTC)
        return f"not running since {since.isoformat(timespec='seconds')}"

    def is_running(self) -> bool | None:
        """Whether a worker is running; None if none is expected or the database does not answer."""
        try:
            return None if not self._expected else self.describe() == "running"
        except DBAPIError:
            return None
