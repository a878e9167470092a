"""`csq.all_events`: the defining SELECT over every event table."""

from csq_assets.warehouse.engine import quote, quote_text

# The columns and their types, of no table: the first part of the view.
NO_EVENTS = """
SELECT
    CAST(NULL AS BIGINT) AS user_id, CAST(NULL AS BIGINT) AS event_id,
    CAST(NULL AS BIGINT) AS session_id, CAST(NULL AS VARCHAR) AS time,
    CAST(NULL AS VARCHAR) AS event_table_name, CAST(NULL AS BIGINT) AS _dump_id
WHERE 1 = 0
"""


def events_of(table: str, *, has_session: bool, time: str | None) -> str:
    """A table's part. `time` is the stored column, if the table has one; what it lacks is null."""
    return (
        f"SELECT user_id, event_id, {'session_id' if has_session else 'NULL'}, "
        f"{quote(time) if time else 'NULL'}, {quote_text(table)}, dump_id "
        f"FROM csq_rows.{quote(table)} WHERE shown"
    )
