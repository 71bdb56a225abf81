"""The output folder of a bulk job.

`_plan.json` records what the files are made from, `part-*` are the files, and `_SUCCESS` appears when all are there.
Readers of Parquet folders ignore names that begin with an underscore.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, Literal

from labels.errors import FramingError
from training.registry.storage import Storage

OutputFormat = Literal["parquet", "jsonl", "csv"]

PLAN_FILE, SUCCESS_FILE = "_plan.json", "_SUCCESS"
_FILE = re.compile(r"part-(\d+)-(\d+)\.\w+")


class OutputError(FramingError):
    """The output folder belongs to another job."""


def file_name(part: int, piece: int, file_format: OutputFormat) -> str:
    """The file of a piece of a part of the input; the names sort in the order of the input."""
    return f"part-{part:05d}-{piece:05d}.{file_format}"


def finished(storage: Storage) -> dict[int, set[int]]:
    """The numbers of the pieces that have a file, by the number of their part."""
    pieces: dict[int, set[int]] = {}
    for name in storage.names(""):
        match = _FILE.fullmatch(name)
        if match:
            pieces.setdefault(int(match[1]), set()).add(int(match[2]))
    return pieces


def claim(storage: Storage, output: str, plan: Mapping[str, Any]) -> None:
    """Reserves a folder for the job with this plan; raises `OutputError` if it has files of another job."""
    content = (json.dumps(plan, indent=1) + "\n").encode()
    if storage.create(PLAN_FILE, content) or storage.read(PLAN_FILE) == content:
        return
    if finished(storage):
        raise OutputError(
            f"{output} holds the output of another job: its input, model, options or version of this program differ "
            f"(see {PLAN_FILE} there). Name another folder, or delete it."
        )
    storage.write(PLAN_FILE, content)
