"""Work done ahead of its use, in threads, its results in order: opening files, decoding."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from typing import BinaryIO, TypeVar

from csq_assets.errors import CsqError

OpenFile = Callable[[str], BinaryIO]

T = TypeVar("T")
R = TypeVar("R")


@contextmanager
def open_in_order(
    paths: Sequence[str], open_file: OpenFile, *, ahead: int
) -> Iterator[Iterator[tuple[str, BinaryIO]]]:
    """Each of `paths` with its file, in order, while up to `ahead` more are being opened.

    A file is closed when the next one is asked for, and every one when the context ends. What
    `open_file` raises comes where its file would have come.
    """
    left = iter(paths)
    opening: deque[tuple[str, Future[BinaryIO]]] = deque()
    with ThreadPoolExecutor(ahead, thread_name_prefix="csq-open") as pool:

        def open_ahead() -> None:
            for path in islice(left, ahead - len(opening)):
                opening.append((path, pool.submit(open_file, path)))

        def files() -> Generator[tuple[str, BinaryIO]]:
            open_ahead()
            while opening:
                path, future = opening.popleft()
                open_ahead()
                try:
                    file = future.result()
                except CsqError as error:
                    error.at(file=path)
                    raise
                with file:
                    yield path, file

        opened = files()
        try:
            yield opened
        finally:
            opened.close()
            for _, future in opening:
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
