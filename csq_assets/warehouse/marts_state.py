"""What the marts were built from: another tool writes them, so nothing else says if they are behind."""

import hashlib
from pathlib import Path

import duckdb
from duckdb import DuckDBPyConnection

from csq_assets.warehouse.connection import open_warehouse
from csq_assets.warehouse.engine import count, first_row, transaction

_SOURCES = (
    "SELECT table_name, dump_id, content FROM csq_ledger.dumps ORDER BY ALL",
    "SELECT max(applied_at) FROM csq_meta.dumps",  # of this file, and not of one that was lost
    "SELECT max(version) FROM csq_ledger.identity",
    # A type that is decided otherwise, or a column that is gone, changes no dump.
    "SELECT view_name, sql FROM duckdb_views() WHERE schema_name = 'csq_typed' ORDER BY ALL",
)


def read_version(connection: DuckDBPyConnection, project: str) -> str:
    """The version of what the marts are made from: the current tables as they are now, and the project,
    by the digest of its files."""
    found = [connection.execute(query).fetchall() for query in _SOURCES]
    return hashlib.sha256(f"{project} {found}".encode()).hexdigest()


def widest_table(connection: DuckDBPyConnection) -> int:
    """How many columns the widest typed view has."""
    return count(
        connection,
        "SELECT max(column_count) FROM (SELECT count(*) AS column_count FROM duckdb_columns() "
        "WHERE schema_name = 'csq_typed' GROUP BY table_name)",
    )


def record_built(connection: DuckDBPyConnection, version: str | None) -> None:
    """Remember that the marts were built from this; with None, that they are to be built again."""
    with transaction(connection):
        connection.execute("DELETE FROM csq_ledger.marts")
        connection.execute("INSERT INTO csq_ledger.marts VALUES (?)", [version])


def stale_version(path: Path, project: str, *, wait_seconds: float) -> str | None:
    """The version that the marts in a file are to be built from, None where they are, or where there is
    nothing to build them from.

    Raises BusyError where another process writes it for longer than `wait_seconds`.
    """
    if not path.exists():
        return None
    with open_warehouse(path, read_only=True, wait_seconds=wait_seconds) as connection:
        try:
            version = read_version(connection, project)
        except duckdb.CatalogException:  # it was never written to
            return None
        try:
            built = first_row(connection, "SELECT built_from FROM csq_ledger.marts")
        except duckdb.CatalogException:  # an earlier version wrote it
            built = None
    return None if built == (version,) else version
