"""Runs commands of `framing`: in a process as users do, or in this process, which starts a second earlier."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

from tests.support.servers import PROGRAM, environment

Run = Callable[..., subprocess.CompletedProcess[str]]


def run_process(
    folder: Path, *arguments: str, stdin: str | None = None, **variables: str | Path
) -> subprocess.CompletedProcess[str]:
    """Runs a command as a process in a folder, with `FRAMING_*` variables as keywords; any warning is an error."""
    interpreter, *program = PROGRAM
    return subprocess.run(
        [interpreter, "-W", "error", *program, *arguments],
        cwd=folder,
        env=environment(**variables),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def run_here(
    folder: Path, *arguments: str, stdin: str | None = None, **variables: str | Path
) -> subprocess.CompletedProcess[str]:
    """Runs a command in this process; like `run_process` but for errors that are not reported, which it raises."""
    from typer.testing import CliRunner

    from service.cli.__main__ import app

    before = Path.cwd()
    with patch.dict(os.environ, environment(**variables), clear=True):
        os.chdir(folder)
        try:
            result = CliRunner().invoke(app, arguments, input=stdin, prog_name="framing")
        finally:
            os.chdir(before)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return subprocess.CompletedProcess([sys.executable, *arguments], result.exit_code, result.stdout, result.stderr)
