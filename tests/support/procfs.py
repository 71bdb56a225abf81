"""What Linux knows about a process: its memory, its open files, its children. Memory is in MiB."""

import re
import subprocess
from pathlib import Path


def memory(process: int) -> float:
    """Memory (PSS: a share of the pages that processes share) of a process and of all its descendants."""
    return own_memory(process) + sum(memory(child) for child in children(process))


def own_memory(process: int) -> float:
    """Memory (PSS) of a process alone."""
    return _mib(process, "smaps_rollup", "Pss")


def peak_memory(process: int) -> float:
    """The most memory that a process has held so far.

    Not taken from `wait4`, which counts in the memory of the process that called `fork`.
    """
    return _mib(process, "status", "VmHWM")


def resident_memory(process: subprocess.Popen[bytes]) -> float:
    """Resident memory of a process, pages that it shares included."""
    return _mib(process.pid, "status", "VmRSS")


def command_of(process: int) -> bytes:
    """The command line of a process; empty if it has ended."""
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return b""


def _mib(process: int, file: str, field: str) -> float:
    """A field of a file in /proc; 0 if the process has ended."""
    try:
        content = Path(f"/proc/{process}/{file}").read_text(encoding="ascii")
    except OSError:
        return 0.0
    match = re.search(rf"^{field}:\s+(\d+)", content, re.MULTILINE)
    return int(match[1]) / 1024 if match else 0.0


def open_files(process: int) -> int:
    return len(list(Path(f"/proc/{process}/fd").iterdir()))


def children(process: int) -> list[int]:
    """Ids of the processes that a process started; empty if it has ended."""
    try:
        return [
            int(child)
            for thread in Path(f"/proc/{process}/task").iterdir()
            for child in (thread / "children").read_text(encoding="ascii").split()
        ]
    except OSError:
        return []
