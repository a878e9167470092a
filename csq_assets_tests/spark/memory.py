"""How much memory processes took at most."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import psutil

_SECONDS = 0.2


@contextmanager
def peaks(kind_of: Callable[[Sequence[str]], str | None]) -> Iterator[dict[str, int]]:
    """The largest peak of resident memory, in bytes, that a process of each kind has during the block.

    It looks at all that descend from this process; `kind_of` tells by the words of a command, and is
    None for what does not count.
    """
    found: dict[str, int] = {}
    ended = Event()

    def watch() -> None:
        while not ended.wait(_SECONDS):
            for process in psutil.Process().children(recursive=True):
                try:
                    kind = kind_of(process.cmdline())
                    if kind is not None:
                        found[kind] = max(found.get(kind, 0), _peak(process.pid))
                except (OSError, psutil.Error):
                    continue  # it ended

    watcher = Thread(target=watch)
    watcher.start()
    try:
        yield found
    finally:
        ended.set()
        watcher.join()


def _peak(pid: int) -> int:
    """As Linux keeps it; 0 of a process that has ended."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0
