"""What analysts see: a view for each table, and `csq.all_events`."""

from collections.abc import Mapping

from duckdb import DuckDBPyConnection

from csq_assets.dataconnect.tables import DUMP_ID, ID_COLUMNS, RAW_USER_ID, TableKind
from csq_assets.warehouse.all_events_sql import NO_EVENTS, events_of
from csq_assets.warehouse.applied_state import TableState
from csq_assets.warehouse.columns import stored_columns
from csq_assets.warehouse.engine import first_row, insert_rows, quote, transaction


def show_table(connection: DuckDBPyConnection, table: str, state: TableState) -> None:
    """Define `csq.<table>`: the newest manifest's columns in its order, then our own."""
    stored = stored_columns(connection, table)
    shown = [
        f"{_stored(column, stored)} AS {quote(name)}" for column, name in state.columns.items()
    ]
    if "user_id" in state.columns and state.kind is not TableKind.USERS:
        shown.append(f"raw_user_id AS {quote(RAW_USER_ID)}")
    shown.append(f"dump_id AS {quote(DUMP_ID)}")
    connection.execute(
        f"CREATE OR REPLACE VIEW csq.{quote(table)} AS SELECT {', '.join(shown)} "
        f"FROM csq_rows.{quote(table)} WHERE shown"
    )


def complete_all_events(connection: DuckDBPyConnection) -> None:
    """Define `csq.all_events` again where an event table is not in it yet.

    Not with each new table: DuckDB looks at all tables each time, so 300 take minutes.
    """
    missing = first_row(
        connection,
        "SELECT table_name FROM csq_ledger.tables WHERE kind = ? "
        "EXCEPT SELECT table_name FROM csq_ledger.all_events",
        [TableKind.EVENTS.value],
    )
    if missing:
        with transaction(connection):
            show_all_events(connection)


def show_all_events(connection: DuckDBPyConnection) -> None:
    """Define `csq.all_events` over the event tables that are applied."""
    found = connection.execute(
        "SELECT table_name, arg_max(dumps.columns, dump_id), any_value(time.stored) "
        "FROM csq_ledger.tables JOIN csq_ledger.dumps USING (table_name) LEFT JOIN "
        "(SELECT table_name, stored FROM csq_ledger.columns WHERE delivered = 'time') AS time "
        "USING (table_name) WHERE kind = ? GROUP BY table_name ORDER BY table_name",
        [TableKind.EVENTS.value],
    ).fetchall()
    parts = [
        events_of(
            table, has_session="session_id" in columns, time=time if "time" in columns else None
        )
        for table, columns, time in found
    ]
    view = " UNION ALL ".join([NO_EVENTS, *parts])
    connection.execute(f"CREATE OR REPLACE VIEW csq.all_events AS {view}")
    connection.execute("DELETE FROM csq_ledger.all_events")
    insert_rows(connection, "csq_ledger.all_events", [(table,) for table, *_ in found])


def _stored(column: str, stored: Mapping[str, str]) -> str:
    if column in stored:
        return stored[column]
    return f"CAST(NULL AS {'BIGINT' if column in ID_COLUMNS else 'VARCHAR'})"
