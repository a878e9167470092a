"""Keeps off standard error what Rust prints of a panic. The panic itself is raised, and explained."""

import os
import re
from contextlib import suppress
from tempfile import TemporaryFile
from threading import Lock
from typing import BinaryIO

_STDERR = 2
_PANIC = re.compile(
    rb"\n?thread '[^'\n]*'[^\n]* panicked at [^\n]*\n[^\n]*\n(?: *(?:left|right): [^\n]*\n)*"
    rb"(?:stack backtrace:\n(?: [^\n]*\n)*)?(?:note: [^\n]*\n)?"
)


class _UnprintedPanics:
    """While any thread is inside, a file takes what is written to standard error, which all threads of
    a process share. Then it is passed on, without panics.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._inside = 0
        self._redirected: tuple[BinaryIO, int] | None = None  # to the file; where it went before

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                with suppress(OSError):  # there is no standard error, or no room for a file
                    self._redirected = _redirect()
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0 and self._redirected is not None:
                _restore(*self._redirected)
                self._redirected = None


def _redirect() -> tuple[BinaryIO, int]:
    file = TemporaryFile()  # noqa: SIM115  # closed by _restore
    before = os.dup(_STDERR)
    os.dup2(file.fileno(), _STDERR)
    return file, before


def _restore(file: BinaryIO, before: int) -> None:
    if os.path.sameopenfile(_STDERR, file.fileno()):  # else it was redirected again meanwhile
        os.dup2(before, _STDERR)
    os.close(before)
    with file:
        file.seek(0)
        written = _PANIC.sub(b"", file.read())
    while written:
        written = written[os.write(_STDERR, written) :]


unprinted_panics = _UnprintedPanics()
