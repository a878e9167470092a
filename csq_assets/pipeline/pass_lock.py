"""One pass at a time on this machine, be it of `csq sync` or of the sensor."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from csq_assets.errors import BusyError, SettingsError


def pass_lock(warehouse: Path, *, wait_seconds: float) -> AbstractContextManager[None]:
    """Hold the lock beside the DuckDB file. The operating system frees that of a killed process.

    Raises BusyError where another pass does not end in time; SettingsError where the folder cannot
    be written.
    """
    waited = f", and did not end within {wait_seconds:g} seconds" if wait_seconds else ""
    busy = BusyError(
        f"another sync is running{waited}", remedy="Wait for it, then run csq sync again."
    )
    lock = warehouse.with_name(f".{warehouse.name}.lock")
    return lock_beside(lock, busy, wait_seconds=wait_seconds)


@contextmanager
def lock_beside(path: Path, busy: BusyError, *, wait_seconds: float) -> Iterator[None]:
    """Hold a lock in the folder of the DuckDB file. Raises `busy` where another process does not free
    it in time; SettingsError where the folder cannot be written."""
    lock = FileLock(path, timeout=wait_seconds)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise busy from None
    except OSError as error:
        raise SettingsError(
            f"{path} cannot be written: {error.strerror}",
            where={"setting": "CSQ_DUCKDB_PATH"},
            remedy="Choose a folder that can be written.",
        ) from error
    try:
        yield
    finally:
        lock.release()
