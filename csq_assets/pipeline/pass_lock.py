"""One pass at a time on this machine, be it of `csq sync` or of the sensor."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from csq_assets.errors import BusyError, SettingsError


@contextmanager
def pass_lock(warehouse: Path, *, wait_seconds: float) -> Iterator[None]:
    """Hold the lock beside the DuckDB file. The operating system frees that of a killed process.

    Raises BusyError where another pass does not end in time; SettingsError where the folder cannot
    be written.
    """
    lock = FileLock(warehouse.with_name(f".{warehouse.name}.lock"), timeout=wait_seconds)
    try:
        warehouse.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise BusyError(
            "another sync is running"
            + (f", and did not end within {wait_seconds:g} seconds" if wait_seconds else ""),
            remedy="Wait for it, then run csq sync again.",
        ) from None
    except OSError as error:
        raise SettingsError(
            f"{warehouse.parent} cannot be written: {error.strerror}",
            where={"setting": "CSQ_DUCKDB_PATH"},
            remedy="Choose a folder that can be written.",
        ) from error
    try:
        yield
    finally:
        lock.release()
