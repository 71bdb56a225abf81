"""The gate: identifies the caller of each request by its key or session.

The database's answer about a key is cached for a second: a revoked key stops working within a second, and few requests
wait for the database. While the database does not answer, its last answer is used for some minutes.
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
_RECORD_USE_SECONDS = 60.0
_MAX_CACHED = 10_000
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


class _CachedAnswer(NamedTuple):
    """What the database answered, and when."""

    caller: Caller | None
    at: float


class Gate:
    """Identifies callers; each process has a single gate."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._database = database
        self._admin = digest_of(settings.admin_key.get_secret_value()) if settings.admin_key else None
        self._may_be_open = is_loopback(settings.host) and self._admin is None
        self._limit = RateLimit(database, settings.rate_per_minute) if settings.rate_per_minute else None
        self._wrong_keys = WrongKeys(settings.wrong_keys_per_minute)
        self._cache: dict[str, _CachedAnswer] = {}
        self._use_recorded_at: dict[str, float] = {}
        self._use_lock = threading.Lock()

    async def admit(self, request: Request) -> Caller:
        """Returns the caller of a request.

        Raises `UnauthorizedError`, or `RateLimitedError` if the key has made all its requests of this minute or the
        address has sent too many wrong keys.
        """
        caller = await self._caller(request)
        if self._limit is not None and caller.key_id is not None:
            await self._limit.take(caller.key_id)
        return caller

    async def _caller(self, request: Request) -> Caller:
        header = request.headers.get("authorization")
        if header is not None:
            return await self._by_key(header, address_of(request))
        refuse_other_sites(request)
        session = request.cookies.get(SESSION_COOKIE)
        if session is not None:
            digest = digest_of(session)
            caller = await self._look_up(f"session {digest}", lambda c: keys.caller_by_session(c, digest))
            if caller is not None and (caller != SETTINGS_ADMIN or self._admin is not None):
                return caller
        if self._may_be_open and await self._look_up("open", _local_without_keys) is not None:
            return LOCAL
        raise UnauthorizedError

    async def _by_key(self, authorization: str, address: str) -> Caller:
        kind, _, key = authorization.partition(" ")
        if kind.lower() != "bearer":
            raise UnauthorizedError("Send the key as `Authorization: Bearer framing_…`.")
        caller = await self._try_key(key.strip(), address)
        if caller is None:
            self._wrong_keys.count(address)
            raise UnauthorizedError("This key is not known, has been revoked, or has expired.")
        return caller

    async def _try_key(self, key: str, address: str) -> Caller | None:
        identifier, digest = read_key(key) or ("", digest_of(key))
        cached = self._cache.get(digest)
        if cached is None or cached.caller is None:  # a key that was valid a moment ago is not a guess
            self._wrong_keys.require_few(address)
        if self._is_admin_key(key):
            self._cache[digest] = _CachedAnswer(SETTINGS_ADMIN, time.monotonic())
            return SETTINGS_ADMIN
        if not identifier:
            return None
        return await self._look_up(digest, lambda c: keys.caller_by_secret(c, identifier, digest))

    async def _look_up(self, subject: str, query: Callable[[Connection], Caller | None]) -> Caller | None:
        """The database's answer to a query, or its cached answer about the subject."""
        cached, now = self._cache.get(subject), time.monotonic()
        if cached is not None and now - cached.at < _FRESH_SECONDS:
            return cached.caller
        try:
            caller = await to_thread.run_sync(self._query, query)
        except OperationalError:
            if cached is None or now - cached.at > _STALE_SECONDS:
                raise
            return cached.caller
        if len(self._cache) >= _MAX_CACHED:
            self._cache.clear()
        self._cache[subject] = _CachedAnswer(caller, now)
        return caller

    def _query(self, query: Callable[[Connection], Caller | None]) -> Caller | None:
        with self._database.read() as connection:
            caller = query(connection)
        if caller is not None and caller.key_id is not None:
            self._record_use(caller.key_id)
        return caller

    def _record_use(self, key_id: str) -> None:
        now = time.monotonic()
        with self._use_lock:
            if now - self._use_recorded_at.get(key_id, -_RECORD_USE_SECONDS) < _RECORD_USE_SECONDS:
                return
            self._use_recorded_at[key_id] = now
        with self._database.write() as connection:
            keys.record_use(connection, [key_id])

    def open_session(self, key: str, address: str, token_sha256: str, hours: int) -> bool:
        """Opens a session for a key that was sent from an address; False if the key is not valid.

        Raises `RateLimitedError` if the address has sent too many wrong keys.
        """
        self._wrong_keys.require_few(address)
        caller = SETTINGS_ADMIN if self._is_admin_key(key) else self._owner(key)
        if caller is None:
            self._wrong_keys.count(address)
            return False
        with self._database.write() as connection:
            keys.open_session(connection, caller.key_id, token_sha256, hours)
        return True

    def _owner(self, key: str) -> Caller | None:
        id_and_digest = read_key(key)
        if id_and_digest is None:
            return None
        with self._database.read() as connection:
            return keys.caller_by_secret(connection, *id_and_digest)

    def _is_admin_key(self, key: str) -> bool:
        return self._admin is not None and same(digest_of(key), self._admin)

    def clear_cache(self) -> None:
        """Makes the next request query the database again."""
        self._cache.clear()


def address_of(request: Request) -> str:
    """The address of the client; that of the proxy if the proxy does not pass on the client's."""
    return request.client.host if request.client else ""


def _local_without_keys(connection: Connection) -> Caller | None:
    return None if keys.any_unrevoked(connection) else LOCAL


def refuse_other_sites(request: Request) -> None:
    """Raises `ForbiddenError` for a request that changes something and that a page of another site has made.

    That page must not use the session of its visitor, or the fact that the visitor is on this machine. Browsers send
    the origin of a request (Fetch Metadata; older browsers send `Origin`); other programs send neither.
    """
    if request.method in _SAFE_METHODS:
        return
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        is_own = site in ("same-origin", "none")
    else:
        origin = request.headers.get("origin")
        is_own = origin is None or urlsplit(origin).netloc == request.headers.get("host")
    if not is_own:
        raise ForbiddenError("A page of another site made this request, which is not allowed.")
