"""Hides what only tests install from the processes that tests start: they run as they do for a user.

scikit-learn imports pandas wherever it finds it, which would cost a server 60 MiB that no user pays.
"""

import sys

HIDDEN = {"pandas", "pyarrow", "ppi_py", "numba", "statsmodels"}


class _Hide:
    """A finder that says of the hidden packages that there are none."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in HIDDEN:
            raise ModuleNotFoundError(f"No module named '{name}'", name=name)


sys.meta_path.insert(0, _Hide)
