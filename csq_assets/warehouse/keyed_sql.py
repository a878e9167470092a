"""Which rows of a key stay, and which one is shown.

`touched` holds the rows to decide over, users resolved; in `users` each has the same `key_id`. A row
`stays` if it is the newest of its key as delivered: one that does not can never be shown again. It
`wins` if it is to be shown; one that only stays is shown again when its user is pointed elsewhere.
Keys with nothing to decide are left out.
"""

_KEY = "PARTITION BY touched.user_id, touched.key_id"
_NEWEST_FIRST = "ORDER BY touched.dump_id DESC, touched.ordinal DESC"


def _verdict(wins: str) -> str:
    return f"""
WITH crowded AS (
    SELECT user_id, key_id
    FROM touched
    GROUP BY user_id, key_id
    HAVING count(*) > 1 OR NOT bool_and(shown)
)
SELECT
    touched.*,
    row_number() OVER ({_KEY}, touched.raw_user_id {_NEWEST_FIRST}) = 1 AS stays,
    {wins} AS wins
FROM touched
JOIN crowded ON crowded.user_id = touched.user_id AND crowded.key_id = touched.key_id
"""


_IS_NEWEST = f"row_number() OVER ({_KEY} {_NEWEST_FIRST}) = 1"
_ONE_ID = f"min(touched.raw_user_id) OVER ({_KEY}) = max(touched.raw_user_id) OVER ({_KEY})"

KEY_VERDICT = _verdict(_IS_NEWEST)
# Where several ids became one user no row wins: `merged_users` makes the one that is shown.
USER_VERDICT = _verdict(f"{_IS_NEWEST} AND {_ONE_ID}")
