"""Judges a current table as it stands, over all its rows, and changes nothing."""

from duckdb import DuckDBPyConnection

from csq_assets.dataconnect.tables import TableKind
from csq_assets.warehouse.audit import TableAudit
from csq_assets.warehouse.engine import count, quote
from csq_assets.warehouse.ledger import read_state

_KEYS = {
    TableKind.USERS: ("user_id",),
    TableKind.SESSIONS: ("user_id", "session_id"),
    TableKind.EVENTS: ("user_id", "event_id"),
}


def judge_table(connection: DuckDBPyConnection, table: str) -> TableAudit:
    """What a refresh that replays the table would say of its keys and rows."""
    state = read_state(connection, table)
    if state is None:
        return TableAudit(table, judged_all=True)
    rows = f"csq_rows.{quote(table)}"
    key = _KEYS.get(state.kind)
    return TableAudit(
        table,
        rows_delivered=state.rows_delivered,
        rows_kept=count(connection, f"SELECT count(*) FROM {rows} WHERE shown"),
        duplicates_total=state.duplicates,
        merged_total=state.merged,
        duplicated_keys=_count_duplicated(connection, rows, key) if key else 0,
        judged_all=True,
    )


def _count_duplicated(connection: DuckDBPyConnection, rows: str, key: tuple[str, ...]) -> int:
    complete = " AND ".join(f"{column} IS NOT NULL" for column in key)
    return count(
        connection,
        f"SELECT count(*) FROM (SELECT user_id FROM {rows} WHERE shown AND {complete} "
        f"GROUP BY {', '.join(key)} HAVING count(*) > 1)",
    )
