"""Schema `csq_meta`: what analysts may ask about dumps and reports."""

from collections.abc import Iterable
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from typing import Any

from duckdb import DuckDBPyConnection

from csq_assets.dataconnect.plan import DumpStatus
from csq_assets.warehouse.engine import insert_rows, transaction


@dataclass(frozen=True, slots=True)
class DumpRow:
    """One table of one dump. `files` counts distinct paths; `applied_at`, aware, is given when it was
    applied just now: None keeps what an earlier row said.
    """

    dump_id: int
    table_name: str
    incremental: bool
    files: int
    rows: int | None
    status: DumpStatus
    applied_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ReportRow:
    """One sync report, by its name. Times are aware; None where the report has none."""

    report: str
    start_time: datetime | None
    finish_time: datetime | None
    status: str | None
    next_sync_at: datetime | None
    error: str | None


def record_dumps(connection: DuckDBPyConnection, rows: Iterable[DumpRow]) -> None:
    """Make `csq_meta.dumps` say this, and no more."""
    known = {
        (row[0], row[1]): row[2]
        for row in connection.execute(
            "SELECT dump_id, table_name, applied_at FROM csq_meta.dumps"
        ).fetchall()
    }
    values = [
        [*astuple(row)[:-1], row.applied_at or known.get((row.dump_id, row.table_name))]
        for row in rows
    ]
    _replace(connection, "dumps", values)


def record_reports(connection: DuckDBPyConnection, rows: Iterable[ReportRow]) -> None:
    """Make `csq_meta.sync_reports` say this, and no more."""
    _replace(connection, "sync_reports", map(astuple, rows))


def _replace(connection: DuckDBPyConnection, table: str, rows: Iterable[Iterable[Any]]) -> None:
    given = [[_plain(value) for value in row] for row in rows]
    with transaction(connection):
        connection.execute(f"DELETE FROM csq_meta.{table}")
        insert_rows(connection, f"csq_meta.{table}", given)


def _plain(value: Any) -> Any:
    """A datetime in UTC, without its zone, as a TIMESTAMP has none."""
    return value.astimezone(UTC).replace(tzinfo=None) if isinstance(value, datetime) else value
