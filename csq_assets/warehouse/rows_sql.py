"""The defining SELECTs: who a row belongs to, which of the rows with one key wins.

They read relations that their callers make, and say nothing of how DuckDB keeps rows. `dump_id` and
`ordinal`, the row's place in its dump, are together the order key: no two rows of a table share it.
"""

from collections.abc import Iterable


def arriving_ids(dump_id: int) -> str:
    """The ids of a dump's rows, users resolved. `delivered` holds them as delivered, and `ordinal`."""
    return f"SELECT {_resolved(dump_id)} {_FROM_DELIVERED}"


def arriving_rows(texts: Iterable[str], dump_id: int) -> str:
    """The rows of a dump that stay, as `verdict` says. `delivered` also holds `texts`."""
    return (
        f"SELECT {', '.join([_resolved(dump_id), _SHOWN, *(f'delivered.{name}' for name in texts)])} "
        f"{_FROM_DELIVERED} "
        f"LEFT JOIN (SELECT ordinal, stays, wins FROM verdict WHERE dump_id = {dump_id:d}) AS judged "
        "ON judged.ordinal = delivered.ordinal WHERE coalesce(judged.stays, TRUE)"
    )


def _resolved(dump_id: int) -> str:
    return (
        "coalesce(identity.user_id, delivered.user_id) AS user_id, "
        "delivered.user_id AS raw_user_id, delivered.event_id, delivered.session_id, "
        f"CAST({dump_id:d} AS BIGINT) AS dump_id, delivered.ordinal"
    )


_SHOWN = "coalesce(judged.wins, TRUE) AS shown"
_FROM_DELIVERED = (
    "FROM delivered LEFT JOIN csq_meta.user_identity AS identity "
    "ON identity.from_user_id = delivered.user_id"
)


_NEWEST_FIRST = "ORDER BY touched.dump_id DESC, touched.ordinal DESC"

# Events and sessions. `touched` holds all rows of every key that the refresh may change: address
# (where the row is stored, null for one that arrives), user_id, raw_user_id, key_id, dump_id,
# ordinal, and shown, as it was. A row `stays` if it is the newest of its key as delivered: one that
# does not, never comes back. It `wins` if it is the newest of its key with users resolved; one that
# only stays comes back when its user is pointed elsewhere. Keys with nothing to decide are left out.
KEY_VERDICT = f"""
WITH crowded AS (
    SELECT user_id, key_id
    FROM touched
    GROUP BY user_id, key_id
    HAVING count(*) > 1 OR NOT bool_and(shown)
)
SELECT
    touched.address, touched.dump_id, touched.ordinal, touched.user_id, touched.raw_user_id,
    touched.key_id, touched.shown,
    row_number() OVER (
        PARTITION BY touched.user_id, touched.key_id, touched.raw_user_id {_NEWEST_FIRST}
    ) = 1 AS stays,
    row_number() OVER (
        PARTITION BY touched.user_id, touched.key_id {_NEWEST_FIRST}
    ) = 1 AS wins
FROM touched
JOIN crowded ON crowded.user_id = touched.user_id AND crowded.key_id = touched.key_id
"""

# Users. `touched` as above, without key_id. A row `stays` if it is the newest of its delivered id,
# and `wins` if no other id became the same user: where several stay, `merged_users` makes the row
# that is shown.
USER_VERDICT = f"""
WITH crowded AS (
    SELECT user_id FROM touched GROUP BY user_id HAVING count(*) > 1 OR NOT bool_and(shown)
),
placed AS (
    SELECT
        touched.address, touched.dump_id, touched.ordinal, touched.user_id, touched.raw_user_id,
        touched.shown,
        row_number() OVER (
            PARTITION BY touched.user_id, touched.raw_user_id {_NEWEST_FIRST}
        ) = 1 AS stays
    FROM touched
    JOIN crowded ON crowded.user_id = touched.user_id
)
SELECT
    address, dump_id, ordinal, user_id, raw_user_id, shown, stays,
    stays AND sum(CASE WHEN stays THEN 1 ELSE 0 END) OVER (PARTITION BY user_id) = 1 AS wins
FROM placed
"""
