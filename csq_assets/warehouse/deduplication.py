"""How rows that share a key become one: decided over ids before any row is written, counted after."""

from collections.abc import Mapping
from dataclasses import dataclass

from duckdb import DuckDBPyConnection

from csq_assets.dataconnect.tables import TableKind
from csq_assets.warehouse.engine import count, first_row, quote
from csq_assets.warehouse.keyed_sql import KeyedSql
from csq_assets.warehouse.users_sql import UsersSql


@dataclass(frozen=True, slots=True)
class Deduplicated:
    """What became of the rows that a refresh touched. `duplicates` may be negative."""

    rows_updated: int = 0  # keys whose row is a newer one now
    rows_lost: int = 0  # rows that arrived and are neither shown nor merged
    duplicates: int = 0
    duplicated_keys: int = 0
    merged: int = 0  # in the whole table


class Deduplication:
    """The rules of one kind of table, for one refresh. A table without a key keeps all its rows."""

    def __init__(
        self, connection: DuckDBPyConnection, table: str, kind: TableKind, *, replayed: bool
    ) -> None:
        self._connection = connection
        self._replayed = replayed
        self._sql = _sql_of(kind, f"csq_rows.{quote(table)}", replayed=replayed)

    @property
    def has_key(self) -> bool:
        return self._sql is not None

    def decide(self) -> None:
        """Fill `verdict` from what arrives, moves and is stored."""
        if self._sql is None:
            return
        execute, touched = self._connection.execute, self._sql.arriving()
        if not self._replayed:
            execute(f"INSERT INTO touched_keys {self._sql.touched_keys()}")
            execute(f"INSERT INTO touched_rows {self._sql.touched_rows()}")
            touched = "SELECT * FROM touched_rows"
        execute(f"CREATE TEMP VIEW touched AS {touched}")
        execute(f"INSERT INTO verdict {self._sql.verdict()}")

    def finish(self, stored: Mapping[str, str]) -> Deduplicated:
        """Merge users, now that all rows are written, and count. `stored` names the columns."""
        if self._sql is None:
            return Deduplicated()
        merged = self._merge(self._sql, stored) if isinstance(self._sql, UsersSql) else 0
        counts = first_row(self._connection, self._sql.outcome()) or ()
        return Deduplicated(*counts, merged=merged)

    def _merge(self, sql: UsersSql, stored: Mapping[str, str]) -> int:
        execute = self._connection.execute
        execute(sql.delete_merged())
        execute(f"CREATE TEMP VIEW companions AS {sql.companions()}")
        if count(self._connection, "SELECT count(*) FROM companions"):
            execute(sql.insert_merged(stored))
        return count(self._connection, sql.merged())


def _sql_of(kind: TableKind, rows: str, *, replayed: bool) -> UsersSql | KeyedSql | None:
    if kind is TableKind.USERS:
        return UsersSql(rows, replayed=replayed)
    return KeyedSql(rows, kind.key[-1], replayed=replayed) if kind.key else None
