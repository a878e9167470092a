"""The DuckDB file without the blocks that it has freed, which keep what was deleted."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb
from duckdb import DuckDBPyConnection

from csq_assets.errors import BusyError, StorageError
from csq_assets.interruption import interruptible
from csq_assets.warehouse.connection import open_warehouse
from csq_assets.warehouse.engine import count, first_row, quote, quote_text

# With a sixth of it free, a file is a fifth larger than a new one. What a day leaves free, the next one
# fills again: less than this is not worth a copy.
_LEAST_FREE_BYTES = 64 * 1024**2
_FREE_SHARE = 1 / 6
_ROOM = 1.1  # on the disk, in multiples of what is used of the file
_COPY = "csq compacted"
_OBJECTS = """
SELECT schema_name, table_name AS name, 'table' AS kind FROM duckdb_tables()
WHERE database_name = $database AND NOT internal
UNION ALL SELECT schema_name, view_name, 'view' FROM duckdb_views()
WHERE database_name = $database AND NOT internal
UNION ALL SELECT schema_name, index_name, 'index' FROM duckdb_indexes() WHERE database_name = $database
UNION ALL SELECT schema_name, sequence_name, 'sequence' FROM duckdb_sequences()
WHERE database_name = $database
UNION ALL SELECT schema_name, function_name, 'macro' FROM duckdb_functions()
WHERE database_name = $database AND NOT internal
UNION ALL SELECT schema_name, type_name, 'type' FROM duckdb_types()
WHERE database_name = $database AND NOT internal
UNION ALL SELECT schema_name, table_name || ': ' || constraint_text, 'constraint'
FROM duckdb_constraints() WHERE database_name = $database
ORDER BY ALL
"""


def compact_if_due(path: Path | str, *, memory_limit: str = "2GB") -> int:
    """`compact` a file of which more than a sixth, and 64 MiB, are free. Gives the bytes that this
    gives back.

    Any other file is left alone, and so is one that another process has, or that its disk has no room
    for: nothing is wrong then, and a later call may find it otherwise.
    Raises StorageError where it cannot be copied, and then the file is as it was.
    """
    path = Path(path)
    try:
        if _is_due(path):
            return compact(path, memory_limit=memory_limit, wait_seconds=0)
    except BusyError:
        pass
    return 0


def compact(path: Path | str, *, memory_limit: str = "2GB", wait_seconds: float = 60) -> int:
    """Copy all that the file has, people's own schemas too, into a new one, and put that in its place
    by a rename. Gives the bytes that this gives back. Nobody has the file meanwhile, reader or writer.

    It takes as much disk again. Raises StorageError, and then the file is as it was.
    """
    path = Path(path)
    try:
        with open_warehouse(
            path, memory_limit=memory_limit, wait_seconds=wait_seconds
        ) as connection:
            # What a killed process spilled: this one has the file alone, and has spilled nothing yet.
            shutil.rmtree(f"{path}.tmp", ignore_errors=True)
            connection.execute("CHECKPOINT")
            before = path.stat().st_size
            with _beside(path) as beside:
                interruptible(lambda: _copy(connection, beside), stop=connection.interrupt)
                _flush(beside)
                beside.replace(path)  # while DuckDB holds the old one, so that nobody else has it
            _flush(path.parent)
            return before - path.stat().st_size
    except OSError as error:
        raise StorageError(
            f"the DuckDB file could not be compacted: {error.strerror}",
            where={"file": str(path)},
            remedy="Check the space on its disk.",
        ) from error
    except duckdb.Error as error:
        raise StorageError(
            f"DuckDB cannot copy its file, which stays as it was: {str(error).splitlines()[0]}",
            where={"file": str(path)},
            remedy="Drop the table or view of yours that it names, or keep it in another file.",
        ) from error


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """Where the copy is written. What a killed process left there is removed, and so is what is left.

    Whoever asks has the file of `path`, so nobody else writes there.
    """
    beside = path.with_name(f".{path.name}.compacted")
    _remove(beside)
    try:
        yield beside
    finally:
        _remove(beside)


def _is_due(path: Path) -> bool:
    if not path.exists() or path.stat().st_size < _LEAST_FREE_BYTES:
        return False
    sizes = (
        "SELECT free_blocks * block_size, total_blocks * block_size, used_blocks * block_size "
        "FROM pragma_database_size()"
    )
    with open_warehouse(path, wait_seconds=0, read_only=True) as connection, _beside(path):
        free, total, used = first_row(connection, sizes) or (0, 0, 0)
        room = shutil.disk_usage(path.parent).free
    return free > max(total * _FREE_SHARE, _LEAST_FREE_BYTES) and room > used * _ROOM


def _copy(connection: DuckDBPyConnection, beside: Path) -> None:
    found = first_row(connection, "SELECT current_database()")
    own = str(found[0]) if found else ""
    connection.execute("SET preserve_insertion_order = true")
    connection.execute(f"ATTACH {quote_text(str(beside))} AS {quote(_COPY)}")
    try:
        connection.execute(f"COPY FROM DATABASE {quote(own)} TO {quote(_COPY)}")
        _compare(connection, own)
        connection.execute(f"CHECKPOINT {quote(_COPY)}")
    finally:
        connection.execute(f"DETACH {quote(_COPY)}")


def _compare(connection: DuckDBPyConnection, own: str) -> None:
    """Refuse a copy that lacks a relation or a row."""
    objects = [
        connection.execute(_OBJECTS, {"database": database}).fetchall() for database in (own, _COPY)
    ]
    tables = [
        f"{quote(schema)}.{quote(name)}" for schema, name, kind in objects[0] if kind == "table"
    ]
    rows = [
        [count(connection, f"SELECT count(*) FROM {quote(database)}.{table}") for table in tables]
        for database in (own, _COPY)
        if objects[0] == objects[1]
    ]
    if not rows or rows[0] != rows[1]:
        raise StorageError(
            "DuckDB's copy of its file is not complete, so the file was not replaced",
            remedy="Move the file away and run csq rebuild; copy tables of your own from it.",
        )


def _remove(beside: Path) -> None:
    for path in (beside, beside.with_name(f"{beside.name}.wal")):
        with suppress(OSError):
            path.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        with suppress(OSError):  # not all file systems flush folders
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
