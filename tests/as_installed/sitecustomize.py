"""Hides what only tests install from the processes that tests start: they run as they do for a user.

scikit-learn imports pandas wherever it finds it, which would cost a server 60 MiB that no user pays.
"""

import sys

for name in ("pandas", "pyarrow", "ppi_py", "numba", "statsmodels"):
    sys.modules[name] = None  # type: ignore[assignment]
