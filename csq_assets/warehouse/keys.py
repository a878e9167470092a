"""Events and sessions: of the rows with one key, the newest is shown."""

from duckdb import DuckDBPyConnection

from csq_assets.warehouse.engine import count, quote
from csq_assets.warehouse.reduction import Outcome
from csq_assets.warehouse.rows_sql import KEY_VERDICT


class NewestOfKey:
    """`key` is the id that makes the key together with the user. Rows with a null in it all stay.

    A replay judges all rows, and all of them arrive; any other refresh the keys it touches.
    """

    def __init__(
        self, connection: DuckDBPyConnection, table: str, key: str, *, replayed: bool
    ) -> None:
        self._connection = connection
        self._rows = f"csq_rows.{quote(table)}"
        self._key = key
        self._replayed = replayed

    def judge(self) -> None:
        key = self._key
        touched = (
            "SELECT CAST(NULL AS BIGINT) AS address, user_id, raw_user_id, "
            f"{key} AS key_id, dump_id, ordinal, TRUE AS shown "
            f"FROM arriving WHERE user_id IS NOT NULL AND {key} IS NOT NULL"
        )
        if not self._replayed:
            self._find_keys()
            # The one column first: DuckDB skips by a Bloom filter over it, and looks at pairs after.
            stored = (
                f"SELECT rowid, user_id, raw_user_id, {key}, dump_id, ordinal, shown "
                f"FROM {self._rows} WHERE {key} IN (SELECT key_id FROM touched_keys) "
                f"AND (user_id, {key}) IN (SELECT user_id, key_id FROM touched_keys) "
                "AND NOT rowid IN (SELECT address FROM moved)"
            )
            moved = (
                f"SELECT address, next_user_id, raw_user_id, {key}, dump_id, ordinal, shown "
                f"FROM moved WHERE {key} IS NOT NULL"
            )
            self._connection.execute(
                f"CREATE TEMP TABLE touched_rows AS {touched} UNION ALL {stored} UNION ALL {moved}"
            )
            touched = "SELECT * FROM touched_rows"
        self._connection.execute(f"CREATE TEMP VIEW touched AS {touched}")
        self._connection.execute(f"CREATE TEMP TABLE verdict AS {KEY_VERDICT}")

    def finish(self) -> Outcome:
        return Outcome(
            rows_updated=self._count(_UPDATED),
            rows_lost=self._count(
                "SELECT count(*) FROM verdict WHERE address IS NULL AND NOT wins"
            ),
            duplicates=self._count(_DUPLICATES),
            duplicated_keys=self._count(
                f"SELECT count(*) FROM (SELECT user_id FROM ({self._judged()}) "
                "GROUP BY user_id, key_id HAVING count(*) > 1)"
            ),
        )

    def _judged(self) -> str:
        """The shown rows that have a key, as they are stored now: those touched, by their places.

        A row that `judge` did not find is not found here; a replay judges all.
        """
        rows = (
            f"SELECT user_id, {self._key} AS key_id FROM {self._rows} "
            f"WHERE shown AND user_id IS NOT NULL AND {self._key} IS NOT NULL"
        )
        if self._replayed:
            return rows
        return (
            f"{rows} AND dump_id IN (SELECT dump_id FROM arriving) "
            f"UNION ALL {rows} AND rowid IN (SELECT address FROM touched_rows)"
        )

    def _find_keys(self) -> None:
        key = self._key
        self._connection.execute(
            "CREATE TEMP TABLE touched_keys AS "
            f"SELECT user_id, {key} AS key_id FROM moved WHERE {key} IS NOT NULL "
            f"UNION ALL SELECT next_user_id, {key} FROM moved WHERE {key} IS NOT NULL "
            f"UNION ALL SELECT user_id, {key} FROM arriving "
            f"WHERE user_id IS NOT NULL AND {key} IS NOT NULL"
        )

    def _count(self, statement: str) -> int:
        return count(self._connection, statement)


_UPDATED = (
    "SELECT count(*) FROM (SELECT user_id FROM verdict GROUP BY user_id, key_id "
    "HAVING bool_or(wins AND address IS NULL) AND bool_or(shown AND NOT address IS NULL))"
)
_DUPLICATES = (
    "SELECT count(*) FILTER (WHERE NOT wins) - count(*) FILTER (WHERE NOT shown) FROM verdict"
)
