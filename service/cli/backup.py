"""Backup and restore of everything: the database and the models, as of a single moment, while the service runs.

A backup is a zip file: `database.sqlite3`, made by SQLite's own backup, the files of the registry, and `contents.json`
with the SHA-256 of each. For PostgreSQL use its own tools (`pg_dump`, `pg_restore`): the backup then holds the models
alone, and `contents.json` records that.
"""

import hashlib
import json
import os
import shutil
import struct
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

from sqlalchemy.exc import DBAPIError

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
# What a restore notes in the data folder before it writes anything, and deletes at its end.
_BEGUN = "restoring.json"
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
    database, storage = Database(settings.store_url), Registry(settings.models_location, settings.trust).storage
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
    storage, place = storage_at(settings.models_location), _place_of_database(settings)
    _require_empty(settings, storage, place)
    try:
        with zipfile.ZipFile(path) as archive:
            free = shutil.disk_usage(_existing(settings.data_dir)).free
            members = {m.name: m for m in safe_members(archive, settings.data_dir, replace(_LIMITS, size=free))}
            contents = _contents(members)
            _require_whole(members, contents["sha256"])
            if any(name.startswith(f"{_MODELS}{ENCODERS}/") for name in members):
                OwnEncoders(storage).require_place()
            _note_begun(settings, path, contents["sha256"])
            if place is not None and contents["database"]:
                _unpack_database(settings, members[_DATABASE], place)
            for name, member in members.items():
                if name.startswith(_MODELS):
                    storage.write(name.removeprefix(_MODELS), member.read())
            if place is not None and contents["database"]:
                os.replace(_unfinished(place), place)
            (settings.data_dir / _BEGUN).unlink()
    except ArchiveError as error:
        raise BackupError(f"{path} is not taken as a backup: {error}") from error
    except (*UNREADABLE_ARCHIVE, MemoryError, struct.error) as error:
        raise BackupError(f"{path} cannot be read as a backup: {error}.{_to_mend(settings)}") from error
    return _described(path, contents)


def _place_of_database(settings: Settings) -> Path | None:
    """Where SQLite's file is or will be; None for PostgreSQL."""
    database = Database(settings.store_url)
    try:
        return Path(database.url.database or "") if database.is_sqlite else None
    finally:
        database.close()


def _require_empty(settings: Settings, storage: Storage, place: Path | None) -> None:
    if (settings.data_dir / _BEGUN).exists():
        raise BackupError(f"An earlier restore into {settings.data_dir} did not finish.{_to_mend(settings)}")
    has_models = any(storage.files(part.removeprefix(_MODELS).rstrip("/")) for part in _PARTS)
    if (place is not None and place.exists()) or has_models:
        raise BackupError("The data folder has a database or a model; restore into an empty FRAMING_DATA_DIR.")


def _to_mend(settings: Settings) -> str:
    if not (settings.data_dir / _BEGUN).exists():
        return ""
    return " Its parts are still there: delete them with `framing doctor --mend`, then restore again."


def _note_begun(settings: Settings, path: Path, digests: Mapping[str, str]) -> None:
    """Notes what a restore is about to write, so that the parts of one that is killed are known for what they are."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    unfinished = settings.data_dir / f"{_BEGUN}.unfinished"
    with unfinished.open("w", encoding="utf-8") as file:
        json.dump({"backup": str(path.absolute()), "sha256": digests}, file)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(settings.data_dir / _BEGUN)


@dataclass(frozen=True, slots=True)
class Parts:
    """What a restore that did not finish has left: files of the backup, and files that something else wrote since."""

    backup: str
    whole: bool
    own: tuple[str, ...]
    others: tuple[str, ...]


def parts_of_restore(settings: Settings) -> Parts | None:
    """What a restore left that did not finish; None if none is noted. Raises `BackupError` for an unreadable note."""
    try:
        begun = json.loads((settings.data_dir / _BEGUN).read_bytes())
        backup, digests = str(begun["backup"]), dict(begun["sha256"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise BackupError(
            f"{settings.data_dir / _BEGUN}, the note of a restore that did not finish, cannot be read. If nothing else "
            "is in the folder, delete the folder and restore again."
        ) from error
    actual = {name: _digest_in(settings, name) for name in digests}
    present = {name: digest for name, digest in actual.items() if digest is not None}
    own = tuple(name for name, digest in present.items() if digest == digests[name])
    others = tuple(name for name in present if name not in own)
    return Parts(backup, len(own) == len(digests), own, others)


def delete_parts(settings: Settings, parts: Parts) -> str:
    """Deletes what a restore left that did not finish, unless all is in place; returns a sentence about it."""
    storage, place = storage_at(settings.models_location), _place_of_database(settings)
    for name in () if parts.whole else parts.own:
        if name.startswith(_MODELS):
            storage.delete(name.removeprefix(_MODELS))
        elif place is not None:
            place.unlink(missing_ok=True)
    if place is not None:
        _unfinished(place).unlink(missing_ok=True)
    (settings.data_dir / _BEGUN).unlink(missing_ok=True)
    if parts.whole:
        return f"The restore of {parts.backup} had finished but for a note, which was deleted."
    others = f" Kept, because they are not the backup's: {', '.join(parts.others[:5])}." if parts.others else ""
    return f"Deleted {len(parts.own)} files of the restore of {parts.backup}, which did not finish.{others}"


def _digest_in(settings: Settings, name: str) -> str | None:
    """The digest of the file that a restore puts in the place of a member; None where there is none."""
    try:
        if name.startswith(_MODELS):
            return hashlib.sha256(storage_at(settings.models_location).read(name.removeprefix(_MODELS))).hexdigest()
        place = _place_of_database(settings)
        if place is None:
            return None
        with place.open("rb") as file:
            return _digest_of(file)
    except FileNotFoundError:
        return None


def _unfinished(place: Path) -> Path:
    return place.with_suffix(".restoring")


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
        or not (contents["made_at"].isascii() and contents["made_at"].isprintable())
        or contents.get("database") is not (_DATABASE in members)
    ):
        raise BackupError(f"The file's {_CONTENTS} is not that of a backup.")
    return dict(contents)


def _require_whole(members: Mapping[str, Member], digests: Mapping[str, str]) -> None:
    """Compares every file with its digest, before the first is put in place; no file may lack a digest."""
    for name in digests.keys() | members.keys() - {_CONTENTS}:
        if name != _DATABASE and not name.startswith(_PARTS):
            raise BackupError(f"The backup names a file {name!a} that does not belong in a backup.")
        if name not in members or name not in digests:
            raise BackupError(f"The file {_shown(name)} is not both in the backup and in its {_CONTENTS}.")
    for name, digest in digests.items():
        if members[name].sha256() != digest:
            raise BackupError(f"The file {name} of the backup is damaged.")


def _shown(name: str) -> str:
    """A name that a message can hold, whatever the file says."""
    return name if name.isprintable() and name.isascii() and len(name) < 200 else f"{name[:200]!a}"


def _unpack_database(settings: Settings, member: Member, place: Path) -> None:
    """Writes the database to the disk under another name, so that a part of it is never taken for the whole.

    Raises `BackupError`, with nothing left in the folder, for what is no database of this program.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    with member.open() as source, _unfinished(place).open("wb") as out:
        shutil.copyfileobj(source, out, _BLOCK)
        out.flush()
        os.fsync(out.fileno())
    try:
        _require_database(_unfinished(place))
    except BackupError:
        _unfinished(place).unlink()
        (settings.data_dir / _BEGUN).unlink()
        raise


def _require_database(file: Path) -> None:
    """Raises `BackupError` unless the file is a whole database of this program, of whichever version."""
    database = Database(f"sqlite:///{file}")
    try:
        with database.read() as connection:
            faults = [row[0] for row in connection.exec_driver_sql("PRAGMA quick_check(1)")]
            own = connection.exec_driver_sql("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").first()
    except DBAPIError as error:
        raise BackupError("The database of the backup is none that SQLite can read.") from error
    finally:
        database.close()
    if faults != ["ok"] or own is None:
        raise BackupError("The database of the backup is damaged, or not one of this program.")


def _digest_of(file: IO[bytes]) -> str:
    return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
