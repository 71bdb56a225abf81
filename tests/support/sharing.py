"""Shares what is expensive to make among the processes of a test run, and with later runs of the same code."""

import fcntl
import hashlib
import os
import platform
import shutil
import time
from collections.abc import Callable
from importlib.metadata import distributions
from pathlib import Path

import pytest

from tests.support.paths import ROOT

_DAY_SECONDS = 24 * 60 * 60


def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The temporary folder of this test run, the same in all of its processes."""
    folder = tmp_path_factory.getbasetemp()
    return folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder


def reusable_folder(cache: pytest.Cache, *sources: str) -> Path:
    """A folder in pytest's cache for what is made by exactly these files and the libraries installed now.

    Each source is a file or a folder of the repository. `pytest --cache-clear` and `make clean` remove such folders.
    """
    digest = hashlib.sha256(platform.python_version().encode())
    for library in sorted(f"{each.name}=={each.version}" for each in distributions()):
        digest.update(library.encode())
    for path in sorted(path for source in sources for path in _files(ROOT / source)):
        digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    folders = cache.mkdir("made-by-tests")
    folder = folders / digest.hexdigest()[:24]
    folder.mkdir(exist_ok=True)
    os.utime(folder)
    for other in folders.iterdir():
        # Another test run may be using a folder that is newer.
        if time.time() - other.stat().st_mtime > _DAY_SECONDS:
            shutil.rmtree(other, ignore_errors=True)
    return folder


def _files(source: Path) -> list[Path]:
    if source.is_file():
        return [source]
    return [path for path in source.rglob("*") if path.is_file() and "__pycache__" not in path.parts]


def make_once(path: Path, make: Callable[[Path], object]) -> Path:
    """Returns the path after the first process to get here has made it; the others wait."""
    with path.with_name(f"{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            unfinished = path.with_name(f"{path.name}.unfinished-{os.getpid()}")
            make(unfinished)
            unfinished.rename(path)
    return path
