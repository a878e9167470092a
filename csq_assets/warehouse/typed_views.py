"""Schema `csq_typed`: the views of schema `csq` with types, and what the vendor's warehouses add."""

from collections.abc import Mapping
from hashlib import sha256

from duckdb import DuckDBPyConnection

from csq_assets.dataconnect.column_meanings import instant_meaning
from csq_assets.dataconnect.column_types import PINNED, Decision
from csq_assets.dataconnect.tables import (
    DUMP_ID,
    ID_COLUMNS,
    RAW_USER_ID,
    SESSIONS,
    TableKind,
)
from csq_assets.warehouse.applied_state import TableState
from csq_assets.warehouse.columns import stored_columns
from csq_assets.warehouse.engine import first_row, quote
from csq_assets.warehouse.fit_sql import pinned, typed
from csq_assets.warehouse.typed_sql import NO_SESSIONS, SEEN_COLUMNS, seen, session_starts


def show_typed_table(
    connection: DuckDBPyConnection,
    table: str,
    state: TableState,
    decisions: Mapping[str, Decision],
) -> None:
    """Define `csq_typed.<table>`: the columns of `csq.<table>`, each as its decision says. `users` also
    has when each was first and last seen. Done only where it is not so already.
    """
    stored = stored_columns(connection, table)
    shown = {
        name: _value(table, column, stored.get(column), decisions[name])
        for column, name in state.columns.items()
    }
    if "user_id" in state.columns and state.kind is not TableKind.USERS:
        shown[RAW_USER_ID] = "raw_user_id"
    shown[DUMP_ID] = "dump_id"
    rows = f"csq_rows.{quote(table)}"
    if state.kind is TableKind.USERS:
        taken = {name.lower() for name in shown}
        shown |= {name: name for name in SEEN_COLUMNS if name not in taken}
        rows = seen(rows, stored.get("joindate"))
    columns = ", ".join(f"{value} AS {quote(name)}" for name, value in shown.items())
    _define(connection, table, f"SELECT {columns} FROM {rows} WHERE shown")
    if state.kind is TableKind.SESSIONS:
        _show_session_starts(connection, stored.get("time") if "time" in state.columns else None)


def drop_typed_table(connection: DuckDBPyConnection, table: str) -> None:
    connection.execute(f"DROP VIEW IF EXISTS csq_typed.{quote(table)}")
    connection.execute("DELETE FROM csq_ledger.typed WHERE table_name = ?", [table])
    if table == SESSIONS:
        connection.execute(f"CREATE OR REPLACE VIEW csq_ledger.session_starts AS {NO_SESSIONS}")


def typed_value(table: str, column: str, text: str, decision: Decision) -> str:
    """The stored text as its decision has it."""
    if decision.reason == PINNED:
        return pinned(text, decision.type)
    return typed(text, decision.type, instant_meaning(table, column))


def _value(table: str, column: str, stored: str | None, decision: Decision) -> str:
    if stored is None:
        return f"CAST(NULL AS {decision.type})"
    return stored if column in ID_COLUMNS else typed_value(table, column, stored, decision)


def _define(connection: DuckDBPyConnection, table: str, definition: str) -> None:
    """Define the view unless it is this one: a wide one takes DuckDB long."""
    digest = sha256(definition.encode()).hexdigest()
    found = first_row(
        connection, "SELECT definition FROM csq_ledger.typed WHERE table_name = ?", [table]
    )
    if found != (digest,):
        connection.execute(f"CREATE OR REPLACE VIEW csq_typed.{quote(table)} AS {definition}")
        connection.execute("DELETE FROM csq_ledger.typed WHERE table_name = ?", [table])
        connection.execute("INSERT INTO csq_ledger.typed VALUES (?, ?)", [table, digest])


def _show_session_starts(connection: DuckDBPyConnection, time: str | None) -> None:
    view = session_starts(time) if time else NO_SESSIONS
    connection.execute(f"CREATE OR REPLACE VIEW csq_ledger.session_starts AS {view}")
