"""Files that tests pass to commands, and files that were written."""

import json
from pathlib import Path
from typing import Any


def write_lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Writes JSON Lines."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def files_below(folder: Path) -> list[Path]:
    """Returns every file in a folder and the folders below; none where there is no such folder."""
    return [path for path in folder.rglob("*") if path.is_file()]
