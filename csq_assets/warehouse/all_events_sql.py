"""`csq.all_events`: the defining SELECT over every event table."""

from collections.abc import Iterable
from dataclasses import dataclass

from csq_assets.warehouse.engine import quote, quote_text


@dataclass(frozen=True, slots=True)
class EventTable:
    """An event table's part in `all_events`. `time` is the stored column, if the table has one."""

    table: str
    has_session: bool
    time: str | None


def all_events(tables: Iterable[EventTable]) -> str:
    """The SELECT over `tables`; a column that a table lacks is null."""
    parts = [_part(entry) for entry in tables]
    return " UNION ALL ".join(parts) if parts else no_events()


def no_events() -> str:
    """The same columns, of no table."""
    return (
        "SELECT CAST(NULL AS BIGINT) AS user_id, CAST(NULL AS BIGINT) AS event_id, "
        "CAST(NULL AS BIGINT) AS session_id, CAST(NULL AS VARCHAR) AS time, "
        "CAST(NULL AS VARCHAR) AS event_table_name, CAST(NULL AS BIGINT) AS _dump_id WHERE 1 = 0"
    )


def _part(entry: EventTable) -> str:
    session = "session_id" if entry.has_session else "CAST(NULL AS BIGINT)"
    time = quote(entry.time) if entry.time else "CAST(NULL AS VARCHAR)"
    return (
        f"SELECT user_id, event_id, {session} AS session_id, {time} AS time, "
        f"{quote_text(entry.table)} AS event_table_name, dump_id AS _dump_id "
        f"FROM csq_rows.{quote(entry.table)} WHERE shown"
    )
