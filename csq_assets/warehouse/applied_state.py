"""What has been applied to each table: read before a refresh, written in its transaction."""

from collections.abc import Iterable
from dataclasses import astuple, dataclass
from itertools import chain

from duckdb import DuckDBPyConnection

from csq_assets.dataconnect.tables import ALL_EVENTS, TableKind
from csq_assets.warehouse.columns import shown_names
from csq_assets.warehouse.engine import count, first_row, insert_rows, transaction
from csq_assets.warehouse.publications import forget_publications


@dataclass(frozen=True, slots=True)
class AppliedDump:
    """A dump whose rows are in the table: how many it delivered, and its manifest's columns."""

    dump_id: int
    content: str
    rows: int
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TableState:
    """A table as it stands. `dumps` is in numeric order; `duplicates` and `merged` are rows that were
    delivered and are not shown.
    """

    kind: TableKind
    identity_version: int = 0
    dumps: tuple[AppliedDump, ...] = ()
    duplicates: int = 0
    merged: int = 0
    duplicated_keys: int = 0

    @property
    def columns(self) -> dict[str, str]:
        """The newest manifest's columns, in its order, each with the name under which it is shown."""
        return dict(zip(self.dumps[-1].columns, self.shown(self.dumps[-1].columns), strict=True))

    def shown(self, columns: Iterable[str]) -> list[str]:
        """The names under which these columns of a manifest are shown, or would be."""
        names = shown_names(chain.from_iterable(dump.columns for dump in self.dumps))
        return [names.get(column, column) for column in columns]

    @property
    def contents(self) -> dict[int, str]:
        return {dump.dump_id: dump.content for dump in self.dumps}

    @property
    def rows_delivered(self) -> int:
        return sum(dump.rows for dump in self.dumps)


def read_tables(connection: DuckDBPyConnection) -> list[str]:
    """The tables that were applied."""
    found = connection.execute("SELECT table_name FROM csq_ledger.tables ORDER BY ALL").fetchall()
    return [table for (table,) in found]


def read_dump_ids(connection: DuckDBPyConnection) -> set[int]:
    """Every dump that is in some table."""
    found = connection.execute("SELECT DISTINCT dump_id FROM csq_ledger.dumps").fetchall()
    return {dump_id for (dump_id,) in found}


def read_state(connection: DuckDBPyConnection, table: str) -> TableState | None:
    """The table's state, None where it was never applied."""
    found = first_row(
        connection,
        "SELECT kind, identity_version, duplicates, merged, duplicated_keys "
        "FROM csq_ledger.tables WHERE table_name = ?",
        [table],
    )
    if found is None:
        return None
    kind, identity_version, *counts = found
    dumps = connection.execute(
        "SELECT dump_id, content, rows, columns FROM csq_ledger.dumps WHERE table_name = ? "
        "ORDER BY dump_id",
        [table],
    ).fetchall()
    applied = tuple(
        AppliedDump(dump_id, content, rows, tuple(columns))
        for dump_id, content, rows, columns in dumps
    )
    return TableState(TableKind(kind), identity_version, applied, *counts)


def write_state(
    connection: DuckDBPyConnection, table: str, known: TableState | None, state: TableState
) -> None:
    """Replace `known`, the state as it was recorded."""
    forget_publications(connection, table, ALL_EVENTS)
    connection.execute("DELETE FROM csq_ledger.tables WHERE table_name = ?", [table])
    connection.execute(
        "INSERT INTO csq_ledger.tables VALUES (?, ?, ?, ?, ?, ?)",
        [
            table,
            state.kind.value,
            state.identity_version,
            state.duplicates,
            state.merged,
            state.duplicated_keys,
        ],
    )
    before, after = set(known.dumps if known else ()), set(state.dumps)
    connection.execute(
        "DELETE FROM csq_ledger.dumps WHERE table_name = ? AND dump_id IN (SELECT unnest(?::BIGINT[]))",
        [table, [dump.dump_id for dump in before - after]],
    )
    insert_rows(
        connection, "csq_ledger.dumps", [(table, *astuple(dump)) for dump in after - before]
    )


def forget_state(connection: DuckDBPyConnection, table: str) -> None:
    # The note of the table itself stays: what is published of it is to be removed.
    forget_publications(connection, ALL_EVENTS)
    for name in ("tables", "dumps", "columns"):
        connection.execute(f"DELETE FROM csq_ledger.{name} WHERE table_name = ?", [table])


def identity_version(connection: DuckDBPyConnection) -> int:
    """Grows by one whenever an id resolves to another one than before."""
    return count(connection, "SELECT max(version) FROM csq_ledger.identity")


def lake_identity(connection: DuckDBPyConnection) -> str | None:
    """The identity of the lake that the file was filled from, None where it was not told yet."""
    found = first_row(connection, "SELECT identity FROM csq_ledger.lake")
    return found[0] if found else None


def adopt_lake(connection: DuckDBPyConnection, identity: str) -> None:
    """Remember that the file is filled from this lake."""
    with transaction(connection):
        connection.execute("DELETE FROM csq_ledger.lake")
        connection.execute("INSERT INTO csq_ledger.lake VALUES (?)", [identity])
