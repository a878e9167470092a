"""A DuckDB file that gets its name once it is filled."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from duckdb import DuckDBPyConnection

from csq_assets.errors import BusyError, StorageError, UsageError
from csq_assets.warehouse.applied_state import read_tables
from csq_assets.warehouse.connection import open_warehouse
from csq_assets.warehouse.table_refresh import drop_table


@contextmanager
def new_warehouse(path: Path, *, memory_limit: str) -> Iterator[DuckDBPyConnection]:
    """A connection to a file that becomes `path` when the context ends well; else there is none.

    It is written beside `path`. What a killed process left there is taken up, and emptied first.
    Raises UsageError where `path` exists: it may hold what nobody else has.
    """
    beside = path.with_name(f".{path.name}.unfinished")
    _refuse_existing(path)
    is_ours = False
    try:
        with open_warehouse(beside, memory_limit=memory_limit, wait_seconds=0) as connection:
            is_ours = True
            for table in read_tables(connection):
                drop_table(connection, table)
            yield connection
        _refuse_existing(path)
        _rename(beside, path)
    except BaseException as error:
        if is_ours:
            _remove(beside)
        elif isinstance(error, StorageError):
            raise _unusable(path, error) from error
        raise


def _refuse_existing(path: Path) -> None:
    if path.exists():
        raise UsageError(
            "that file exists, and may hold tables of yours",
            where={"file": str(path)},
            remedy="Name another one, or delete it first.",
        )


def _unusable(path: Path, error: StorageError) -> StorageError:
    where = {"file": str(path)}
    if isinstance(error, BusyError):
        remedy = "Wait for it, or name another file."
        return BusyError("another csq rebuild is writing that file", where=where, remedy=remedy)
    return StorageError(error.message, where=where, remedy="Check its folder, and the disk.")


def _rename(beside: Path, path: Path) -> None:
    try:
        beside.replace(path)
    except OSError as error:
        raise StorageError(
            f"the file cannot be given its name: {error.strerror}",
            where={"file": str(path)},
            remedy="Check its folder, then try again.",
        ) from error


def _remove(beside: Path) -> None:
    """The file and its log. DuckDB removes what it spilled."""
    for name in (beside.name, f"{beside.name}.wal"):
        with suppress(OSError):
            beside.with_name(name).unlink(missing_ok=True)
