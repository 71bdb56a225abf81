"""A virtual environment for each peer, made when it is first needed."""

import subprocess
import sys
from pathlib import Path

from tests.support.paths import ROOT

_HERE = Path(__file__).parent


def programs_of(peer: str) -> Path:
    """The folder of a peer's programs, installed from its lock file."""
    folder, lock = ROOT / ".venv-peers" / peer, _HERE / f"{peer}.lock"
    mark = folder / "installed"
    if not mark.exists() or mark.stat().st_mtime < lock.stat().st_mtime:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        install = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*install, "--require-hashes", "-r", str(lock)], check=True)
        mark.touch()
    return folder / "bin"
