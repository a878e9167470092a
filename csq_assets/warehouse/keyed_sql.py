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


def outcome(*, merges: bool) -> str:
    """What became of the rows of `verdict`: keys whose row is a newer one, rows that arrived and are
    neither shown nor merged, and duplicates that are dropped, less those that are none any more. A row
    that arrives has no `address`. Where users are merged, rows that are not shown count.
    """
    key, kept, was = "user_id, key_id", "wins", "shown"
    if merges:
        key, kept, was = "user_id, raw_user_id", "stays", "TRUE"
    updated = (
        f"SELECT count(*) FROM (SELECT user_id FROM verdict GROUP BY {key} HAVING "
        f"bool_or({kept} AND address IS NULL) AND bool_or({was} AND NOT address IS NULL)) AS renewed"
    )
    # A row that was a duplicate before is one no more, or is counted once.
    duplicates = f"count(*) FILTER (WHERE NOT {kept}) - count(*) FILTER (WHERE NOT {was})"
    return (
        f"SELECT ({updated}) AS updated, count(*) FILTER (WHERE address IS NULL AND NOT {kept}) "
        f"AS lost, {duplicates} AS duplicates FROM verdict"
    )
