"""A limit on what a process may take, for trials of what it does then."""

import resource
from pathlib import Path


def limit_memory(more_bytes: int) -> None:
    """Allow this process so much more address space than it has."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + more_bytes
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
