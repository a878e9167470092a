"""How far a pass is, and the table that is being decoded, for whoever watches in the same process."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Progress:
    """Of one table of one dump: files begun, of how many, and rows written."""

    dump_id: int
    table: str
    files: int
    of_files: int
    rows: int

    def __str__(self) -> str:
        return f"{self.files:,} of {self.of_files:,} files, {self.rows:,} rows"


class Listener(Protocol):
    """Follows the progress of a pass."""

    def starts(self, what: str, steps: int) -> None:
        """So many steps begin."""
        ...

    def advances(self, what: str) -> None:
        """One of them has ended."""
        ...

    def says(self, sentence: str) -> None:
        """Something to know beside what the pass did."""
        ...

    def decodes(self, progress: Progress) -> None:
        """So far is the one that is being decoded."""
        ...


Watcher = Callable[[Progress], None]

_watcher: ContextVar[Watcher] = ContextVar("watcher", default=lambda _progress: None)


@contextmanager
def watched_by(watcher: Watcher) -> Iterator[None]:
    """What this thread decodes inside is told to the watcher."""
    token = _watcher.set(watcher)
    try:
        yield
    finally:
        _watcher.reset(token)


def tell_watcher(progress: Progress) -> None:
    _watcher.get()(progress)
