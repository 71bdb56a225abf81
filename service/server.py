"""`framing serve`: a server process, or several on the same port, and a worker beside them."""

import gc
import logging
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Any

import uvicorn
from fastapi import FastAPI

from service.errors import OpenServerError
from service.jobs.supervisor import Supervisor
from service.settings import Settings, is_loopback
from service.store.keys import any_unrevoked
from service.store.sql.database import Database

_log = logging.getLogger("framing")

# The default is 0.005: a short request would wait that long for a thread that is scoring.
_SWITCH_SECONDS = 0.0005
_GRACE_SECONDS = 10
# Longer than proxies and clients keep an idle connection: if the server closed it first, a request could be on its way.
_KEEP_ALIVE_SECONDS = 75


def run(settings: Settings) -> None:
    """Serves until SIGTERM or SIGINT; then finishes the requests in flight.

    Raises `OpenServerError` if others could reach a server that has no key.
    """
    _require_key_beyond_loopback(settings)
    supervisor = Supervisor()
    # uvicorn raises SIGTERM again at its end; unhandled, it would end this process before the worker is stopped.
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(0))
    if settings.worker:
        supervisor.start()
    try:
        if settings.server_processes == 1:
            uvicorn.run(_app(settings), **_options(settings))
        else:
            with _environment_of_children(settings):
                uvicorn.run(
                    "service.server:child", factory=True, workers=settings.server_processes, **_options(settings)
                )
    finally:
        supervisor.stop()


def _require_key_beyond_loopback(settings: Settings) -> None:
    if settings.admin_key is not None:
        return
    with Database.opened(settings.store_url) as database, database.read() as connection:
        has_key = any_unrevoked(connection)
    if not has_key and not is_loopback(settings.host):
        raise OpenServerError(
            f"Refusing to listen on {settings.host}: no key exists yet, so anyone who reaches the port could use the "
            "service. Make a key with `framing keys create NAME --role admin`, or set FRAMING_ADMIN_KEY."
        )
    if not has_key:
        _log.warning("No key exists: everybody on this machine may do everything (see `framing keys create`).")


def child() -> FastAPI:
    """The application of a child, when several processes serve; it has the settings from the environment alone."""
    return _app(Settings())


def _app(settings: Settings) -> FastAPI:
    # Collecting garbage takes a tenth of the start, and what is loaded now stays until the end.
    gc.disable()
    from service.app import create_app  # noqa: PLC0415 - the process above the servers does not need it

    app = create_app(settings)
    gc.freeze()
    gc.enable()
    sys.setswitchinterval(_SWITCH_SECONDS)
    return app


def _options(settings: Settings) -> dict[str, Any]:
    return {
        "host": settings.host,
        "port": settings.port,
        "log_level": settings.log_level,
        "server_header": False,
        "timeout_graceful_shutdown": _GRACE_SECONDS,
        "timeout_keep_alive": _KEEP_ALIVE_SECONDS,
    }


@contextmanager
def _environment_of_children(settings: Settings) -> Iterator[None]:
    """Passes on the options of the command line, and a folder in which the processes add up their metrics."""
    with TemporaryDirectory(prefix="framing-metrics-") as folder:
        os.environ["FRAMING_PORT"] = str(settings.port)
        os.environ["FRAMING_SERVER_PROCESSES"] = str(settings.server_processes)
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        yield
