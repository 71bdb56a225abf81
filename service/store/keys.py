"""API keys and the sessions opened with them."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from labels.errors import FramingError
from service.access.secrets import NewKey, new_key, same
from service.store.callers import SETTINGS_ADMIN, Caller, Role
from service.store.tables import api_keys, sessions


class NoSuchKeyError(FramingError):
    """There is no key of that id."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key as it is kept: without its secret."""

    id: str
    name: str
    role: Role
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None

    def works(self, now: datetime) -> bool:
        """Whether it was neither revoked nor has expired."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > now)


_COLUMNS = [column for column in api_keys.columns if column.name != "secret_sha256"]


def create(connection: Connection, name: str, role: Role, days: int | None) -> NewKey:
    """Makes a key that works for so many days, or until it is revoked."""
    made, now = new_key(), datetime.now(UTC)
    connection.execute(
        insert(api_keys),
        {
            "id": made.id,
            "name": name,
            "role": role,
            "secret_sha256": made.secret_sha256,
            "created_at": now,
            "expires_at": None if days is None else now + timedelta(days=days),
        },
    )
    return made


def listing(connection: Connection) -> list[Key]:
    """All keys, the oldest first."""
    return [Key(**row._mapping) for row in connection.execute(select(*_COLUMNS).order_by(api_keys.c.created_at))]


def any_kept(connection: Connection) -> bool:
    """Whether there is a key that was not revoked. One that has expired still closes the gate to those without."""
    return bool(connection.scalar(select(func.count()).where(api_keys.c.revoked_at.is_(None))))


def revoke(connection: Connection, identifier: str) -> None:
    """Ends a key and its sessions; raises `NoSuchKeyError`. Revoking twice changes nothing."""
    now = datetime.now(UTC)
    done = connection.execute(
        update(api_keys).where(api_keys.c.id == identifier).values(revoked_at=func.coalesce(api_keys.c.revoked_at, now))
    )
    if not done.rowcount:
        raise NoSuchKeyError(f"There is no key '{identifier}'.")
    connection.execute(delete(sessions).where(sessions.c.key_id == identifier))


def caller_by_secret(connection: Connection, identifier: str, secret_sha256: str) -> Caller | None:
    """Who has the key, if it works."""
    row = connection.execute(select(api_keys).where(api_keys.c.id == identifier)).first()
    if row is None or not same(row.secret_sha256, secret_sha256):
        return None
    return _caller(row)


def open_session(connection: Connection, key_id: str | None, token_sha256: str, hours: int) -> None:
    """Opens a session, and forgets those that are over."""
    now = datetime.now(UTC)
    connection.execute(delete(sessions).where(sessions.c.expires_at <= now))
    connection.execute(
        insert(sessions),
        {"token_sha256": token_sha256, "key_id": key_id, "expires_at": now + timedelta(hours=hours)},
    )


def close_session(connection: Connection, token_sha256: str) -> None:
    connection.execute(delete(sessions).where(sessions.c.token_sha256 == token_sha256))


def caller_by_session(connection: Connection, token_sha256: str) -> Caller | None:
    """Who opened the session, if it is not over and the key works."""
    row = connection.execute(
        select(sessions.c.key_id, *_COLUMNS)
        .outerjoin_from(sessions, api_keys, sessions.c.key_id == api_keys.c.id)
        .where(sessions.c.token_sha256 == token_sha256, sessions.c.expires_at > datetime.now(UTC))
    ).first()
    if row is None:
        return None
    return SETTINGS_ADMIN if row.key_id is None else _caller(row)


def note_use(connection: Connection, identifiers: list[str]) -> None:
    """Remembers that keys were used just now."""
    connection.execute(update(api_keys).where(api_keys.c.id.in_(identifiers)).values(last_used_at=datetime.now(UTC)))


def _caller(row: Row[Any]) -> Caller | None:
    key = Key(**{column.name: getattr(row, column.name) for column in _COLUMNS})
    return Caller(key.name, key.role, key.id) if key.works(datetime.now(UTC)) else None
