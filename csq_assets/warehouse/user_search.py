"""Finds forgotten users in the DuckDB file: in its own tables, and in those that people made."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from duckdb import DuckDBPyConnection

from csq_assets.dataconnect.tables import USER_MIGRATIONS
from csq_assets.dataconnect.tombstones import PAIR, Tombstones
from csq_assets.warehouse.columns import stored_columns
from csq_assets.warehouse.database_schemas import SCHEMAS
from csq_assets.warehouse.engine import quote

_CHANGES = ("csq_ledger", "identity_changes")
_OWN = {
    ("csq_meta", "user_identity"): ("from_user_id", "user_id"),
    _CHANGES: ("user_id",),
}
_ROWS = ("user_id", "raw_user_id")  # of every table in csq_rows
_MAY_HOLD = ("BIGINT", "UBIGINT", "HUGEINT", "VARCHAR")  # an id, in a table of a person's own


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
    """Every table that holds such an id. In tables of people's own, every column of whole numbers or
    texts is searched; views hold nothing."""
    found = [
        Holding(schema, table, column, _count(connection, schema, table, column, tombstones))
        for (schema, table), columns in _searched(connection).items()
        for column in columns
    ]
    return [one for one in found if one.rows]


def count_tables(connection: DuckDBPyConnection) -> int:
    """The tables that `search_users` looks at."""
    return len(_searched(connection))


def forget_changes(connection: DuckDBPyConnection, tombstones: Tombstones) -> None:
    """Drop the notes that ids of forgotten users came to resolve otherwise: no row follows them."""
    schema, table = _CHANGES
    matches = _matches("user_id", schema, table)
    connection.execute(f"DELETE FROM {schema}.{table} WHERE {matches}", _values(tombstones))


def _searched(connection: DuckDBPyConnection) -> Mapping[tuple[str, str], tuple[str, ...]]:
    return dict(_columns(connection))


def _columns(connection: DuckDBPyConnection) -> Iterator[tuple[tuple[str, str], tuple[str, ...]]]:
    found = connection.execute(
        "SELECT schema_name, table_name, "
        "coalesce(list(column_name ORDER BY column_index) "
        f"FILTER (data_type IN {_MAY_HOLD}), []) "
        "FROM duckdb_columns() JOIN duckdb_tables() USING (database_oid, schema_name, table_name) "
        "WHERE duckdb_columns.database_name = current_database() "
        "GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    for schema, table, columns in found:
        if schema == "csq_rows":
            stored = stored_columns(connection, table) if table == USER_MIGRATIONS else {}
            pair = (stored[name] for name in PAIR if name in stored)
            yield (schema, table), (*_ROWS, *pair)
        elif schema not in SCHEMAS:
            yield (schema, table), tuple(columns)
        elif (schema, table) in _OWN:
            yield (schema, table), _OWN[schema, table]


def _count(
    connection: DuckDBPyConnection, schema: str, table: str, column: str, tombstones: Tombstones
) -> int:
    relation = f"{quote(schema)}.{quote(table)}"
    matches = _matches(column, schema, table)
    found = connection.execute(
        f"SELECT count(*) FROM {relation} WHERE {matches}", _values(tombstones)
    )
    return found.fetchall()[0][0]


def _matches(column: str, schema: str, table: str) -> str:
    """Whether the column holds such an id. Each distinct value is hashed once."""
    value = f"CAST({quote(column)} AS VARCHAR)"
    return (
        f"{value} IN (SELECT text FROM "
        f"(SELECT DISTINCT {value} AS text FROM {quote(schema)}.{quote(table)}) "
        "WHERE regexp_full_match(text, '-?[0-9]{1,19}') "
        "AND list_contains($digests, sha256($salt || CAST(TRY_CAST(text AS BIGINT) AS VARCHAR))))"
    )


def _values(tombstones: Tombstones) -> dict[str, object]:
    return {"salt": tombstones.salt, "digests": list(tombstones.asked_at)}
