"""The gate: identifies the caller of each request by its key or session.

The database's answer about a key is cached for a second: a revoked key stops working within a second, and few requests
wait for the database. While the database does not answer, its last answer is used for some minutes.
"""

import time
from collections.abc import Callable
from ipaddress import ip_address, ip_network
from typing import NamedTuple

from anyio import CapacityLimiter, to_thread
from fastapi import Request
from sqlalchemy import Connection

from service.access.limits import RateLimit, WrongKeys
from service.access.origin import refuse_other_sites, require_known_host, require_local
from service.access.records import KeyRecords
from service.access.secrets import bound_digest, digest_of, read_key, same
from service.errors import UnauthorizedError
from service.settings import Settings, is_loopback
from service.store import keys
from service.store.callers import LOCAL, SETTINGS_ADMIN, Caller
from service.store.sql.database import UNANSWERED, Database

SESSION_COOKIE = "framing_session"

_FRESH_SECONDS = 1.0
_STALE_SECONDS = 300.0
# Threads in which keys are looked up; those of routes may all be waiting for something.
_THREADS = 4
_MAX_CACHED = 10_000
# The admin key of the settings, among the keys whose requests are counted.
_SETTINGS_KEY = "settings"
_PREFIX = 64


class _CachedAnswer(NamedTuple):
    """What the database answered, and when."""

    caller: Caller | None
    at: float


class Gate:
    """Identifies callers; each process has a single gate."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._database = database
        self._admin = settings.admin_key.get_secret_value() if settings.admin_key else None
        self._admin_addresses: set[str] = set()
        self._may_be_open = is_loopback(settings.host) and self._admin is None
        self._allowed_hosts = settings.allowed_hosts
        self._records = KeyRecords(database)
        self._limit = RateLimit(self._records, settings.rate_per_minute) if settings.rate_per_minute else None
        self._wrong_keys = WrongKeys(settings.wrong_keys_per_minute)
        self._cache: dict[str, _CachedAnswer] = {}
        self._threads = CapacityLimiter(_THREADS)
        # Opening a session writes, and may wait for others who write: not in the threads of those who read.
        self._sign_in_threads = CapacityLimiter(_THREADS)

    def close_access(self) -> None:
        """Remembers that this service has the admin key of the settings, if it has: from then on, keys are needed."""
        if self._admin is None:
            return
        with self._database.read() as connection:
            is_closed = keys.is_closed(connection)
        if not is_closed:
            with self._database.write() as connection:
                keys.close_access(connection)

    async def check_origin(self, request: Request) -> None:
        """Raises an error for a request that may not come from where it comes from, whoever the caller is."""
        try:
            is_open = await self._is_open()
        except UNANSWERED:
            is_open = False  # a request that needs a caller is refused later, by the same error
        if is_open:
            require_local(request, self._allowed_hosts)
        elif self._allowed_hosts:
            require_known_host(request, self._allowed_hosts)

    async def admit(self, request: Request) -> Caller:
        """Returns the caller of a request.

        Raises `UnauthorizedError`, or `RateLimitedError` if the key has made all its requests of this minute or the
        address has sent too many wrong keys.
        """
        caller = await self._caller(request)
        self._count(caller)
        return caller

    def _count(self, caller: Caller) -> None:
        if self._limit is not None and caller != LOCAL:
            self._limit.take(caller.key_id or _SETTINGS_KEY)

    async def _caller(self, request: Request) -> Caller:
        header = request.headers.get("authorization")
        if header is not None:
            return await self._by_key(header, address_of(request))
        refuse_other_sites(request)
        session = request.cookies.get(SESSION_COOKIE)
        if session is not None:
            digest, bound = self.digests_of(session)
            caller = await self._look_up(f"session {digest}", lambda c: keys.caller_by_session(c, digest, bound))
            if caller is not None:
                return caller
        if await self._is_open():
            require_local(request, self._allowed_hosts)
            return LOCAL
        raise UnauthorizedError

    async def _is_open(self) -> bool:
        """Whether everybody on this machine may come in, because there was never a key."""
        return self._may_be_open and await self._look_up("open", _local_without_keys) is not None

    async def _by_key(self, authorization: str, address: str) -> Caller:
        kind, _, key = authorization.partition(" ")
        if kind.lower() != "bearer":
            raise UnauthorizedError("Send the key as `Authorization: Bearer framing_…`.")
        caller = await self._owner(key.strip(), address)
        if caller is None:
            raise UnauthorizedError("This key is not known, has been revoked, or has expired.")
        return caller

    async def _owner(self, key: str, address: str) -> Caller | None:
        """The owner of a key that was sent from an address; None, and counted, if there is none.

        Raises `RateLimitedError` if the address has sent too many wrong keys. A stored key is admitted even then: 256
        random bits cannot be guessed, and others may share the address. The admin key of the settings is whatever
        somebody chose, so it is admitted only from where it was sent before.
        """
        caller = None
        if self._is_admin_key(key):
            caller = self._settings_admin(address)
        elif (id_and_digest := read_key(key)) is not None:
            identifier, digest = id_and_digest
            caller = await self._look_up(digest, lambda c: keys.caller_by_secret(c, identifier, digest))
        if caller is None:
            self._wrong_keys.count(address)
        return caller

    def _settings_admin(self, address: str) -> Caller:
        if address not in self._admin_addresses:
            self._wrong_keys.require_few(address)
            if len(self._admin_addresses) >= _MAX_CACHED:
                self._admin_addresses.clear()
            self._admin_addresses.add(address)
        return SETTINGS_ADMIN

    async def _look_up(self, subject: str, query: Callable[[Connection], Caller | None]) -> Caller | None:
        """The database's answer to a query, or its cached answer about the subject."""
        cached, now = self._cache.get(subject), time.monotonic()
        if cached is not None and now - cached.at < _FRESH_SECONDS:
            return cached.caller
        try:
            caller = await to_thread.run_sync(self._query, query, limiter=self._threads)
        except UNANSWERED:
            if cached is None or now - cached.at > _STALE_SECONDS:
                raise
            return cached.caller
        if len(self._cache) >= _MAX_CACHED:
            self._cache.clear()
        self._cache[subject] = _CachedAnswer(caller, now)
        return caller

    def _query(self, query: Callable[[Connection], Caller | None]) -> Caller | None:
        """Reads only: a request that reads must not wait for those that write."""
        with self._database.read() as connection:
            caller = query(connection)
        if caller is not None and caller.key_id is not None:
            self._records.note_use(caller.key_id)
        return caller

    async def open_session(self, key: str, address: str, token: str, hours: int) -> bool:
        """Opens a session for a key that was sent from an address; False if the key is not valid.

        The session ends with the key. Raises `RateLimitedError` if the address has sent too many wrong keys, or the key
        has made all its requests of this minute.
        """
        caller = await self._owner(key, address)
        if caller is None:
            return False
        self._count(caller)
        await to_thread.run_sync(self._store_session, caller, token, hours, limiter=self._sign_in_threads)
        return True

    def _store_session(self, caller: Caller, token: str, hours: int) -> None:
        digest, bound = self.digests_of(token)
        stored = digest if caller.key_id is not None or bound is None else bound
        with self._database.write() as connection:
            keys.open_session(connection, caller.key_id, stored, hours)

    def digests_of(self, token: str) -> tuple[str, str | None]:
        """The digest under which the session of a stored key is stored, and that of one of the settings' admin key."""
        return digest_of(token), None if self._admin is None else bound_digest(token, self._admin)

    def _is_admin_key(self, key: str) -> bool:
        return self._admin is not None and same(digest_of(key), digest_of(self._admin))

    def stop(self) -> None:
        """Writes to the database what it still has to know about the use of keys."""
        self._records.stop()

    def clear_cache(self) -> None:
        """Makes the next request query the database again."""
        self._cache.clear()


def address_of(request: Request) -> str:
    """The address of the client; that of the proxy if the proxy is not trusted to tell the client's.

    Of IPv6 it is the network of 64 bits, of which every customer has a whole one to choose addresses from.
    """
    host = request.client.host if request.client else ""
    if ":" not in host:
        return host
    try:
        address = ip_address(host)
    except ValueError:
        return host
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or ip_network((address, _PREFIX), strict=False))


def _local_without_keys(connection: Connection) -> Caller | None:
    return None if keys.is_closed(connection) else LOCAL
