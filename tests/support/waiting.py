"""Waits for what another thread or process does."""

import subprocess
import time
from collections.abc import Callable

_PAUSE_SECONDS = 0.02


def wait_until(
    holds: Callable[[], bool], what: str, seconds: float = 90, process: subprocess.Popen[bytes] | None = None
) -> None:
    """Returns once the condition holds.

    Raises `TimeoutError` after `seconds`, and `RuntimeError` as soon as the process waited for has ended.
    """
    deadline = time.monotonic() + seconds
    while not holds():
        if process is not None and process.poll() is not None:
            raise RuntimeError(f"The process ended with {process.returncode} while waiting for {what}.")
        if time.monotonic() > deadline:
            raise TimeoutError(f"Waited {seconds} s for {what}.")
        time.sleep(_PAUSE_SECONDS)
