"""Schema `csq_meta`: what analysts may ask about dumps and reports."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from duckdb import DuckDBPyConnection

from csq_assets.dataconnect.plan import DumpStatus
from csq_assets.warehouse.applied_state import read_tables
from csq_assets.warehouse.engine import insert_rows, transaction


class DumpRow(NamedTuple):
    """One table of one dump. `files` counts distinct paths."""

    dump_id: int
    table_name: str
    incremental: bool
    files: int
    rows: int | None
    status: DumpStatus


class ReportRow(NamedTuple):
    """One sync report, by its name. Times are aware; None where the report has none."""

    report: str
    start_time: datetime | None
    finish_time: datetime | None
    status: str | None
    next_sync_at: datetime | None
    error: str | None


def record_dumps(
    connection: DuckDBPyConnection,
    table: str,
    rows: Iterable[DumpRow],
    *,
    before: Mapping[int, str],
    after: Mapping[int, str],
    now: datetime,
) -> None:
    """Make `csq_meta.dumps` say this of the table, in the transaction that applies it.

    `before` and `after` give the content of each applied dump. `applied_at` is `now` for a dump whose
    content was not applied before, or that had none; it is null for one that is not applied.
    """
    known = {*connection.execute("FROM csq_meta.dumps WHERE table_name = ?", [table]).fetchall()}
    times = {row[0]: row[-1] for row in known if before.get(row[0]) == after.get(row[0])}
    wanted = {
        (*row, (times.get(row.dump_id) or _in_utc(now)) if row.dump_id in after else None)
        for row in rows
    }
    if gone := [row[0] for row in known - wanted]:
        connection.execute(
            "DELETE FROM csq_meta.dumps WHERE table_name = ? AND dump_id IN (SELECT unnest(?))",
            [table, gone],
        )
    insert_rows(connection, "csq_meta.dumps", sorted(wanted - known))


def record_unapplied_dumps(connection: DuckDBPyConnection, rows: Iterable[DumpRow]) -> None:
    """Make `csq_meta.dumps` say this of the tables that have no current table, and nothing else of
    such tables. Rows of tables that have one are left out: a refresh records those.
    """
    with transaction(connection):
        applied = read_tables(connection)
        connection.execute(
            "DELETE FROM csq_meta.dumps "
            "WHERE NOT table_name IN (SELECT table_name FROM csq_ledger.tables)"
        )
        others = [(*row, None) for row in rows if row.table_name not in applied]
        insert_rows(connection, "csq_meta.dumps", others)


def record_reports(connection: DuckDBPyConnection, rows: Iterable[ReportRow]) -> None:
    """Make `csq_meta.sync_reports` say this, and no more."""
    values: list[Sequence[object]] = [
        [_in_utc(value) if isinstance(value, datetime) else value for value in row] for row in rows
    ]
    with transaction(connection):
        connection.execute("DELETE FROM csq_meta.sync_reports")
        insert_rows(connection, "csq_meta.sync_reports", values)


def _in_utc(moment: datetime) -> datetime:
    """In UTC, without its zone, as a TIMESTAMP has none."""
    return moment.astimezone(UTC).replace(tzinfo=None)
