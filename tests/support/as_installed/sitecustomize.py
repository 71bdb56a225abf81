"""Hides packages that only the tests install from processes that tests start, which run as they do for a user.

scikit-learn imports pandas wherever it finds it, which would cost a server 60 MiB that no user pays.

Where UNPICKLED_LOG names a file, a line is added to it for everything that a process unpickles.
"""

import os
import sys
from pathlib import Path
from typing import Any

HIDDEN = {"pandas", "pyarrow", "ppi_py", "numba", "statsmodels"}


class _Hide:
    """A finder that raises for each hidden package as if it were not installed."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> None:
        if name.partition(".")[0] in HIDDEN:
            raise ModuleNotFoundError(f"No module named '{name}'", name=name)


sys.meta_path.insert(0, _Hide)


def _note(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "pickle.find_class":
        with Path(os.environ["UNPICKLED_LOG"]).open("a", encoding="utf-8") as log:
            log.write(f"{' '.join(sys.orig_argv)}: {arguments}\n")


if "UNPICKLED_LOG" in os.environ:
    sys.addaudithook(_note)
