"""Idempotency keys: a request sent again under its key gets the answer that the first one got."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, delete, insert, select

from labels.errors import FramingError
from service.store.tables import idempotency_keys


class IdempotencyKeyReusedError(FramingError):
    """The key was used for another request before."""

    def __init__(self) -> None:
        super().__init__("This Idempotency-Key was used for another request; choose a new key.")


def remembered(connection: Connection, key: str, request_sha256: str) -> tuple[str, str] | None:
    """The article's id and the answer given under the key, or None.

    Raises `IdempotencyKeyReusedError` where the key stands for another request.
    """
    row = connection.execute(select(idempotency_keys).where(idempotency_keys.c.key == key)).first()
    if row is None:
        return None
    if row.request_sha256 != request_sha256:
        raise IdempotencyKeyReusedError
    return row.article_id, row.response


def remember(
    connection: Connection, key: str, request_sha256: str, article_id: str, response: str, *, hours: int
) -> None:
    """Keeps an answer under its key, and forgets those older than `hours`."""
    now = datetime.now(UTC)
    connection.execute(delete(idempotency_keys).where(idempotency_keys.c.created_at < now - timedelta(hours=hours)))
    connection.execute(
        insert(idempotency_keys),
        {
            "key": key,
            "request_sha256": request_sha256,
            "article_id": article_id,
            "response": response,
            "created_at": now,
        },
    )
