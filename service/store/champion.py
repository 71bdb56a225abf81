"""The database's note of the champion, by which its views know whose scores to show. The registry decides."""

from sqlalchemy import Connection, delete, insert

from service.store.tables import champion


def note(connection: Connection, promotion: int, version: str) -> None:
    """Notes which model is in use."""
    connection.execute(delete(champion))
    connection.execute(insert(champion), {"number": 1, "promotion": promotion, "version": version})
