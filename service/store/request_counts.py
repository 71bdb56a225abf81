"""How many requests each key made in a minute, of all processes together."""

from sqlalchemy import Connection, delete, select

from service.store.sql.insertion import add_to_sums
from service.store.tables import request_counts


def add(connection: Connection, key_id: str, minute: int, count: int) -> int:
    """Adds requests of a key, forgets minutes long past, and answers how many all processes have counted."""
    add_to_sums(connection, {request_counts: [(key_id, minute, count)]})
    connection.execute(delete(request_counts).where(request_counts.c.minute < minute - 1))
    query = select(request_counts.c.count).where(request_counts.c.key_id == key_id, request_counts.c.minute == minute)
    return connection.scalar(query) or 0
