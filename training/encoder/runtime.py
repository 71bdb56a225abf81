"""The runtime of encoders: OpenVINO, loaded without the part that reports its use, and the cores that it may use.

`import openvino` also imports its tools for the conversion of models. These write an identifier into ~/intel and send
Google Analytics an event for each import, without asking (package openvino-telemetry). Nothing here needs those tools.
"""

import math
import os
import sys
from importlib.metadata import version as library_version
from pathlib import Path
from typing import Any

_NEVER_IMPORTED = ("openvino_telemetry", "openvino.tools.ovc")
# Quota and period in microseconds, or `max`: what Docker's --cpus and the limits of Kubernetes set.
_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def load_openvino() -> Any:
    """Returns the module `openvino`, which sends nothing; its import takes 0.1 s less than usual."""
    for name in _NEVER_IMPORTED:
        # None makes an import fail, which openvino expects of an installation without these packages.
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]
    import openvino  # noqa: PLC0415 - 0.3 s that a server of words never needs

    return openvino


def runtime_name() -> str:
    """Returns the runtime with its version, as a model's card names it."""
    return f"OpenVINO {library_version('openvino')}"


def available_cores() -> int:
    """Returns the number of cores that this process may use, by its affinity and by the quota of its container."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = _QUOTA.read_text(encoding="ascii").split()
        return max(1, min(cores, math.ceil(int(quota) / int(period))))
    except (OSError, ValueError):  # no container, or no quota
        return cores
