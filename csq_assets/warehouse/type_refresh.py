"""Decides the types of a table's columns, in the transaction that applies its dumps."""

from collections.abc import Mapping

from duckdb import DuckDBPyConnection

from csq_assets.dataconnect.column_meanings import instant_meaning
from csq_assets.dataconnect.column_types import (
    ColumnHistory,
    ColumnType,
    Decision,
    Pins,
    find_widened,
)
from csq_assets.dataconnect.tables import DUMP_ID, ID_COLUMNS, RAW_USER_ID, TableKind
from csq_assets.warehouse.applied_state import TableState
from csq_assets.warehouse.column_facts import ColumnFacts
from csq_assets.warehouse.engine import insert_rows
from csq_assets.warehouse.typed_views import drop_typed_table, show_typed_table

_ID = Decision(ColumnType.BIGINT, "an id")


def refresh_types(
    connection: DuckDBPyConnection,
    table: str,
    facts: ColumnFacts,
    known: TableState | None,
    state: TableState,
    pins: Pins,
) -> None:
    """Bring `csq_typed.<table>` and its rows of `csq_meta.column_types` to what `facts`, those of every
    dump of the `state`, and `pins` say. Columns that this widens are remembered until a refresh applies
    other dumps than `known` had.
    """
    decided = _decide(table, facts.histories(), state, pins)
    before = read_types(connection, table)
    if before != decided:
        connection.execute("DELETE FROM csq_meta.column_types WHERE table_name = ?", [table])
        rows = [
            (table, name, each.type.value, since, each.reason)
            for name, (each, since) in decided.items()
        ]
        insert_rows(connection, "csq_meta.column_types", rows)
    if known is None or known.contents != state.contents:
        _forget(connection, "widened", table)
        found = find_widened({name: each for name, (each, _) in before.items()}, decided)
        insert_rows(
            connection,
            "csq_ledger.widened",
            [(table, one.column, one.before, one.after, one.since_dump) for one in found],
        )
    _forget(connection, "pins", table)
    insert_rows(connection, "csq_ledger.pins", [(table, name, kind) for name, kind in pins.items()])
    show_typed_table(connection, table, state, {name: each for name, (each, _) in decided.items()})


def forget_types(connection: DuckDBPyConnection, table: str) -> None:
    """Drop `csq_typed.<table>`, and all that was decided."""
    drop_typed_table(connection, table)
    connection.execute("DELETE FROM csq_meta.column_types WHERE table_name = ?", [table])
    for name in ("facts", "pins", "widened"):
        _forget(connection, name, table)


def _decide(
    table: str, histories: Mapping[str, ColumnHistory], state: TableState, pins: Pins
) -> dict[str, tuple[Decision, int]]:
    """Every column of the view, in its order, and the dump from which on it has its type."""
    listed = {column: dump.dump_id for dump in reversed(state.dumps) for column in dump.columns}
    first_dump = state.dumps[0].dump_id
    decided = {
        name: (_ID, listed[column])
        if column in ID_COLUMNS
        else histories.get(column, ColumnHistory()).decide(
            instant_meaning(table, column), pins.get(name), listed[column]
        )
        for column, name in state.columns.items()
    }
    if "user_id" in state.columns and state.kind is not TableKind.USERS:
        decided[RAW_USER_ID] = (_ID, first_dump)
    decided[DUMP_ID] = (_ID, first_dump)
    return decided


def read_types(connection: DuckDBPyConnection, table: str) -> dict[str, tuple[Decision, int]]:
    found = connection.execute(
        "SELECT column_name, type, reason, since_dump FROM csq_meta.column_types "
        "WHERE table_name = ?",
        [table],
    ).fetchall()
    return {
        name: (Decision(ColumnType(kind), reason), since) for name, kind, reason, since in found
    }


def read_pins(connection: DuckDBPyConnection) -> dict[str, dict[str, ColumnType]]:
    """The types that were chosen when each table was last refreshed."""
    chosen: dict[str, dict[str, ColumnType]] = {}
    found = connection.execute(
        "SELECT table_name, column_name, type FROM csq_ledger.pins ORDER BY ALL"
    ).fetchall()
    for table, name, kind in found:
        chosen.setdefault(table, {})[name] = ColumnType(kind)
    return chosen


def _forget(connection: DuckDBPyConnection, name: str, table: str) -> None:
    connection.execute(f"DELETE FROM csq_ledger.{name} WHERE table_name = ?", [table])
