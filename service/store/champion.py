"""The database's copy of the champion's version, for the SQL views. The registry decides which model it is."""

from sqlalchemy import Connection, delete, insert

from service.store.tables import champion


def note(connection: Connection, promotion: int, version: str) -> None:
    """Sets the version whose scores the views show."""
    connection.execute(delete(champion))
    connection.execute(insert(champion), {"number": 1, "promotion": promotion, "version": version})
