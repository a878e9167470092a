"""What is to be said of a table's types as they stand. Nothing is changed."""

from collections.abc import Mapping

from duckdb import DuckDBPyConnection

from csq_assets.dataconnect.column_types import PINNED, ColumnType, TypeAudit, Widened
from csq_assets.warehouse.applied_state import read_state
from csq_assets.warehouse.columns import stored_columns
from csq_assets.warehouse.engine import first_row, quote
from csq_assets.warehouse.fit_sql import pinned
from csq_assets.warehouse.type_refresh import read_pins, read_types


def audit_types(connection: DuckDBPyConnection, table: str) -> TypeAudit:
    """What the newest dumps widened, and what does not fit a pinned type: counted over all rows."""
    state = read_state(connection, table)
    if state is None:
        return TypeAudit()
    columns = {name: column for column, name in state.columns.items()}
    stored = stored_columns(connection, table)
    texts = {name: stored[column] for name, column in columns.items() if column in stored}
    pins = read_pins(connection).get(table, {})
    decided = read_types(connection, table)
    found = connection.execute(
        "SELECT column_name, before, after, since_dump FROM csq_ledger.widened "
        "WHERE table_name = ? ORDER BY ALL",
        [table],
    ).fetchall()
    widened = tuple(
        Widened(name, ColumnType(before), ColumnType(after), since_dump)
        for name, before, after, since_dump in found
        if name in texts and name in decided and decided[name][0].reason != PINNED
    )
    return TypeAudit(
        widened,
        _count_unfit(
            connection, table, {name: pins[name] for name in pins if name in texts}, texts
        ),
        tuple(name for name in pins if name not in columns),
    )


def _count_unfit(
    connection: DuckDBPyConnection,
    table: str,
    pins: Mapping[str, ColumnType],
    texts: Mapping[str, str],
) -> dict[str, tuple[ColumnType, int]]:
    if not pins:
        return {}
    counts = first_row(
        connection,
        f"SELECT {', '.join(_unfit(texts[name], kind) for name, kind in pins.items())} "
        f"FROM csq_rows.{quote(table)} WHERE shown",
    )
    return {
        name: (kind, count)
        for (name, kind), count in zip(pins.items(), counts or (), strict=True)
        if count
    }


def _unfit(text: str, kind: ColumnType) -> str:
    return f"count({text}) - count({pinned(text, kind)})"
