"""Opens files and does work ahead of their use, in threads, with results in order."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, wait
from contextlib import closing, contextmanager, suppress
from typing import Generic, Protocol, TypeVar

from csq_assets.errors import CsqError
from csq_assets.interruption import result_of, threads


class Opened(Protocol):
    """What takes room while it is open, and must be closed after use."""

    @property
    def size_bytes(self) -> int: ...

    def close(self) -> None: ...


F = TypeVar("F", bound=Opened)
T = TypeVar("T")
R = TypeVar("R")

_AHEAD_BYTES = 64 * 1024 * 1024
_FIRST_GUESS_BYTES = _AHEAD_BYTES // 8
_CLOSES_WITHIN_SECONDS = 1  # after an interruption; else all are waited for


@contextmanager
def open_in_order(
    items: Sequence[T], open_one: Callable[[T], F], *, ahead: int
) -> Iterator[Iterator[F]]:
    """The result of `open_one` for each of `items`, in order, while up to `ahead` more are opened,
    and about 64 MiB of them at most: at least one, whatever its size.

    Each is closed when the next one is requested, and all are closed when the context ends. An
    error of `open_one` is raised in place of its result.
    """
    with threads(ahead, "csq-open") as pool:
        opening = _Opening(items, lambda item: pool.submit(open_one, item), ahead)
        taken = opening.take()
        try:
            yield taken
        finally:
            taken.close()
            opening.close()


class _Opening(Generic[T, F]):
    """Files that are being opened or wait to be used. A file of unknown size counts as the largest
    so far.
    """

    def __init__(self, items: Iterable[T], open_one: Callable[[T], Future[F]], ahead: int) -> None:
        self._left = iter(items)
        self._open_one = open_one
        self._ahead = ahead
        self._files: deque[Future[F]] = deque()
        self._largest_bytes = 0

    def take(self) -> Generator[F]:
        self._open_ahead()
        while self._files:
            with closing(result_of(self._files.popleft())) as opened:
                self._largest_bytes = max(self._largest_bytes, opened.size_bytes)
                self._open_ahead()
                yield opened

    def close(self) -> None:
        begun = [future for future in self._files if not future.cancel()]
        for future in begun:
            future.add_done_callback(_close)
        wait(begun, _CLOSES_WITHIN_SECONDS)

    def _open_ahead(self) -> None:
        while not self._files or self._has_room():
            item = next(self._left, None)
            if item is None:
                return
            self._files.append(self._open_one(item))

    def _has_room(self) -> bool:
        if len(self._files) >= self._ahead:
            return False
        done = (future for future in self._files if future.done())
        sizes = [future.result().size_bytes for future in done if future.exception() is None]
        self._largest_bytes = max((self._largest_bytes, *sizes))
        unknown = (len(self._files) - len(sizes)) * (self._largest_bytes or _FIRST_GUESS_BYTES)
        return sum(sizes) + unknown < _AHEAD_BYTES


def _close(future: Future[F]) -> None:
    if future.exception() is None:
        with suppress(CsqError):  # nobody uses it any more
            future.result().close()


def map_in_order(work: Callable[[T], R], items: Iterable[T], *, workers: int) -> Generator[R]:
    """The result of `work` for each of `items`, in order, done by `workers` threads.

    At most `workers + 2` items are in progress. The first error in order is raised, whether `items`
    or `work` raises it. Closing the generator waits for the items in progress.
    """
    running: deque[Future[R]] = deque()
    with threads(workers, "csq-work") as pool:
        try:
            try:
                for item in items:
                    running.append(pool.submit(work, item))
                    if len(running) > workers + 1:
                        yield result_of(running.popleft())
            except CsqError:
                while running:
                    result_of(running.popleft())
                raise
            while running:
                yield result_of(running.popleft())
        finally:
            for future in running:
                future.cancel()
