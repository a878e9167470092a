"""Schema `csq_meta`: what analysts may ask about dumps and reports."""

from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from typing import Any

import polars as pl
from duckdb import DuckDBPyConnection

from csq_assets.dataconnect.plan import DumpStatus
from csq_assets.warehouse.engine import transaction
from csq_assets.warehouse.frames import registered


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


_DUMP_SCHEMA = {
    "dump_id": pl.Int64,
    "table_name": pl.String,
    "incremental": pl.Boolean,
    "files": pl.Int64,
    "rows": pl.Int64,
    "status": pl.String,
    "applied_at": pl.Datetime("us"),
}
_REPORT_SCHEMA = {
    "report": pl.String,
    "start_time": pl.Datetime("us"),
    "finish_time": pl.Datetime("us"),
    "status": pl.String,
    "next_sync_at": pl.Datetime("us"),
    "error": pl.String,
}


def record_dumps(connection: DuckDBPyConnection, rows: Iterable[DumpRow]) -> None:
    """Make `csq_meta.dumps` say this, and no more."""
    with transaction(connection), registered(connection, "given", _frame(rows, _DUMP_SCHEMA)):
        connection.execute("CREATE TEMP TABLE given_dumps AS SELECT * FROM given")
        connection.execute(
            "UPDATE given_dumps SET applied_at = known.applied_at FROM csq_meta.dumps AS known "
            "WHERE given_dumps.applied_at IS NULL AND known.dump_id = given_dumps.dump_id "
            "AND known.table_name = given_dumps.table_name"
        )
        connection.execute("DELETE FROM csq_meta.dumps")
        connection.execute("INSERT INTO csq_meta.dumps SELECT * FROM given_dumps")
        connection.execute("DROP TABLE given_dumps")


def record_reports(connection: DuckDBPyConnection, rows: Iterable[ReportRow]) -> None:
    """Make `csq_meta.sync_reports` say this, and no more."""
    with transaction(connection), registered(connection, "given", _frame(rows, _REPORT_SCHEMA)):
        connection.execute("DELETE FROM csq_meta.sync_reports")
        connection.execute("INSERT INTO csq_meta.sync_reports SELECT * FROM given")


def _frame(rows: Iterable[Any], schema: Mapping[str, Any]) -> pl.DataFrame:
    given = [[_plain(value) for value in astuple(row)] for row in rows]
    return pl.DataFrame(given, schema=dict(schema), orient="row")


def _plain(value: Any) -> Any:
    """A datetime in UTC, without its zone, as a TIMESTAMP has none."""
    return value.astimezone(UTC).replace(tzinfo=None) if isinstance(value, datetime) else value
