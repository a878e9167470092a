"""What the DuckDB file lacks: compared with what the lake has, without writing."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import duckdb
from duckdb import DuckDBPyConnection

from csq_assets.dataconnect.tables import USER_MIGRATIONS
from csq_assets.warehouse.ledger import identity_version
from csq_assets.warehouse.meta import DumpRow, ReportRow


@dataclass(frozen=True, slots=True)
class Applied:
    """What the file has: the content of each dump by table, which tables lag in identity, and what
    `csq_meta` tells. `applied_at` is left out of `dumps`."""

    contents: Mapping[str, Mapping[int, str]]
    behind_identity: frozenset[str] = frozenset()
    dumps: frozenset[DumpRow] = frozenset()
    reports: frozenset[ReportRow] = frozenset()
    timed: frozenset[tuple[str, int]] = frozenset()  # table and dump, where `applied_at` is set

    def stale_tables(self, wanted: Mapping[str, Mapping[int, str]]) -> frozenset[str]:
        """The tables that a refresh would change; `wanted` gives the contents in force."""
        changed = (
            table
            for table in {*wanted, *self.contents}
            if _counting(table, wanted.get(table, {})) != self.contents.get(table, {})
        )
        return frozenset(changed) | self.behind_identity

    def tells(self, dumps: Collection[DumpRow], reports: Collection[ReportRow]) -> bool:
        """Whether `csq_meta` says just this of dumps and reports."""
        wanted = frozenset(replace(row, applied_at=None) for row in dumps)
        return self.dumps == wanted and self.reports == frozenset(reports)


def read_applied(connection: DuckDBPyConnection) -> Applied:
    """Read the ledger; a file without one has nothing applied."""
    try:
        version = identity_version(connection)
    except duckdb.CatalogException:
        return Applied({})
    contents: dict[str, dict[int, str]] = {}
    for table, dump_id, content in connection.execute(
        "SELECT table_name, dump_id, content FROM csq_ledger.dumps"
    ).fetchall():
        contents.setdefault(table, {})[dump_id] = content
    behind = connection.execute(
        "SELECT table_name FROM csq_ledger.tables WHERE identity_version <> ?", [version]
    ).fetchall()
    dumps = connection.execute(
        "SELECT dump_id, table_name, incremental, files, rows, status, applied_at "
        "FROM csq_meta.dumps"
    ).fetchall()
    reports = connection.execute(
        "SELECT report, start_time, finish_time, status, next_sync_at, error "
        "FROM csq_meta.sync_reports"
    ).fetchall()
    return Applied(
        contents,
        frozenset(table for (table,) in behind),
        frozenset(DumpRow(*row) for *row, _ in dumps),
        frozenset(ReportRow(*map(_in_utc, row)) for row in reports),
        frozenset((row[1], row[0]) for *row, applied_at in dumps if applied_at is not None),
    )


def _in_utc(value: Any) -> Any:
    """A TIMESTAMP, which names no zone, as the instant that it is."""
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value


def _counting(table: str, contents: Mapping[int, str]) -> Mapping[int, str]:
    """Of `user_migrations` the newest dump alone is applied."""
    if table != USER_MIGRATIONS or not contents:
        return contents
    newest = max(contents)
    return {newest: contents[newest]}
