"""Columns: the names under which they are shown, and those under which they are stored.

Stored names are our own, `c1`, `c2`, ..., as delivered ones may differ only in case. A column that a
manifest no longer lists stays stored, so its old values come back with it.
"""

from collections.abc import Iterable, Mapping

from duckdb import DuckDBPyConnection

from csq_assets.dataconnect.tables import ID_COLUMNS


def shown_names(columns: Iterable[str]) -> dict[str, str]:
    """The name of each delivered column in DuckDB. `columns` are those of every dump that counts, in
    the order in which they were first seen: lowest dump first, then manifest order.

    Of names that differ only in case the first seen is shown as it is, the others get the next free
    suffix, `_2`, `_3`; a delivered name is never free.
    Source: contract.md, "Columns"; export-format.md, edge case 66.
    """
    columns = dict.fromkeys(columns)
    delivered = {_fold(column) for column in columns}
    taken: set[str] = set()
    suffixes: dict[str, int] = {}  # the next that may be free
    names: dict[str, str] = {}
    for column in columns:
        name, suffix = column, suffixes.get(_fold(column), 2)
        while _fold(name) in taken or (name != column and _fold(name) in delivered):
            name, suffix = f"{column}_{suffix}", suffix + 1
        suffixes[_fold(column)] = suffix
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


def new_columns(stored: Mapping[str, str], columns: Iterable[str]) -> dict[str, str]:
    """Stored names for those of `columns` that are not `stored` yet."""
    names: dict[str, str] = {}
    for column in dict.fromkeys(columns):
        if column not in stored:
            place = len(stored) + len(names) + 1
            names[column] = column if column in ID_COLUMNS else f"c{place}"
    return names


def _fold(name: str) -> str:
    """The name as DuckDB compares it: only ASCII letters lose their case."""
    return name.encode().lower().decode()
