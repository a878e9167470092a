"""Transactions and quoting: the ways of DuckDB that every other module uses."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeAlias

import duckdb
from duckdb import DuckDBPyConnection

from csq_assets.warehouse.duckdb_errors import explained

Parameters: TypeAlias = Sequence[object] | Mapping[str, object]


@contextmanager
def transaction(connection: DuckDBPyConnection) -> Iterator[None]:
    """All of it or nothing, whatever happens inside.

    Raises StorageError where DuckDB lacks memory or disk, or its file is damaged.
    """
    with explained(_file_of(connection)):
        connection.execute("BEGIN TRANSACTION")
        try:
            yield
            connection.execute("COMMIT")
        except BaseException:
            _roll_back(connection)
            raise


def first_row(
    connection: DuckDBPyConnection, statement: str, parameters: Parameters = ()
) -> tuple[Any, ...] | None:
    """The first row of a small result. All is fetched: DuckDB refuses other work before that."""
    found = connection.execute(statement, parameters).fetchall()
    return found[0] if found else None


def count(connection: DuckDBPyConnection, statement: str, parameters: Parameters = ()) -> int:
    """The number that the statement gives: of a query, or of the rows that it wrote."""
    found = first_row(connection, statement, parameters)
    return (found[0] if found else None) or 0


def insert_rows(
    connection: DuckDBPyConnection, relation: str, rows: Iterable[Sequence[object]]
) -> None:
    """Insert Python rows by one statement: column by column, as DuckDB takes lists fastest."""
    columns = [list(column) for column in zip(*rows, strict=True)]
    if columns:
        values = ", ".join(f"unnest(?::{kind}[])" for kind in connection.table(relation).types)
        connection.execute(f"INSERT INTO {relation} SELECT {values}", columns)


def quote(name: str) -> str:
    """The name as an identifier."""
    return '"' + name.replace('"', '""') + '"'


def quote_text(text: str) -> str:
    """The text as a literal, for a view: there a parameter cannot stand."""
    return "'" + text.replace("'", "''") + "'"


def _file_of(connection: DuckDBPyConnection) -> str | None:
    found = first_row(
        connection,
        "SELECT path FROM duckdb_databases() WHERE database_name = current_database()",
    )
    return found[0] if found else None


def _roll_back(connection: DuckDBPyConnection) -> None:
    # DuckDB may have rolled back by itself, or the connection may be gone; the first error counts.
    with suppress(duckdb.Error):
        connection.execute("ROLLBACK")
