"""Work that ends soon after the process is asked to end.

Python calls signal handlers between two steps of the main thread, and a native call, of Polars or
DuckDB, is one step. So such work is done in a thread, which is told to stop.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from threading import Event
from time import monotonic
from typing import Any, TypeVar

T = TypeVar("T")

_LOOK_SECONDS = 0.2
_PATIENCE_SECONDS = 1
_stopping = Event()


class Interrupted(Exception):  # noqa: N818  # no error: nothing is wrong
    """The process is asked to end; raised in a thread that works for it."""


def interruptible(
    work: Callable[[], T],
    *,
    stop: Callable[[], None] = lambda: None,
    meanwhile: Callable[[], None] = lambda: None,
) -> T:
    """The result of `work`, done in a thread while this one waits, and calls `meanwhile` now and then.

    What a signal handler raises here is raised when the work has ended: it calls
    `raise_if_interrupted`, and `stop` is called until it ends. A second signal does not wait for that.
    """
    pool = ThreadPoolExecutor(1, thread_name_prefix="csq-step")
    future = pool.submit(work)
    pool.shutdown(wait=False)
    try:
        while not wait([future], _LOOK_SECONDS).done:
            meanwhile()
    except BaseException:
        _end(future, stop)
        raise
    return future.result()


def raise_if_interrupted() -> None:
    """Raises Interrupted where the work in progress is to end."""
    if _stopping.is_set():
        raise Interrupted


def result_of(future: Future[T]) -> T:
    """The result of the future. Raises Interrupted where it would be waited for in vain."""
    while not future.done() and not wait([future], _LOOK_SECONDS).done:
        raise_if_interrupted()
    return future.result()


@contextmanager
def threads(count: int, name: str) -> Iterator[ThreadPoolExecutor]:
    """A pool whose threads have ended when the context ends. After an interruption they are left to
    themselves: what they wait for may never come.
    """
    pool = ThreadPoolExecutor(count, thread_name_prefix=name)
    waits = True
    try:
        yield pool
    except BaseException as error:
        waits = isinstance(error, Exception | GeneratorExit) and not _stopping.is_set()
        raise
    finally:
        pool.shutdown(wait=waits, cancel_futures=not waits)


def _end(future: Future[Any], stop: Callable[[], None]) -> None:
    _stopping.set()
    future.add_done_callback(lambda _: _stopping.clear())  # also of work that is left behind
    began = monotonic()
    while not future.done():
        try:
            stop()
            wait([future], _LOOK_SECONDS)
        except BaseException:
            if monotonic() - began > _PATIENCE_SECONDS:  # signals often come twice at once
                raise
    _stopping.clear()
