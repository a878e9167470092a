"""SIGINT and SIGTERM end `csq` with one sentence: at once, or once nothing is half done.

While Dagster executes a run, the handlers are its own, and it may drop a signal between two steps. So
what came is read from a pipe, where Python writes each signal whoever handles it.
"""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from csq_assets.errors import CsqError

_SAID = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}


class SignalError(CsqError):
    """The process is asked to end, and everything is in order."""

    def __init__(self, number: int) -> None:
        super().__init__(f"{_SAID[signal.Signals(number)]}; what was finished is kept")
        self.exit_code = 128 + number


class Signals:
    """The signals of this process."""

    def __init__(self) -> None:
        self._pipe: int | None = None
        self._received = 0
        self._unwinds = False

    @property
    def are_watched(self) -> bool:
        return self._pipe is not None

    def watch(self) -> None:
        """From now on a signal ends the process. One that is ignored stays ignored."""
        self._pipe, written = os.pipe()
        os.set_blocking(self._pipe, False)
        os.set_blocking(written, False)
        signal.set_wakeup_fd(written, warn_on_full_buffer=False)
        for number in _SAID:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._handle)

    def received(self) -> int:
        """The number of the first signal that came; 0 where none did."""
        if self._pipe is not None and not self._received:
            try:
                came = os.read(self._pipe, 1)
            except BlockingIOError:
                return 0
            self._received = came[0]
        return self._received

    @contextmanager
    def unwinding(self) -> Iterator[None]:
        """Inside, a signal raises KeyboardInterrupt, for there is something to put in order.

        Raises SignalError, whatever that became on its way out.
        """
        self._unwinds = True
        try:
            yield
        except BaseException:
            if number := self.received():
                raise SignalError(number) from None
            raise
        finally:
            self._unwinds = False

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if self._unwinds:
            raise KeyboardInterrupt
        leave(SignalError(number))


def leave(error: SignalError) -> NoReturn:
    """End the process without waiting for threads: what they wait for may never come."""
    print(f"csq: {error}", file=sys.stderr, flush=True)  # noqa: T201
    sys.stdout.flush()
    os._exit(error.exit_code)


SIGNALS = Signals()
