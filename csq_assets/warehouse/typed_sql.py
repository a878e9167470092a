"""What the vendor's warehouses have and its S3 export has not, as defining SELECTs.

Sources: docs.contentsquare.com, Data Connect, "Data Schema" (`session_time` is the seconds since the
session began) and "Common Queries" (`date_first_seen` is the start of a user's first session).
"""

from csq_assets.warehouse.fit_sql import timestamp

SEEN_COLUMNS = ("date_first_seen", "date_last_seen")

# Where `sessions` is not delivered, or does not say when they began.
NO_SESSIONS = """
SELECT
    CAST(NULL AS BIGINT) AS user_id, CAST(NULL AS BIGINT) AS session_id,
    CAST(NULL AS TIMESTAMP) AS started
WHERE 1 = 0
"""


def session_starts(time: str) -> str:
    """When each session began, from the stored column `time`."""
    began = f"{timestamp(time)} AS started"
    return f"SELECT user_id, session_id, {began} FROM csq_rows.sessions WHERE shown"


# Grouped, so that DuckDB leaves the sessions alone where nobody asks for `session_time`.
TYPED_EVENTS = f"""
SELECT
    events.user_id, events.event_id, events.session_id, events.time, events.event_table_name,
    events._dump_id, (epoch_us(events.time) - epoch_us(starts.started)) / 1000000 AS session_time
FROM (SELECT * REPLACE ({timestamp("time")} AS time) FROM csq.all_events) AS events
LEFT JOIN (
    SELECT user_id, session_id, min(started) AS started
    FROM csq_ledger.session_starts GROUP BY user_id, session_id
) AS starts ON starts.user_id = events.user_id AND starts.session_id = events.session_id
"""


def seen(users: str, joindate: str | None) -> str:
    """The rows of `users` with the starts of their first and last session. Whoever has none was first
    seen at the stored column `joindate`."""
    joined = timestamp(joindate) if joindate else "CAST(NULL AS TIMESTAMP)"
    first, last = SEEN_COLUMNS
    return (
        f"(SELECT users.*, coalesce(starts.first, {joined}) AS {first}, starts.last AS {last} "
        f"FROM {users} AS users LEFT JOIN (SELECT user_id AS seen_user, min(started) AS first, "
        "max(started) AS last FROM csq_ledger.session_starts GROUP BY user_id) AS starts "
        "ON starts.seen_user = users.user_id)"
    )
