"""Idempotency keys: a request sent again under its key gets the answer that the first one got."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import Connection, Select, delete, select

from labels.errors import FramingError
from service.store.sql.insertion import in_order, insert_all, one_of
from service.store.tables import idempotency_keys


class IdempotencyKeyReusedError(FramingError):
    """The key was used for another request before."""

    def __init__(self) -> None:
        super().__init__("This Idempotency-Key was used for another request; choose a new key.")


@dataclass(frozen=True, slots=True)
class Remembered:
    """What was asked for under a key, the article that was stored, and the answer."""

    key: str
    request_sha256: str
    article_id: str
    response: str

    def require(self, request_sha256: str) -> None:
        """Raises `IdempotencyKeyReusedError` unless this is the request that the key stands for."""
        if self.request_sha256 != request_sha256:
            raise IdempotencyKeyReusedError


@cache
def _by_key(dialect: str) -> Select[Any]:
    return select(idempotency_keys).where(one_of(idempotency_keys.c.key, "keys", dialect))


def remembered(connection: Connection, keys: Sequence[str]) -> dict[str, Remembered]:
    """What is known of those keys that were used before."""
    if not keys:
        return {}
    rows = connection.execute(_by_key(connection.dialect.name), {"keys": keys})
    return {row.key: Remembered(row.key, row.request_sha256, row.article_id, row.response) for row in rows}


def remember(connection: Connection, answered: Sequence[Remembered], *, hours: int) -> None:
    """Keeps answers under their keys, and forgets those older than `hours`."""
    if not answered:
        return
    now = datetime.now(UTC)
    connection.execute(delete(idempotency_keys).where(idempotency_keys.c.created_at < now - timedelta(hours=hours)))
    kept = [in_order(idempotency_keys, {**asdict(one), "created_at": now}) for one in answered]
    insert_all(connection, {idempotency_keys: kept})
