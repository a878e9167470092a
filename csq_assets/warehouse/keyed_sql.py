"""Events and sessions: of the rows with one key, the newest is shown.

The key is the user together with one more id. Rows with a null in it are all kept, and left out here.
"""


class KeyedSql:
    """The queries of a refresh in the order of their execution.

    `rows` is the table's relation in `csq_rows`, `key` the id beside the user. A replay decides over
    what arrives, any other refresh over all rows of the keys that it touches.
    """

    def __init__(self, rows: str, key: str, *, replayed: bool) -> None:
        self._rows = rows
        self._key = key
        self._replayed = replayed
        self._complete = f"user_id IS NOT NULL AND {key} IS NOT NULL"

    def arriving(self) -> str:
        return (
            "SELECT CAST(NULL AS BIGINT) AS address, user_id, raw_user_id, "
            f"{self._key} AS key_id, dump_id, ordinal, TRUE AS shown "
            f"FROM arriving WHERE {self._complete}"
        )

    def touched_keys(self) -> str:
        key = self._key
        return (
            f"SELECT user_id, {key} FROM moved WHERE {key} IS NOT NULL "
            f"UNION ALL SELECT next_user_id, {key} FROM moved WHERE {key} IS NOT NULL "
            f"UNION ALL SELECT user_id, {key} FROM arriving WHERE {self._complete}"
        )

    def touched_rows(self) -> str:
        key = self._key
        # The one column first: DuckDB skips by a Bloom filter over it, and compares pairs after.
        return (
            f"{self.arriving()} UNION ALL "
            f"SELECT rowid, user_id, raw_user_id, {key}, dump_id, ordinal, shown "
            f"FROM {self._rows} WHERE {key} IN (SELECT key_id FROM touched_keys) "
            f"AND (user_id, {key}) IN (SELECT user_id, key_id FROM touched_keys) "
            "AND NOT rowid IN (SELECT address FROM moved) UNION ALL "
            f"SELECT address, next_user_id, raw_user_id, {key}, dump_id, ordinal, shown "
            f"FROM moved WHERE {key} IS NOT NULL"
        )

    def verdict(self) -> str:
        return KEY_VERDICT

    def outcome(self) -> str:
        """Keys whose row is a newer one now, arriving rows that are not shown, rows that became
        duplicates less those that no longer are, and keys that more than one shown row has.
        """
        return (
            f"SELECT ({_UPDATED}), ({_LOST}), ({_DUPLICATES}), (SELECT count(*) FROM ("
            f"SELECT user_id FROM ({self._shown()}) "
            "GROUP BY user_id, key_id HAVING count(*) > 1))"
        )

    def _shown(self) -> str:
        """The shown rows that have a key, as they are stored now: those touched, by their places, as
        one that `touched_rows` did not find would not be found by its key either.
        """
        rows = (
            f"SELECT user_id, {self._key} AS key_id FROM {self._rows} "
            f"WHERE shown AND {self._complete}"
        )
        if self._replayed:
            return rows
        return (
            f"{rows} AND dump_id IN (SELECT dump_id FROM arriving) "
            f"UNION ALL {rows} AND rowid IN (SELECT address FROM touched_rows)"
        )


_NEWEST_FIRST = "ORDER BY touched.dump_id DESC, touched.ordinal DESC"

# A row `stays` if it is the newest of its key as delivered: one that does not can never be shown
# again. It `wins` if it is the newest of its key with users resolved; one that only stays is shown
# again when its user is pointed elsewhere. Keys with nothing to decide are left out.
KEY_VERDICT = f"""
WITH crowded AS (
    SELECT user_id, key_id
    FROM touched
    GROUP BY user_id, key_id
    HAVING count(*) > 1 OR NOT bool_and(shown)
)
SELECT
    touched.address, touched.user_id, touched.raw_user_id, touched.key_id, touched.dump_id,
    touched.ordinal, touched.shown,
    row_number() OVER (
        PARTITION BY touched.user_id, touched.key_id, touched.raw_user_id {_NEWEST_FIRST}
    ) = 1 AS stays,
    row_number() OVER (
        PARTITION BY touched.user_id, touched.key_id {_NEWEST_FIRST}
    ) = 1 AS wins
FROM touched
JOIN crowded ON crowded.user_id = touched.user_id AND crowded.key_id = touched.key_id
"""

_UPDATED = (
    "SELECT count(*) FROM (SELECT user_id FROM verdict GROUP BY user_id, key_id "
    "HAVING bool_or(wins AND address IS NULL) AND bool_or(shown AND NOT address IS NULL))"
)
_LOST = "SELECT count(*) FROM verdict WHERE address IS NULL AND NOT wins"
_DUPLICATES = (
    "SELECT count(*) FILTER (WHERE NOT wins) - count(*) FILTER (WHERE NOT shown) FROM verdict"
)
