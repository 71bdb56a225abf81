"""`framing serve`: one server process, or several on one port, and the worker beside them."""

import gc
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Any

import uvicorn
from fastapi import FastAPI

from service.settings import Settings
from service.supervisor import Supervisor

_SWITCH_SECONDS = 0.0005
_GRACE_SECONDS = 10


def run(settings: Settings) -> None:
    """Serves until SIGTERM or SIGINT; requests in flight are finished."""
    supervisor = Supervisor()
    # uvicorn raises SIGTERM again when it is done; unhandled, that would end us before the worker is stopped.
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(0))
    if settings.worker:
        supervisor.start()
    try:
        if settings.server_processes == 1:
            uvicorn.run(_app(settings), **_options(settings))
        else:
            with _found_by_children(settings):
                uvicorn.run(
                    "service.server:child", factory=True, workers=settings.server_processes, **_options(settings)
                )
    finally:
        supervisor.stop()


def child() -> FastAPI:
    """The application in one of several server processes, which knows the settings by the environment alone."""
    return _app(Settings())


def _app(settings: Settings) -> FastAPI:
    gc.disable()  # until all is there that stays: looking it through again and again is a tenth of the start
    from service.app import create_app  # noqa: PLC0415 - the process above the servers does not need it

    app = create_app(settings)
    gc.freeze()
    gc.enable()
    # A thread at work gives way to one with a short request after half a millisecond, not after five.
    sys.setswitchinterval(_SWITCH_SECONDS)
    return app


def _options(settings: Settings) -> dict[str, Any]:
    return {
        "host": settings.host,
        "port": settings.port,
        "log_level": settings.log_level,
        "server_header": False,
        "timeout_graceful_shutdown": _GRACE_SECONDS,
    }


@contextmanager
def _found_by_children(settings: Settings) -> Iterator[None]:
    """What was said on the command line, and the folder where the processes add up their metrics."""
    with TemporaryDirectory(prefix="framing-metrics-") as folder:
        os.environ["FRAMING_PORT"] = str(settings.port)
        os.environ["FRAMING_SERVER_PROCESSES"] = str(settings.server_processes)
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        yield
