"""Work done ahead of its use, in threads, its results in order: opening files, decoding."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from itertools import islice
from typing import Protocol, TypeVar

from csq_assets.errors import CsqError


class Closable(Protocol):
    """What must be closed after use."""

    def close(self) -> None: ...


C = TypeVar("C", bound=Closable)
T = TypeVar("T")
R = TypeVar("R")


@contextmanager
def open_in_order(
    paths: Sequence[str], open_one: Callable[[str], C], *, ahead: int
) -> Iterator[Iterator[C]]:
    """What `open_one` gives for each of `paths`, in order, while up to `ahead` more are opened.

    Each is closed when the next one is asked for, and all are when the context ends. What
    `open_one` raises comes where its result would have come.
    """
    left = iter(paths)
    opening: deque[Future[C]] = deque()
    with ThreadPoolExecutor(ahead, thread_name_prefix="csq-open") as pool:

        def open_ahead() -> None:
            for path in islice(left, ahead - len(opening)):
                opening.append(pool.submit(open_one, path))

        def take() -> Generator[C]:
            open_ahead()
            while opening:
                future = opening.popleft()
                open_ahead()
                with closing(future.result()) as opened:
                    yield opened

        taken = take()
        try:
            yield taken
        finally:
            taken.close()
            for future in opening:
                if not future.cancel() and future.exception() is None:
                    future.result().close()


def map_in_order(work: Callable[[T], R], items: Iterable[T], *, workers: int) -> Generator[R]:
    """`work` done on each of `items` by `workers` threads, results in order.

    At most `workers + 2` items are in the works. The first error in order is the one that is
    raised, whether `items` or `work` raises it. Closing it waits for what has begun.
    """
    running: deque[Future[R]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="csq-decode") as pool:
        try:
            try:
                for item in items:
                    running.append(pool.submit(work, item))
                    if len(running) > workers + 1:
                        yield running.popleft().result()
            except CsqError:
                while running:
                    running.popleft().result()
                raise
            while running:
                yield running.popleft().result()
        finally:
            for future in running:
                future.cancel()
