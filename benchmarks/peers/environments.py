"""Environments of the peers: each has its libraries in a folder of its own, made when first used."""

import subprocess
import sys
from pathlib import Path

from benchmarks.server import ROOT

_HERE = Path(__file__).parent


def programs_of(peer: str) -> Path:
    """The folder of a peer's programs, installed by its lock file."""
    place, lock = ROOT / ".venv-peers" / peer, _HERE / f"{peer}.lock"
    mark = place / "installed"
    if not mark.exists() or mark.stat().st_mtime < lock.stat().st_mtime:
        subprocess.run([sys.executable, "-m", "venv", place], check=True)
        install = [str(place / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*install, "--require-hashes", "-r", str(lock)], check=True)
        mark.touch()
    return place / "bin"
