"""Processes for as long as a block takes."""

import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

_START_SECONDS = 120
_STOP_SECONDS = 10


class NotStartedError(Exception):
    """Something does not start; its log says why."""


@contextmanager
def running(
    name: str, command: Sequence[str], environment: Mapping[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """A process in a group of its own, which Ctrl-C reaches by us alone. Raises NotStartedError."""
    with log.open("ab") as output:
        try:
            process = subprocess.Popen(
                command,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        except OSError as error:
            raise NotStartedError(f"{name} does not start: {error}") from error
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_for(
    name: str, process: subprocess.Popen[bytes], is_ready: Callable[[], bool], log: Path
) -> None:
    """Wait until the process is ready. Raises NotStartedError if it ends, or is not in time."""
    give_up_at = time.monotonic() + _START_SECONDS
    while not is_ready():
        if process.poll() is not None or time.monotonic() > give_up_at:
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-20:])
            raise NotStartedError(f"{name} does not start. The end of {log}:\n{tail}")
        time.sleep(0.3)
