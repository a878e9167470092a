"""The DuckDB file without the blocks that it has freed, which keep what was deleted."""

import os
import shutil
from contextlib import suppress
from pathlib import Path

from duckdb import DuckDBPyConnection

from csq_assets.errors import StorageError
from csq_assets.warehouse.connection import open_warehouse
from csq_assets.warehouse.engine import count, first_row, quote, quote_text

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
ORDER BY ALL
"""


def compact(path: Path | str, *, memory_limit: str = "2GB", wait_seconds: float = 60) -> int:
    """Copy all that the file has, people's own schemas too, into a new one, and put that in its place
    by a rename. Gives the bytes that this gives back. Nobody has the file meanwhile, reader or writer.

    It takes as much disk again. Raises StorageError, and then the file is as it was.
    """
    path = Path(path)
    beside = path.with_name(f".{path.name}.compacted")
    _remove(beside)
    try:
        with open_warehouse(
            path, memory_limit=memory_limit, wait_seconds=wait_seconds
        ) as connection:
            # What a killed process spilled: this one has the file alone, and has spilled nothing yet.
            shutil.rmtree(f"{path}.tmp", ignore_errors=True)
            connection.execute("CHECKPOINT")
            before = path.stat().st_size
            _copy(connection, beside)
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
    finally:
        _remove(beside)


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
