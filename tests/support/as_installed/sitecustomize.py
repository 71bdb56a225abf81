"""Hides packages that only the tests install from processes that tests start, which run as they do for a user.

scikit-learn imports pandas wherever it finds it, which would cost a server 60 MiB that no user pays.
"""

import sys

HIDDEN = {"pandas", "pyarrow", "ppi_py", "numba", "statsmodels"}


class _Hide:
    """A finder that raises for each hidden package as if it were not installed."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> None:
        if name.partition(".")[0] in HIDDEN:
            raise ModuleNotFoundError(f"No module named '{name}'", name=name)


sys.meta_path.insert(0, _Hide)
