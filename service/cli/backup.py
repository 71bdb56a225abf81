"""Backup and restore of everything: the database and the models, as of a single moment, while the service runs.

A backup is a zip file: `database.sqlite3`, made by SQLite's own backup, the files of the registry, and `contents.json`
with the SHA-256 of each. For PostgreSQL use its own tools (`pg_dump`, `pg_restore`): the backup then holds the models
alone, and `contents.json` records that.
"""

import hashlib
import json
import os
import shutil
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

from labels.archives import Limits, Member, safe_members
from labels.errors import UNREADABLE_ARCHIVE, ArchiveError, FramingError
from service.metrics import product_version
from service.settings import Settings
from service.store.sql.database import Database
from training.registry.encoders import FOLDER as ENCODERS
from training.registry.encoders import OwnEncoders
from training.registry.storage import Storage, storage_at
from training.registry.versions import Registry

_DATABASE, _CONTENTS, _MODELS = "database.sqlite3", "contents.json", "models/"
# What a backup has of the models.
_PARTS = ("models/versions/", "models/promotions/", "models/encoders/")
_BLOCK = 2**20
_MAX_CONTENTS_BYTES = 100 * 2**20
# Tables of a database that were emptied are packed several hundred times smaller.
_LIMITS = Limits(members=1_000_000, ratio=1_000)


class BackupError(FramingError):
    """A backup cannot be made or restored."""


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup file and its contents: `files` counts the database too, `size` is in bytes."""

    path: str
    made_at: str
    database: bool
    files: int
    size: int


def back_up(settings: Settings, path: Path, progress: Callable[[str, float], None]) -> Backup:
    """Writes a backup, whole or not at all; raises `BackupError` if the file exists."""
    if path.exists():
        raise BackupError(f"{path} already exists.")
    database, storage = Database(settings.store_url), Registry(settings.models_location).storage
    unfinished = path.with_name(path.name + ".unfinished")
    try:
        with TemporaryDirectory(dir=path.parent) as folder:
            copy = Path(folder) / _DATABASE
            # The database first: every model that it names is in the registry by then, and stays there.
            if database.is_sqlite:
                database.ping()
                database.copy_to(copy, lambda share: progress("database", share))
            contents = _write(unfinished, copy if copy.exists() else None, storage, progress)
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)
        database.close()
    return _described(path, contents)


def _write(
    path: Path, database: Path | None, storage: Storage, progress: Callable[[str, float], None]
) -> dict[str, Any]:
    digests: dict[str, str] = {}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        if database is not None:
            archive.write(database, _DATABASE)
            with database.open("rb") as copy:
                digests[_DATABASE] = _digest_of(copy)
        names = sorted(n for n in storage.files(".") if f"{_MODELS}{n}".startswith(_PARTS))
        for number, name in enumerate(names, 1):
            content = storage.read(name)
            archive.writestr(_MODELS + name, content)
            digests[_MODELS + name] = hashlib.sha256(content).hexdigest()
            progress("models", number / len(names))
        contents: dict[str, Any] = {
            "program": product_version(),
            "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "database": database is not None,
            "sha256": digests,
        }
        archive.writestr(_CONTENTS, json.dumps(contents, indent=1))
    with path.open("rb") as file:
        os.fsync(file.fileno())
    return contents


def _described(path: Path, contents: dict[str, Any]) -> Backup:
    size = path.stat().st_size
    return Backup(str(path), contents["made_at"], bool(contents["database"]), len(contents["sha256"]), size)


def restore(settings: Settings, path: Path) -> Backup:
    """Puts a backup into an empty data folder; raises `BackupError` for a damaged file or a folder with data."""
    target, storage = Database(settings.store_url), storage_at(settings.models_location)
    try:
        place = Path(target.url.database or "") if target.is_sqlite else None
    finally:
        target.close()
    if (place is not None and place.exists()) or storage.files("versions"):
        raise BackupError("The data folder has a database or a model; restore into an empty FRAMING_DATA_DIR.")
    try:
        with zipfile.ZipFile(path) as archive:
            free = shutil.disk_usage(_existing(settings.data_dir)).free
            members = {m.name: m for m in safe_members(archive, settings.data_dir, replace(_LIMITS, size=free))}
            contents = _contents(members)
            _require_whole(members, contents["sha256"])
            if any(name.startswith(f"{_MODELS}{ENCODERS}/") for name in members):
                OwnEncoders(storage).require_place()
            for name, member in members.items():
                if name.startswith(_MODELS):
                    storage.write(name.removeprefix(_MODELS), member.read())
            if place is not None and contents["database"]:
                _write_database(members[_DATABASE], place)
    except ArchiveError as error:
        raise BackupError(f"{path} is not taken as a backup: {error}") from error
    except UNREADABLE_ARCHIVE as error:
        raise BackupError(f"{path} cannot be read as a backup: {error}.") from error
    return _described(path, contents)


def _existing(folder: Path) -> Path:
    """Returns the folder, or the nearest folder above it that exists: its disk is where the folder will be."""
    return next((place for place in (folder, *folder.absolute().parents) if place.exists()), Path("/"))


def _contents(members: Mapping[str, Member]) -> dict[str, Any]:
    """Reads and checks `contents.json`; raises `BackupError`."""
    if _CONTENTS not in members or members[_CONTENTS].size > _MAX_CONTENTS_BYTES:
        raise BackupError(f"The file has no {_CONTENTS} of a backup.")
    contents: Any = json.loads(members[_CONTENTS].read())
    digests = contents.get("sha256") if isinstance(contents, dict) else None
    if (
        not isinstance(digests, dict)
        or not all(isinstance(digest, str) for digest in digests.values())
        or not isinstance(contents.get("made_at"), str)
        or contents.get("database") is not (_DATABASE in members)
    ):
        raise BackupError(f"The file's {_CONTENTS} is not that of a backup.")
    return dict(contents)


def _require_whole(members: Mapping[str, Member], digests: Mapping[str, str]) -> None:
    """Compares every file with its digest, before the first is put in place; no file may lack a digest."""
    for name in digests.keys() | members.keys() - {_CONTENTS}:
        if name != _DATABASE and not name.startswith(_PARTS):
            raise BackupError(f"The backup names a file '{name}' that does not belong in a backup.")
        if name not in members or name not in digests:
            raise BackupError(f"The file {name} is not both in the backup and in its {_CONTENTS}.")
    for name, digest in digests.items():
        with members[name].open() as file:
            actual = _digest_of(file)
        if actual != digest:
            raise BackupError(f"The file {name} of the backup is damaged.")


def _write_database(member: Member, place: Path) -> None:
    """Writes the database to the disk under another name first, so that a part of it is never taken for the whole."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with member.open() as source, place.with_suffix(".restoring").open("wb") as out:
        shutil.copyfileobj(source, out, _BLOCK)
        out.flush()
        os.fsync(out.fileno())
    os.replace(place.with_suffix(".restoring"), place)


def _digest_of(file: IO[bytes]) -> str:
    return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
