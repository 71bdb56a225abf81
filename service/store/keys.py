"""API keys, whether they are needed, the sessions that they opened, and the number of requests that each key made."""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, func, insert, select, update

from service.errors import KeysInForceError, NoSuchKeyError
from service.store.callers import SETTINGS_ADMIN, Caller, Role
from service.store.sql.insertion import add_to_sums
from service.store.tables import access, api_keys, request_counts, sessions


@dataclass(frozen=True, slots=True)
class Key:
    """A stored key, without its secret."""

    id: str
    name: str
    role: Role
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None

    def is_valid(self, now: datetime) -> bool:
        """Whether the key has neither been revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > now)


_COLUMNS = [column for column in api_keys.columns if column.name != "secret_sha256"]


def create(
    connection: Connection, identifier: str, secret_sha256: str, name: str, role: Role, days: int | None = None
) -> None:
    """Stores a key that is valid for some days, or until it is revoked; from now on, keys are needed."""
    close_access(connection)
    now = datetime.now(UTC)
    connection.execute(
        insert(api_keys),
        {
            "id": identifier,
            "name": name,
            "role": role,
            "secret_sha256": secret_sha256,
            "created_at": now,
            "expires_at": None if days is None else now + timedelta(days=days),
        },
    )


def listing(connection: Connection) -> list[Key]:
    """All keys, oldest first."""
    return [Key(**row._mapping) for row in connection.execute(select(*_COLUMNS).order_by(api_keys.c.created_at))]


def coders(connection: Connection) -> set[str]:
    """The names of valid keys with the role coder."""
    now = datetime.now(UTC)
    return {key.name for key in listing(connection) if key.role == "coder" and key.is_valid(now)}


def unrevoked(connection: Connection) -> list[str]:
    """Ids of the keys that have not been revoked, even if they have expired."""
    return list(connection.scalars(select(api_keys.c.id).where(api_keys.c.revoked_at.is_(None))))


def is_closed(connection: Connection) -> bool:
    """Whether keys are needed.

    They are from the first key on. Without that memory, whoever revokes the last key would let everybody on the
    machine in.
    """
    return connection.scalar(select(access.c.closed)) is not False  # without the row, keys are needed


def close_access(connection: Connection) -> None:
    """Makes keys needed from now on."""
    connection.execute(update(access).values(closed=True))


def open_access(connection: Connection) -> None:
    """Lets everybody on this machine in without a key; raises `KeysInForceError` while a key has not been revoked."""
    if in_force := unrevoked(connection):
        raise KeysInForceError(
            f"These keys have not been revoked: {', '.join(in_force)}. Whoever holds one trusts that others need one "
            "too: revoke them first."
        )
    connection.execute(update(access).values(closed=False))


def revoke(connection: Connection, identifier: str) -> None:
    """Revokes a key and closes its sessions; revoking it again changes nothing. Raises `NoSuchKeyError`."""
    now = datetime.now(UTC)
    revoked = connection.execute(
        update(api_keys).where(api_keys.c.id == identifier).values(revoked_at=func.coalesce(api_keys.c.revoked_at, now))
    )
    if not revoked.rowcount:
        raise NoSuchKeyError(f"No API key has the id '{identifier}'.")
    connection.execute(delete(sessions).where(sessions.c.key_id == identifier))


def caller_by_secret(connection: Connection, identifier: str, secret_sha256: str) -> Caller | None:
    """The owner of the key; None if the key is unknown or not valid."""
    row = connection.execute(select(api_keys).where(api_keys.c.id == identifier)).first()
    if row is None or not hmac.compare_digest(row.secret_sha256.encode(), secret_sha256.encode()):
        return None
    return _caller(row)


def open_session(connection: Connection, key_id: str | None, token_sha256: str, hours: int) -> None:
    """Opens a session, and deletes those that have expired."""
    now = datetime.now(UTC)
    connection.execute(delete(sessions).where(sessions.c.expires_at <= now))
    connection.execute(
        insert(sessions),
        {"token_sha256": token_sha256, "key_id": key_id, "expires_at": now + timedelta(hours=hours)},
    )


def close_session(connection: Connection, digests: Sequence[str]) -> None:
    """Deletes the session under any of the digests of its token; does nothing if it does not exist."""
    connection.execute(delete(sessions).where(sessions.c.token_sha256.in_(digests)))


def caller_by_session(connection: Connection, token_sha256: str, bound_sha256: str | None) -> Caller | None:
    """The owner of the key that opened the session; None if the session has expired or the key is not valid.

    bound_sha256: digest of the token together with the admin key of the settings, None without such a key. A session of
    that key is stored under it, so that it ends with the key and no digest of the key itself is stored.
    """
    is_own = sessions.c.key_id.is_not(None) & (sessions.c.token_sha256 == token_sha256)
    is_of_settings = sessions.c.key_id.is_(None) & (sessions.c.token_sha256 == bound_sha256)
    row = connection.execute(
        select(sessions.c.key_id, *_COLUMNS)
        .outerjoin_from(sessions, api_keys, sessions.c.key_id == api_keys.c.id)
        .where(is_own | is_of_settings, sessions.c.expires_at > datetime.now(UTC))
    ).first()
    if row is None:
        return None
    return SETTINGS_ADMIN if row.key_id is None else _caller(row)


def record_use(connection: Connection, identifiers: Sequence[str]) -> None:
    """Records that keys were used just now; any number of them."""
    now = datetime.now(UTC)
    connection.execute(
        update(api_keys).where(api_keys.c.id == bindparam("key")).values(last_used_at=now),
        [{"key": identifier} for identifier in identifiers],
    )


def _caller(row: Row[Any]) -> Caller | None:
    key = Key(**{column.name: getattr(row, column.name) for column in _COLUMNS})
    return Caller(key.name, key.role, key.id) if key.is_valid(datetime.now(UTC)) else None


def count_requests(connection: Connection, counts: Sequence[tuple[str, int, int]]) -> dict[tuple[str, int], int]:
    """Adds requests to keys, each a key, a minute and a number, and deletes past minutes.

    Returns the number over all processes by key and minute.
    """
    add_to_sums(connection, {request_counts: counts})
    minutes = {minute for _, minute, _ in counts}
    connection.execute(delete(request_counts).where(request_counts.c.minute < max(minutes) - 1))
    query = select(request_counts.c.key_id, request_counts.c.minute, request_counts.c.count)
    totals = connection.execute(query.where(request_counts.c.minute.in_(minutes)))
    return {(key_id, minute): count for key_id, minute, count in totals}
