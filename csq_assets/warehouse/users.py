"""Users: one row for each resolved user, merged of the newest rows of its ids.

The row of a user that has one id is shown as it was delivered. Where several ids became one user,
their rows are kept and not shown, and the merged row stands beside them, with the ordinal -1.
"""

from duckdb import DuckDBPyConnection

from csq_assets.warehouse.columns import stored_columns
from csq_assets.warehouse.engine import count, quote
from csq_assets.warehouse.reduction import Outcome
from csq_assets.warehouse.rows_sql import USER_VERDICT
from csq_assets.warehouse.users_sql import merged_users


class MergedUsers:
    """Rows without a user all stay.

    A replay judges all rows, and all of them arrive; any other refresh the users it touches.
    """

    def __init__(self, connection: DuckDBPyConnection, table: str, *, replayed: bool) -> None:
        self._connection = connection
        self._table = table
        self._rows = f"csq_rows.{quote(table)}"
        self._replayed = replayed
        self._merged_before = 0
        self._chosen = (
            "user_id IS NOT NULL" if replayed else "user_id IN (SELECT user_id FROM touched_keys)"
        )

    def judge(self) -> None:
        touched = (
            "SELECT CAST(NULL AS BIGINT) AS address, user_id, raw_user_id, dump_id, ordinal, "
            "TRUE AS shown FROM arriving WHERE user_id IS NOT NULL"
        )
        if not self._replayed:
            self._find_users()
            stored = (
                "SELECT rowid, user_id, raw_user_id, dump_id, ordinal, shown "
                f"FROM {self._rows} WHERE ordinal >= 0 AND {self._chosen} "
                "AND NOT rowid IN (SELECT address FROM moved)"
            )
            moved = "SELECT address, next_user_id, raw_user_id, dump_id, ordinal, shown FROM moved"
            self._connection.execute(
                f"CREATE TEMP TABLE touched_rows AS {touched} UNION ALL {stored} UNION ALL {moved}"
            )
            touched = "SELECT * FROM touched_rows"
            merged = self._count(f"DELETE FROM {self._rows} WHERE ordinal < 0 AND {self._chosen}")
            self._merged_before = self._count(_HIDDEN.format(touched)) - merged
        self._connection.execute(f"CREATE TEMP VIEW touched AS {touched}")
        self._connection.execute(f"CREATE TEMP TABLE verdict AS {USER_VERDICT}")

    def finish(self) -> Outcome:
        merged = self._write_merged()
        return Outcome(
            rows_updated=self._count(_UPDATED),
            rows_lost=self._count(
                "SELECT count(*) FROM verdict WHERE address IS NULL AND NOT stays"
            ),
            duplicates=self._count("SELECT count(*) FROM verdict WHERE NOT stays"),
            merged=merged - self._merged_before,
            duplicated_keys=self._count(
                f"SELECT count(*) FROM (SELECT user_id FROM {self._rows} "
                f"WHERE shown AND {self._chosen} GROUP BY user_id HAVING count(*) > 1)"
            ),
        )

    def _find_users(self) -> None:
        self._connection.execute(
            "CREATE TEMP TABLE touched_keys AS "
            "SELECT user_id FROM moved UNION SELECT next_user_id FROM moved "
            "UNION SELECT user_id FROM arriving WHERE user_id IS NOT NULL"
        )

    def _write_merged(self) -> int:
        """Write the merged rows of the users judged; gives how many rows went into others."""
        companions = f"SELECT * FROM {self._rows} WHERE NOT shown AND {self._chosen}"
        self._connection.execute(f"CREATE TEMP VIEW companions AS {companions}")
        hidden = self._count("SELECT count(*) FROM companions")
        if not hidden:
            return 0
        stored = stored_columns(self._connection, self._table)
        columns = [name for name in stored.values() if name != "user_id"]
        merged = merged_users(
            columns,
            joindate=stored.get("joindate"),
            last_modified=stored.get("last_modified"),
        )
        into = ", ".join(("user_id", "dump_id", "ordinal", "shown", *columns))
        values = ", ".join(("user_id", "dump_id", "-1", "TRUE", *columns))
        written = self._count(f"INSERT INTO {self._rows} ({into}) SELECT {values} FROM ({merged})")
        return hidden - written

    def _count(self, statement: str) -> int:
        return count(self._connection, statement)


_HIDDEN = "SELECT count(*) FROM ({}) WHERE NOT shown"
_UPDATED = (
    "SELECT count(*) FROM (SELECT user_id FROM verdict GROUP BY user_id, raw_user_id "
    "HAVING bool_or(stays AND address IS NULL) AND bool_or(NOT address IS NULL))"
)
