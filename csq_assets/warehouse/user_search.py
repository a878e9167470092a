"""Finds forgotten users in the DuckDB file, and in whatever tables and files people made."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb
from duckdb import DuckDBPyConnection

from csq_assets.dataconnect.tombstones import Tombstones, user_columns
from csq_assets.errors import StorageError
from csq_assets.warehouse.columns import stored_columns
from csq_assets.warehouse.database_schemas import SCHEMAS
from csq_assets.warehouse.engine import quote, quote_text
from csq_assets.warehouse.id_search import count_ids, matching, may_hold_ids, values

_CHANGES = ("csq_ledger", "identity_changes")
_ROWS = ("user_id", "raw_user_id")  # of every table in csq_rows


@dataclass(frozen=True, slots=True)
class Holding:
    """Rows of a table whose `column` is the id of a forgotten user."""

    schema: str
    table: str
    column: str
    rows: int

    @property
    def name(self) -> str:
        return f"{self.schema}.{self.table}"

    @property
    def is_own(self) -> bool:
        """Whether csq_assets makes the table."""
        return self.schema in SCHEMAS


def search_users(connection: DuckDBPyConnection, tombstones: Tombstones) -> list[Holding]:
    """Every table that holds such an id. In tables of people's own, every column that can hold one is
    searched; views hold nothing."""
    found = []
    for (schema, table), columns in _searched(connection).items():
        relation = f"{quote(schema)}.{quote(table)}"
        for column, kind in columns.items():
            rows = count_ids(connection, relation, column, kind, tombstones)
            found += [Holding(schema, table, column, rows)] if rows else []
    return found


def count_tables(connection: DuckDBPyConnection) -> int:
    """The tables that `search_users` looks at."""
    return len(_searched(connection))


def search_parquet(file: Path, tombstones: Tombstones) -> str:
    """The first column of a file of a person's own that holds such an id, or none. Raises StorageError
    where it cannot be read."""
    name = re.sub(r"([*?[])", r"[\1]", str(file))  # or it would be a pattern
    relation = f"read_parquet({quote_text(name)}, hive_partitioning = false)"
    try:
        with duckdb.connect() as connection:
            found = connection.execute(f"DESCRIBE FROM {relation}").fetchall()
            for column, kind, *_ in found:
                if may_hold_ids(kind) and count_ids(connection, relation, column, kind, tombstones):
                    return column
    except duckdb.Error as error:
        raise StorageError(f"cannot be read: {str(error).splitlines()[0]}") from error
    return ""


def forget_changes(connection: DuckDBPyConnection, tombstones: Tombstones) -> None:
    """Drop the notes that ids of forgotten users came to resolve otherwise: no row follows them."""
    relation, kind = ".".join(_CHANGES), "BIGINT"
    connection.execute(
        f"DELETE FROM {relation} WHERE {matching(relation, 'user_id', kind)}",
        values(tombstones),
    )


def _searched(connection: DuckDBPyConnection) -> Mapping[tuple[str, str], Mapping[str, str]]:
    """The columns to search in each table, with their types."""
    return dict(_columns(connection))


def _columns(connection: DuckDBPyConnection) -> Iterator[tuple[tuple[str, str], dict[str, str]]]:
    found = connection.execute(
        "SELECT schema_name, table_name, list([column_name, data_type] ORDER BY column_index) "
        "FROM duckdb_columns() JOIN duckdb_tables() USING (database_oid, schema_name, table_name) "
        "WHERE duckdb_columns.database_name = current_database() "
        "GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    for schema, table, columns in found:
        kinds = dict(columns)
        if schema not in SCHEMAS:
            chosen = [name for name, kind in kinds.items() if may_hold_ids(kind)]
        elif schema == "csq_rows":
            stored = stored_columns(connection, table)
            chosen = [*_ROWS, *(stored[name] for name in user_columns(table, stored))]
        elif not (chosen := user_columns(table, kinds)):
            continue
        yield (schema, table), {name: kinds[name] for name in chosen}
