"""Measures work inside its own process, imports and preparations left out.

A contestant's script ends with `timed.report(work)`. The standard library is all that it uses, for it
is run in the environments of the peers too.
"""

import json
import resource
import sys
import time
from collections.abc import Callable


def report(work: Callable[[], int]) -> None:
    """Do the work, which gives the number of its rows, and print what it took, as JSON."""
    before_mb, cpu, wall = peak_mb(), _cpu_seconds(), time.perf_counter()
    rows = work()
    took = {"wall": time.perf_counter() - wall, "cpu": _cpu_seconds() - cpu}
    print(json.dumps({"rows": rows, **took, "over_imports_mb": peak_mb() - before_mb}))


def peak_mb() -> float:
    """The most memory that this process ever had. Linux counts in KiB, macOS in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1024**2 if sys.platform == "darwin" else peak / 1024


def _cpu_seconds() -> float:
    """Of this process, and of those that it started and waited for."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)
