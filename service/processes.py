"""How this program starts itself again: with `-P`, so that a child never imports from the current folder.

Python puts the current folder first on the path of `python -m` and `python -c`. If it holds a `service/` or a
`training.py` of the user, a child would run that instead of this program.
"""

import os
import sys


def command_line(module: str, *arguments: str) -> list[str]:
    """The command that runs a module of this program in a new process."""
    return [sys.executable, "-P", "-m", module, *arguments]


def protect_children() -> None:
    """Does what `-P` does for the processes that libraries start: uvicorn, multiprocessing, loky and Dask."""
    os.environ["PYTHONSAFEPATH"] = "1"
