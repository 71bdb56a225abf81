"""Keeps a worker process running beside the server."""

import logging
import os
import subprocess
import threading

from service.processes import command_line

_log = logging.getLogger("framing")

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0
_STOP_SECONDS = 10


class Supervisor:
    """Starts a worker, restarts it when it dies, and stops it with the server."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._watch, name="supervisor", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ends the worker; a run that it was doing is resumed at the next start."""
        self._stop.set()
        if self._process is not None:
            self._process.terminate()
            self._thread.join(timeout=_STOP_SECONDS)
        if self._process is not None and self._process.poll() is None:
            self._process.kill()

    def _watch(self) -> None:
        command = command_line("service.cli", "worker", "--parent", str(os.getpid()))
        pause = _FIRST_PAUSE
        while not self._stop.is_set():
            self._process = subprocess.Popen(command)  # noqa: S603 - this program itself
            code = self._process.wait()
            if not self._stop.is_set():
                _log.error("The worker ended with %s; it is restarted in %.1f s.", code, pause)
                self._stop.wait(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
