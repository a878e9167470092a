"""Users: one row for each resolved user, merged from the newest row of each of its ids.

The row of a user that has one id is shown as it was delivered. Where several ids became one user,
their rows are kept and not shown, and the merged row stands beside them, with the ordinal -1.
Rows without a user are all kept, and left out here.
"""

from collections.abc import Mapping, Sequence

from csq_assets.warehouse.engine import quote
from csq_assets.warehouse.instant_sql import instant


class UsersSql:
    """The queries of a refresh in the order of their execution.

    `rows` is the table's relation in `csq_rows`. A replay decides over what arrives, any other
    refresh over all rows of the users that it touches.
    """

    def __init__(self, rows: str, *, replayed: bool) -> None:
        self._rows = rows
        self._touched = (
            "user_id IS NOT NULL" if replayed else "user_id IN (SELECT user_id FROM touched_keys)"
        )

    def arriving(self) -> str:
        return (
            "SELECT CAST(NULL AS BIGINT) AS address, user_id, raw_user_id, "
            "CAST(NULL AS BIGINT) AS key_id, dump_id, ordinal, TRUE AS shown "
            "FROM arriving WHERE user_id IS NOT NULL"
        )

    def touched_keys(self) -> str:
        return (
            "SELECT user_id, CAST(NULL AS BIGINT) FROM moved "
            "UNION SELECT next_user_id, NULL FROM moved "
            "UNION SELECT user_id, NULL FROM arriving WHERE user_id IS NOT NULL"
        )

    def touched_rows(self) -> str:
        return (
            f"{self.arriving()} UNION ALL "
            "SELECT rowid, user_id, raw_user_id, NULL, dump_id, ordinal, shown "
            f"FROM {self._rows} WHERE ordinal >= 0 AND {self._touched} "
            "AND NOT rowid IN (SELECT address FROM moved) UNION ALL "
            "SELECT address, next_user_id, raw_user_id, NULL, dump_id, ordinal, shown FROM moved"
        )

    def verdict(self) -> str:
        return USER_VERDICT

    def delete_merged(self) -> str:
        return f"DELETE FROM {self._rows} WHERE ordinal < 0 AND {self._touched}"

    def companions(self) -> str:
        return f"SELECT * FROM {self._rows} WHERE NOT shown AND {self._touched}"

    def insert_merged(self, stored: Mapping[str, str]) -> str:
        """`stored` is the stored name of each delivered column."""
        columns = [name for name in stored.values() if name != "user_id"]
        merged = merged_users(
            columns, joindate=stored.get("joindate"), last_modified=stored.get("last_modified")
        )
        into = ", ".join(("user_id", "dump_id", "ordinal", "shown", *columns))
        values = ", ".join(("user_id", "dump_id", "-1", "TRUE", *columns))
        return f"INSERT INTO {self._rows} ({into}) SELECT {values} FROM ({merged})"

    def merged(self) -> str:
        """How many rows of the whole table went into others."""
        return (
            "SELECT count(*) FILTER (WHERE NOT shown) - count(*) FILTER (WHERE ordinal < 0) "
            f"FROM {self._rows}"
        )

    def outcome(self) -> str:
        """Ids whose row is a newer one now, arriving rows that do not stay, rows that became
        duplicates, and users that more than one shown row has.
        """
        return (
            f"SELECT ({_UPDATED}), ({_LOST}), ({_DUPLICATES}), (SELECT count(*) FROM ("
            f"SELECT user_id FROM {self._rows} WHERE shown AND {self._touched} "
            "GROUP BY user_id HAVING count(*) > 1))"
        )


# A row `stays` if it is the newest of its delivered id, and `wins` if no other id became the same
# user: where several stay, `merged_users` makes the row that is shown.
USER_VERDICT = """
WITH crowded AS (
    SELECT user_id FROM touched GROUP BY user_id HAVING count(*) > 1 OR NOT bool_and(shown)
),
placed AS (
    SELECT
        touched.address, touched.user_id, touched.raw_user_id, touched.key_id, touched.dump_id,
        touched.ordinal, touched.shown,
        row_number() OVER (
            PARTITION BY touched.user_id, touched.raw_user_id
            ORDER BY touched.dump_id DESC, touched.ordinal DESC
        ) = 1 AS stays
    FROM touched
    JOIN crowded ON crowded.user_id = touched.user_id
)
SELECT
    address, user_id, raw_user_id, key_id, dump_id, ordinal, shown, stays,
    stays AND sum(CASE WHEN stays THEN 1 ELSE 0 END) OVER (PARTITION BY user_id) = 1 AS wins
FROM placed
"""


def merged_users(
    columns: Sequence[str], *, joindate: str | None = None, last_modified: str | None = None
) -> str:
    """Merge the rows of `companions`, which has `columns` beside user_id (resolved), raw_user_id,
    dump_id and ordinal. `joindate` and `last_modified` are the names of those columns, if there.

    Each column takes the first value that is not null: the resolved user's own row first, then the
    newest dump, then the later row. `joindate` is the earliest instant and `last_modified` the latest;
    of equal ones the first counts. Texts that are not instants come after all others, by text.
    Source: contract.md, "Merged users"; export-format.md, edge cases 44 and 46.
    """
    placed = ["row_number() OVER (PARTITION BY user_id ORDER BY " + _PRECEDENCE + ") AS place"]
    aged: list[str] = []
    orders = dict.fromkeys(columns, "place")
    for column, order, way in (
        (joindate, "joindate_place", "ASC"),
        (last_modified, "last_modified_place", "DESC"),
    ):
        if column is not None:
            at = order.replace("place", "at")
            placed.append(f"{instant(quote(column))} AS {at}")
            aged.append(_aged(quote(column), at, way) + f" AS {order}")
            orders[column] = order
    merged = [
        f"min_by({quote(column)}, {order}) FILTER (WHERE NOT {quote(column)} IS NULL)"
        f" AS {quote(column)}"
        for column, order in orders.items()
    ]
    return (
        f"WITH placed AS (SELECT *, {', '.join(placed)} FROM companions), "
        f"aged AS (SELECT {', '.join(['*', *aged])} FROM placed) "
        f"SELECT {', '.join(['user_id', 'max(dump_id) AS dump_id', *merged])} "
        "FROM aged GROUP BY user_id"
    )


_PRECEDENCE = "CASE WHEN raw_user_id = user_id THEN 0 ELSE 1 END, dump_id DESC, ordinal DESC"


def _aged(column: str, at: str, way: str) -> str:
    """Places by instant, then by text where there is none, then by precedence."""
    text = f"CASE WHEN {at} IS NULL THEN {column} END"
    return (
        f"row_number() OVER (PARTITION BY user_id ORDER BY CASE WHEN {at} IS NULL THEN 1 ELSE 0 END, "
        f"{at} {way}, {text} {way}, place)"
    )


_UPDATED = (
    "SELECT count(*) FROM (SELECT user_id FROM verdict GROUP BY user_id, raw_user_id "
    "HAVING bool_or(stays AND address IS NULL) AND bool_or(NOT address IS NULL))"
)
_LOST = "SELECT count(*) FROM verdict WHERE address IS NULL AND NOT stays"
_DUPLICATES = "SELECT count(*) FROM verdict WHERE NOT stays"
