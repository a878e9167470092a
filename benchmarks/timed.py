"""Measures work inside its own process, imports and preparations left out.

A contestant's script ends with `timed.report(work)`. The standard library is all that it uses, for it
is run in the environments of the peers too.
"""

import json
import resource
import time
from collections.abc import Callable
from pathlib import Path

_PROCESS = Path("/proc/self")
_RESET_PEAK = "5"


def report(work: Callable[[], int]) -> None:
    """Do the work, which gives the number of its rows, and print what it took, as JSON."""
    before_mb, cpu, wall = memory_mb(), _cpu_seconds(), time.perf_counter()
    rows = work()
    took = {"wall": time.perf_counter() - wall, "cpu": _cpu_seconds() - cpu}
    print(json.dumps({"rows": rows, **took, "over_imports_mb": peak_mb() - before_mb}))


def memory_mb() -> float:
    """What this process has now; from here on `peak_mb` counts again, where the system can do that."""
    if not _PROCESS.is_dir():
        return peak_mb()
    (_PROCESS / "clear_refs").write_text(_RESET_PEAK)
    return _status_mb("VmRSS")


def peak_mb() -> float:
    """The most memory that this process had."""
    if _PROCESS.is_dir():
        # Not getrusage: its peak is, after fork and exec, at least that of the parent.
        return _status_mb("VmHWM")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2  # macOS counts in bytes


def _status_mb(name: str) -> float:
    lines = (_PROCESS / "status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) / 1024


def _cpu_seconds() -> float:
    """Of this process, and of those that it started and waited for."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)
