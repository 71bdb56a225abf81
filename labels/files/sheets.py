"""Tables of spreadsheet programs: the sheets of Excel and OpenDocument files, with all cells as text."""

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from labels.archives import Limits, safe_members
from labels.errors import ArchiveError, FileError
from labels.files.packed import ZIP_START
from labels.files.tables import shown_columns, twice_in

SUFFIXES = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")
# How files of older Office programs begin.
OLE_START = b"\xd0\xcf\x11\xe0"
_LIMITS = Limits(size=512 * 2**20)


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet: its name, its columns, and the rows under them with the number that the program shows for each."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[int, tuple[str, ...]], ...]


def is_workbook(content: bytes) -> bool:
    """Whether a file begins like one of a spreadsheet program, or like any zip file."""
    return content.startswith((ZIP_START, OLE_START))


def read_sheets(content: bytes) -> list[Sheet]:
    """The sheets that hold cells; raises `FileError` where there are none, or no spreadsheet program made the file.

    Call it in the process that reads documents: a file can be made to take all memory.
    """
    from python_calamine import CalamineWorkbook  # noqa: PLC0415 - only these files need it

    try:
        if content.startswith(ZIP_START):
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                safe_members(archive, limits=_LIMITS)
        with CalamineWorkbook.from_filelike(io.BytesIO(content)) as workbook:
            tables = [(name, workbook.get_sheet_by_name(name)) for name in workbook.sheet_names]
            sheets = [
                sheet
                for name, table in tables
                if (sheet := _sheet(name, table.to_python(skip_empty_area=False))) is not None
            ]
    except (ArchiveError, FileError) as error:
        raise FileError(str(error)) from error
    except BaseException as error:
        # The library is written in Rust, and may panic, which is not an `Exception`.
        if isinstance(error, Exception) or type(error).__name__ == "PanicException":
            protected = "password" in str(error).lower()
            raise FileError(
                "It is protected by a password." if protected else "It is not a spreadsheet that can be read."
            ) from error
        raise
    if not sheets:
        raise FileError("It holds no cells.")
    return sheets


def _sheet(name: str, rows: Sequence[Sequence[object]]) -> Sheet | None:
    """A sheet whose first row with cells names its columns; None without any cell."""
    texts = ((number, tuple(map(_text, row))) for number, row in enumerate(rows, 1))
    filled = [(number, cells) for number, cells in texts if any(cell.strip() for cell in cells)]
    if not filled:
        return None
    (_, header), *others = filled
    columns = tuple(cell.strip() for cell in header)
    if twice := twice_in(columns):
        raise FileError(f"Its sheet '{name}' has {twice} more than once among its columns ({shown_columns(columns)}).")
    return Sheet(name, columns, tuple(others))


def _text(cell: object) -> str:
    """A cell as it is written in a table: whole numbers without a point, dates as ISO 8601."""
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, datetime) and (cell.hour, cell.minute, cell.second) == (0, 0, 0):
        return cell.date().isoformat()
    if isinstance(cell, date | datetime):
        return cell.isoformat()
    return "" if cell is None else str(cell)
