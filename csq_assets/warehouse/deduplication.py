"""How rows that share a key become one: decided over ids before any row is written, counted after.

The key is the user, with one more id for events and sessions. Rows with a null in it are all kept, and
left out here. Where several ids became one user, their rows of `users` are kept and not shown, and the
merged row stands beside them, with the ordinal -1.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from duckdb import DuckDBPyConnection

from csq_assets.dataconnect.tables import TableKind
from csq_assets.warehouse.engine import count, first_row, quote
from csq_assets.warehouse.keyed_sql import KEY_VERDICT, USER_VERDICT, outcome
from csq_assets.warehouse.users_sql import merged_users


@dataclass(frozen=True, slots=True)
class Deduplicated:
    """What became of the rows that a refresh touched. `duplicates` may be negative."""

    rows_updated: int = 0  # keys whose row is a newer one now
    rows_lost: int = 0  # rows that arrived and are neither shown nor merged
    duplicates: int = 0
    duplicated_keys: int = 0  # that more than one shown row has
    merged: int = 0  # in the whole table


class Deduplication:
    """The rules of one kind of table, for one refresh. A table without a key keeps all its rows.

    A replay decides over what arrives, any other refresh over all rows of the keys that it touches.
    """

    def __init__(
        self, connection: DuckDBPyConnection, table: str, kind: TableKind, *, replayed: bool
    ) -> None:
        self._connection = connection
        self._rows = f"csq_rows.{quote(table)}"
        self._replayed = replayed
        self._has_key = bool(kind.key)
        self._merges = kind is TableKind.USERS
        self.key = "0" if self._merges or not kind.key else kind.key[-1]  # beside the user
        self._complete = f"user_id IS NOT NULL AND {self.key} IS NOT NULL"
        if self._merges:
            self._touched = "user_id IN (SELECT user_id FROM touched_keys)"
        else:
            # The one column first: DuckDB skips by a Bloom filter over it, and compares pairs after.
            self._touched = (
                f"{self.key} IN (SELECT key_id FROM touched_keys) "
                f"AND (user_id, {self.key}) IN (SELECT user_id, key_id FROM touched_keys)"
            )
        if replayed:
            self._touched = self._complete

    def decide(self) -> None:
        """Fill `verdict` from what arrives, moves and is stored."""
        if not self._has_key:
            return
        execute, key = self._connection.execute, self.key
        touched = (
            f"SELECT CAST(NULL AS BIGINT) AS address, user_id, raw_user_id, {key} AS key_id, "
            f"dump_id, ordinal, TRUE AS shown FROM arriving WHERE {self._complete}"
        )
        if not self._replayed:
            execute(
                f"INSERT INTO touched_keys "
                f"SELECT user_id, {key} FROM arriving WHERE {self._complete} "
                "UNION ALL SELECT user_id, key_id FROM moved WHERE key_id IS NOT NULL "
                "UNION ALL SELECT next_user_id, key_id FROM moved WHERE key_id IS NOT NULL"
            )
            execute(
                f"INSERT INTO touched_rows {touched} UNION ALL "
                f"SELECT rowid, user_id, raw_user_id, {key}, dump_id, ordinal, shown "
                f"FROM {self._rows} WHERE ordinal >= 0 AND {self._touched} "
                "AND NOT rowid IN (SELECT address FROM moved) UNION ALL "
                "SELECT address, next_user_id, raw_user_id, key_id, dump_id, ordinal, shown "
                "FROM moved WHERE key_id IS NOT NULL"
            )
            touched = "SELECT * FROM touched_rows"
        execute(
            f"INSERT INTO verdict WITH touched AS NOT MATERIALIZED ({touched}) "
            f"SELECT * FROM ({USER_VERDICT if self._merges else KEY_VERDICT})"
        )

    def finish(self, stored: Mapping[str, str]) -> Deduplicated:
        """Merge users, now that all rows are written, and count. `stored` names the columns."""
        if not self._has_key:
            return Deduplicated()
        merged = self._merge(stored) if self._merges else 0
        duplicated_keys = count(
            self._connection,
            f"SELECT count(*) FROM (SELECT user_id FROM ({self._shown()}) "
            "GROUP BY user_id, key_id HAVING count(*) > 1)",
        )
        counts = first_row(self._connection, outcome(merges=self._merges))
        return Deduplicated(*counts or (), duplicated_keys=duplicated_keys, merged=merged)

    def _merge(self, stored: Mapping[str, str]) -> int:
        """Rebuild the merged rows of the touched users; how many rows of the table went into others."""
        execute, rows = self._connection.execute, self._rows
        execute(f"DELETE FROM {rows} WHERE ordinal < 0 AND {self._touched}")
        companions = f"FROM {rows} WHERE NOT shown AND {self._touched}"
        if count(self._connection, f"SELECT count(*) {companions}"):
            columns = [name for name in stored.values() if name != "user_id"]
            select = merged_users(
                columns, joindate=stored.get("joindate"), last_modified=stored.get("last_modified")
            )
            execute(
                f"INSERT INTO {rows} BY NAME "
                f"WITH companions AS NOT MATERIALIZED (SELECT * {companions}) "
                "SELECT * EXCLUDE (user_id), user_id AS resolved_user_id, -1 AS ordinal, TRUE AS shown "
                f"FROM ({select})"
            )
        return count(
            self._connection,
            "SELECT count(*) FILTER (WHERE NOT shown) - count(*) FILTER (WHERE ordinal < 0) "
            f"FROM {rows}",
        )

    def _shown(self) -> str:
        """The shown rows that have a key, as they are stored now: those that may have changed."""
        shown = (
            f"SELECT user_id, {self.key} AS key_id FROM {self._rows} "
            f"WHERE shown AND {self._complete}"
        )
        if self._merges or self._replayed:
            return f"{shown} AND {self._touched}"
        # By their places: one that `touched_rows` did not find would not be found by its key either.
        return (
            f"{shown} AND dump_id IN (SELECT dump_id FROM arriving) "
            f"UNION ALL {shown} AND rowid IN (SELECT address FROM touched_rows)"
        )
