"""What has been applied to each table: read before a refresh, written in its transaction."""

from dataclasses import dataclass

from duckdb import DuckDBPyConnection

from csq_assets.dataconnect.tables import TableKind
from csq_assets.warehouse.engine import count, first_row


@dataclass(frozen=True, slots=True)
class AppliedDump:
    """A dump whose rows are in the table, and how many it delivered."""

    dump_id: int
    content: str
    rows: int


@dataclass(frozen=True, slots=True)
class TableState:
    """A table as it stands. `duplicates` and `merged` are rows delivered and not shown."""

    kind: TableKind
    columns: tuple[str, ...]  # the newest applied manifest's
    identity_version: int
    dumps: tuple[AppliedDump, ...]
    duplicates: int = 0
    merged: int = 0
    duplicated_keys: int = 0

    @property
    def rows_delivered(self) -> int:
        return sum(dump.rows for dump in self.dumps)


def read_state(connection: DuckDBPyConnection, table: str) -> TableState | None:
    """The table's state, None where it was never applied."""
    found = first_row(
        connection,
        "SELECT kind, columns, identity_version, duplicates, merged, duplicated_keys "
        "FROM csq_ledger.tables WHERE table_name = ?",
        [table],
    )
    if found is None:
        return None
    kind, columns, identity_version, *counts = found
    dumps = connection.execute(
        "SELECT dump_id, content, rows FROM csq_ledger.dumps WHERE table_name = ? ORDER BY dump_id",
        [table],
    ).fetchall()
    applied = tuple(AppliedDump(*dump) for dump in dumps)
    return TableState(TableKind(kind), tuple(columns), identity_version, applied, *counts)


def write_state(
    connection: DuckDBPyConnection, table: str, known: TableState | None, state: TableState
) -> None:
    """Put the state in the place of `known`, that of the ledger."""
    connection.execute("DELETE FROM csq_ledger.tables WHERE table_name = ?", [table])
    connection.execute(
        "INSERT INTO csq_ledger.tables VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            table,
            state.kind.value,
            list(state.columns),
            state.identity_version,
            state.duplicates,
            state.merged,
            state.duplicated_keys,
        ],
    )
    before = set(known.dumps if known else ())
    for dump in before - set(state.dumps):
        connection.execute(
            "DELETE FROM csq_ledger.dumps WHERE table_name = ? AND dump_id = ?",
            [table, dump.dump_id],
        )
    for dump in set(state.dumps) - before:
        connection.execute(
            "INSERT INTO csq_ledger.dumps VALUES (?, ?, ?, ?)",
            [table, dump.dump_id, dump.content, dump.rows],
        )


def forget_state(connection: DuckDBPyConnection, table: str) -> None:
    for name in ("tables", "dumps", "columns"):
        connection.execute(f"DELETE FROM csq_ledger.{name} WHERE table_name = ?", [table])


def identity_version(connection: DuckDBPyConnection) -> int:
    """Grows by one whenever an id comes to resolve otherwise."""
    return count(connection, "SELECT max(version) FROM csq_ledger.identity")
