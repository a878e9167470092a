"""Columns: the names under which they are shown, and those under which they are stored.

Stored names are our own, `c1`, `c2`, ..., as delivered ones may differ only in case. A column that a
manifest no longer lists stays stored, so its old values come back with it.
"""

from collections.abc import Iterable, Mapping, Sequence

from duckdb import DuckDBPyConnection

from csq_assets.dataconnect.tables import ID_COLUMNS
from csq_assets.warehouse.engine import quote


def shown_names(columns: Sequence[str]) -> dict[str, str]:
    """The name of each delivered column in DuckDB, in the order of `columns`.

    Names that differ only in case get the next free suffix, `_2`, `_3`; a delivered name is never
    free. Source: contract.md, "Columns"; export-format.md, edge case 66.
    """
    delivered = {_fold(column) for column in columns}
    taken: set[str] = set()
    names: dict[str, str] = {}
    for column in columns:
        name, suffix = column, 2
        while _fold(name) in taken or (name != column and _fold(name) in delivered):
            name, suffix = f"{column}_{suffix}", suffix + 1
        taken.add(_fold(name))
        names[column] = name
    return names


def shown_types(connection: DuckDBPyConnection, schema: str, relation: str) -> dict[str, str]:
    """The columns that analysts see, each with its type; none where there is no such relation."""
    found = connection.execute(
        "SELECT column_name, data_type FROM duckdb_columns() "
        "WHERE schema_name = ? AND table_name = ? ORDER BY column_index",
        [schema, relation],
    ).fetchall()
    return dict(found)


def stored_columns(connection: DuckDBPyConnection, table: str) -> dict[str, str]:
    """The stored name of every delivered column that the table has ever had, ids included."""
    found = connection.execute(
        "SELECT delivered, stored FROM csq_ledger.columns WHERE table_name = ?", [table]
    ).fetchall()
    return dict(found)


def store_columns(
    connection: DuckDBPyConnection, table: str, columns: Iterable[str]
) -> Mapping[str, str]:
    """Make room for those of `columns` that the table never had; gives all stored names."""
    stored = stored_columns(connection, table)
    new: list[tuple[str, str, str]] = []
    for column in columns:
        if column in stored:
            continue
        if column in ID_COLUMNS:
            name = column
        else:
            name = f"c{sum(1 for other in stored if other not in ID_COLUMNS) + 1}"
            connection.execute(f"ALTER TABLE csq_rows.{quote(table)} ADD COLUMN {name} VARCHAR")
        stored[column] = name
        new.append((table, column, name))
    if new:
        connection.executemany("INSERT INTO csq_ledger.columns VALUES (?, ?, ?)", new)
    return stored


def _fold(name: str) -> str:
    """The name as DuckDB compares it: only ASCII letters lose their case."""
    return name.encode().lower().decode()
