"""`framing serve`: a server process, or several on the same port, and a worker beside them."""

import gc
import logging
import os
import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from tempfile import TemporaryDirectory
from typing import Any

import uvicorn
from fastapi import FastAPI

from service.errors import OpenServerError
from service.http.connections import BoundedConnection
from service.jobs.supervisor import Supervisor
from service.settings import Settings, is_loopback
from service.store import keys
from service.store.sql.database import Database

_log = logging.getLogger("framing")

# The default is 0.005: a short request would wait that long for a thread that is scoring.
_SWITCH_SECONDS = 0.0005
_GRACE_SECONDS = 10
_OPEN_FILES = 65_536
# Place of the address among the arguments of uvicorn's line about a request, after client and method.
_ADDRESS = 2
# Longer than proxies and clients keep an idle connection: if the server closed it first, a request could be on its way.
_KEEP_ALIVE_SECONDS = 75


def run(settings: Settings) -> None:
    """Serves until SIGTERM or SIGINT; then finishes the requests in flight.

    Raises `OpenServerError` if others could reach a server that has no key.
    """
    _require_key_beyond_loopback(settings)
    _allow_many_connections()
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


def _allow_many_connections() -> None:
    """Raises the limit of open files: with the usual 1,024, as many idle connections would keep everybody else out."""
    usual, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if most == resource.RLIM_INFINITY else min(most, _OPEN_FILES)
    if usual != resource.RLIM_INFINITY and usual < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def _require_key_beyond_loopback(settings: Settings) -> None:
    if settings.admin_key is not None:
        return
    with Database.opened(settings.store_url) as database, database.read() as connection:
        has_key, is_closed = bool(keys.unrevoked(connection)), keys.is_closed(connection)
    if has_key:
        return
    if not is_loopback(settings.host):
        raise OpenServerError(
            f"Refusing to listen on {settings.host}: no key exists, so anyone who reaches the port could use the "
            "service. Make a key with `framing keys create NAME --role admin`, or set FRAMING_ADMIN_KEY."
        )
    if is_closed:
        _log.warning(
            "No key is left, so nobody gets in. Make one with `framing keys create NAME --role admin`, or let "
            "everybody on this machine in without a key: `framing keys open`."
        )
    else:
        _log.warning("No key exists: everybody on this machine may do everything (see `framing keys create`).")


class _WithoutQuery(logging.Filter):
    """Cuts queries off the addresses in the log of requests: they have names of coders and words of articles."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple) and len(record.args) >= _ADDRESS + 1:
            arguments = list(record.args)
            arguments[_ADDRESS] = str(arguments[_ADDRESS]).partition("?")[0]
            record.args = tuple(arguments)
        return True


def child() -> FastAPI:
    """The application of a child, when several processes serve; it has the settings from the environment alone."""
    return _app(Settings())


def _app(settings: Settings) -> FastAPI:
    # Collecting garbage takes a tenth of the start, and what is loaded now stays until the end.
    gc.disable()
    from service.app import create_app  # noqa: PLC0415 - the process above the servers does not need it

    app = create_app(settings)
    logging.getLogger("uvicorn.access").addFilter(_WithoutQuery())
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
        "forwarded_allow_ips": list(settings.trusted_proxies),
        "http": partial(BoundedConnection, seconds=settings.body_seconds),
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
