"""Idempotency keys: a request that is repeated under its key gets the first answer again."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import Connection, Select, delete, select

from service.errors import IdempotencyKeyReusedError
from service.store.sql.insertion import in_list, in_order, insert_all
from service.store.tables import idempotency_keys


@dataclass(frozen=True, slots=True)
class RememberedAnswer:
    """The answer to a request that was sent under a key: its digest, the article that it stored, and the response."""

    key: str
    request_sha256: str
    article_id: str
    response: str

    def require(self, request_sha256: str) -> None:
        """Raises `IdempotencyKeyReusedError` if the key was used for another request."""
        if self.request_sha256 != request_sha256:
            raise IdempotencyKeyReusedError


@cache
def _by_key(dialect: str) -> Select[Any]:
    return select(idempotency_keys).where(in_list(idempotency_keys.c.key, "keys", dialect))


def remembered(connection: Connection, keys: Sequence[str]) -> dict[str, RememberedAnswer]:
    """The stored answers, by key; keys that were not sent before are left out."""
    rows = connection.execute(_by_key(connection.dialect.name), {"keys": keys})
    return {row.key: RememberedAnswer(row.key, row.request_sha256, row.article_id, row.response) for row in rows}


def remember(connection: Connection, answered: Sequence[RememberedAnswer], *, hours: int) -> None:
    """Stores answers under their keys, and deletes answers older than `hours`."""
    if not answered:
        return
    now = datetime.now(UTC)
    connection.execute(delete(idempotency_keys).where(idempotency_keys.c.created_at < now - timedelta(hours=hours)))
    rows = [in_order(idempotency_keys, {**asdict(answer), "created_at": now}) for answer in answered]
    insert_all(connection, {idempotency_keys: rows})
