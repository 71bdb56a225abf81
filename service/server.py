"""`framing serve`: one server process, or several on one port, and the worker beside them."""

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

from service.cli.commands import open_database
from service.errors import OpenServerError
from service.jobs.supervisor import Supervisor
from service.settings import Settings, is_loopback
from service.store.keys import any_kept

_log = logging.getLogger("framing")

_SWITCH_SECONDS = 0.0005
_GRACE_SECONDS = 10
_KEEP_ALIVE_SECONDS = 75
"""Longer than proxies and clients keep a connection that they do not use: who closes it must not be the one to whom the
next request is on its way."""


def run(settings: Settings) -> None:
    """Serves until SIGTERM or SIGINT; requests in flight are finished.

    Raises `OpenServerError` where others could reach a server that has no key.
    """
    _require_key_beyond_loopback(settings)
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


def _require_key_beyond_loopback(settings: Settings) -> None:
    if settings.admin_key is not None:
        return
    with open_database(settings) as (database, _), database.read() as connection:
        closed = any_kept(connection)
    if not closed and not is_loopback(settings.host):
        raise OpenServerError(
            f"Refusing to listen on {settings.host}: there is no key yet, so anyone who reaches the port could use the "
            "service. Make one with `framing keys create NAME --role admin`, or set FRAMING_ADMIN_KEY."
        )
    if not closed:
        _log.warning("There is no key: everybody on this machine may do everything (see `framing keys create`).")


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
        "timeout_keep_alive": _KEEP_ALIVE_SECONDS,
    }


@contextmanager
def _found_by_children(settings: Settings) -> Iterator[None]:
    """What was said on the command line, and the folder where the processes add up their metrics."""
    with TemporaryDirectory(prefix="framing-metrics-") as folder:
        os.environ["FRAMING_PORT"] = str(settings.port)
        os.environ["FRAMING_SERVER_PROCESSES"] = str(settings.server_processes)
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        yield
