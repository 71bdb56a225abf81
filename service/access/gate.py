"""The gate: who asks, by key or session.

What the database said of a key is believed for a second, so that a revoked key stops working within that, and a request
seldom waits for the database; while the database does not answer, what it said last is believed for some minutes.
"""

import threading
import time
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import urlsplit

from anyio import to_thread
from fastapi import Request
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from service.access.limits import RateLimit, WrongKeys
from service.access.secrets import digest_of, read_key, same
from service.errors import ForbiddenError, UnauthorizedError
from service.settings import Settings, is_loopback
from service.store import keys
from service.store.callers import LOCAL, SETTINGS_ADMIN, Caller
from service.store.sql.database import Database

SESSION_COOKIE = "framing_session"

_FRESH_SECONDS = 1.0
_STALE_SECONDS = 300.0
_NOTE_USE_SECONDS = 60.0
_MOST_REMEMBERED = 10_000
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


class _Said(NamedTuple):
    """What the database said, and when."""

    caller: Caller | None
    at: float


class Gate:
    """Knows the callers; one a process."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._database = database
        self._admin = digest_of(settings.admin_key.get_secret_value()) if settings.admin_key else None
        self._may_be_open = is_loopback(settings.host) and self._admin is None
        self._limit = RateLimit(database, settings.rate_per_minute)
        self._wrong = WrongKeys(settings.wrong_keys_per_minute)
        self._said: dict[str, _Said] = {}
        self._noted: dict[str, float] = {}
        self._noting = threading.Lock()

    async def admit(self, request: Request) -> Caller:
        """Who asks; raises `UnauthorizedError`, or `RateLimitedError` where the minute of the key is full, or that of
        the address for wrong keys.
        """
        caller = await self._caller(request)
        await self._limit.take(caller)
        return caller

    async def _caller(self, request: Request) -> Caller:
        shown = request.headers.get("authorization")
        if shown is not None:
            return await self._by_key(shown, address_of(request))
        refuse_other_sites(request)
        session = request.cookies.get(SESSION_COOKIE)
        if session is not None:
            digest = digest_of(session)
            found = await self._ask(f"session {digest}", lambda c: keys.caller_by_session(c, digest))
            if found is not None and (found != SETTINGS_ADMIN or self._admin is not None):
                return found
        if self._may_be_open and await self._ask("open", _local_without_keys) is not None:
            return LOCAL
        raise UnauthorizedError

    async def _by_key(self, authorization: str, address: str) -> Caller:
        kind, _, shown = authorization.partition(" ")
        if kind.lower() != "bearer":
            raise UnauthorizedError("Send the key as `Authorization: Bearer framing_…`.")
        caller = await self._try_key(shown.strip(), address)
        if caller is None:
            self._wrong.count(address)
            raise UnauthorizedError("This key is not known, was revoked, or has expired.")
        return caller

    async def _try_key(self, shown: str, address: str) -> Caller | None:
        identifier, digest = read_key(shown) or ("", digest_of(shown))
        said = self._said.get(digest)
        if said is None or said.caller is None:  # one that worked a while ago is no guess
            self._wrong.require_few(address)
        if self._is_admin_key(shown):
            self._said[digest] = _Said(SETTINGS_ADMIN, time.monotonic())
            return SETTINGS_ADMIN
        if not identifier:
            return None
        return await self._ask(digest, lambda c: keys.caller_by_secret(c, identifier, digest))

    async def _ask(self, about: str, ask: Callable[[Connection], Caller | None]) -> Caller | None:
        """What the database says, or said a moment ago."""
        said, now = self._said.get(about), time.monotonic()
        if said is not None and now - said.at < _FRESH_SECONDS:
            return said.caller
        try:
            caller = await to_thread.run_sync(self._look, ask)
        except OperationalError:
            if said is None or now - said.at > _STALE_SECONDS:
                raise
            return said.caller
        if len(self._said) >= _MOST_REMEMBERED:
            self._said.clear()
        self._said[about] = _Said(caller, now)
        return caller

    def _look(self, ask: Callable[[Connection], Caller | None]) -> Caller | None:
        with self._database.read() as connection:
            caller = ask(connection)
        if caller is not None and caller.key_id is not None:
            self._note_use(caller.key_id)
        return caller

    def _note_use(self, key_id: str) -> None:
        now = time.monotonic()
        with self._noting:
            if now - self._noted.get(key_id, -_NOTE_USE_SECONDS) < _NOTE_USE_SECONDS:
                return
            self._noted[key_id] = now
        with self._database.write() as connection:
            keys.note_use(connection, [key_id])

    def open_session(self, shown: str, address: str, token_sha256: str, hours: int) -> bool:
        """Opens a session for a key shown by an address; False for one that does not work.

        Raises `RateLimitedError` where too many that did not came from there.
        """
        self._wrong.require_few(address)
        caller = SETTINGS_ADMIN if self._is_admin_key(shown) else self._owner(shown)
        if caller is None:
            self._wrong.count(address)
            return False
        with self._database.write() as connection:
            keys.open_session(connection, caller.key_id, token_sha256, hours)
        return True

    def _owner(self, shown: str) -> Caller | None:
        read = read_key(shown)
        if read is None:
            return None
        with self._database.read() as connection:
            return keys.caller_by_secret(connection, *read)

    def _is_admin_key(self, shown: str) -> bool:
        return self._admin is not None and same(digest_of(shown), self._admin)

    def forget(self) -> None:
        """Asks the database again at the next request."""
        self._said.clear()


def address_of(request: Request) -> str:
    """Where a request comes from; that of the proxy where it does not say for whom it asks."""
    return request.client.host if request.client else ""


def _local_without_keys(connection: Connection) -> Caller | None:
    return None if keys.any_kept(connection) else LOCAL


def refuse_other_sites(request: Request) -> None:
    """A page of another site must not act with the session, or the loopback address, of the one who looks at it.

    Browsers say where a request comes from (Fetch Metadata; older ones by Origin); programs say nothing.
    """
    if request.method in _SAFE_METHODS:
        return
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        own = site in ("same-origin", "none")
    else:
        origin = request.headers.get("origin")
        own = origin is None or urlsplit(origin).netloc == request.headers.get("host")
    if not own:
        raise ForbiddenError("This was asked for by a page of another site, which may not act here.")
