"""Facts about articles from a table of the user, joined by the id of an article."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

from labels.exchange.cells import read_table
from training.errors import RegressionError


@dataclass(frozen=True, slots=True)
class Facts:
    """Columns of a table about articles, by the key of an article: its id, or its external id with or without outlet.

    `numeric` are the columns all of whose cells are numbers.
    """

    key: Sequence[str]
    columns: Sequence[str]
    numeric: frozenset[str]
    rows: Mapping[tuple[str, ...], Mapping[str, str]]

    def of(self, article: Mapping[str, str | None]) -> Mapping[str, str]:
        """The row of an article that has the columns of the key; empty if the table has none."""
        return self.rows.get(tuple((article[column] or "").strip() for column in self.key), {})


def read_facts(content: bytes, name: str) -> Facts:
    """The facts in a CSV file with a column `article_id` or `external_id`; raises `RegressionError` for a bad row.

    With `external_id`, a column `outlet` belongs to the key, because an external id is unique within its outlet.
    """
    rows: dict[tuple[str, ...], dict[str, str]] = {}
    key: tuple[str, ...] = ()
    for place, cells in read_table(content, name, ()):
        if isinstance(cells, str):
            raise RegressionError(f"{name}, {place}: {cells}.")
        key = key or _key(cells, name)
        identity = tuple(cells[column].strip() for column in key)
        if identity in rows:
            raise RegressionError(f"{name}, {place}: the article {', '.join(identity)} has more than one row.")
        rows[identity] = {column: cell.strip() for column, cell in cells.items() if column not in key}
    if not rows:
        raise RegressionError(f"{name} has no rows.")
    columns = tuple(next(iter(rows.values())))
    numeric = (column for column in columns if all(_is_number(row[column]) for row in rows.values() if row[column]))
    return Facts(key, columns, frozenset(numeric), rows)


def _key(cells: Mapping[str, str], name: str) -> tuple[str, ...]:
    if "article_id" in cells:
        return ("article_id",)
    if "external_id" in cells:
        return ("external_id", "outlet") if "outlet" in cells else ("external_id",)
    raise RegressionError(f"{name} needs a column article_id or external_id; its columns are {', '.join(cells)}.")


def _is_number(cell: str) -> bool:
    try:
        return isfinite(float(cell))
    except ValueError:
        return False
