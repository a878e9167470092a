"""What the DuckDB file lacks, compared with what the lake has, without writing."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
from duckdb import DuckDBPyConnection

from csq_assets.dataconnect.column_types import NO_PINS, NO_TABLE_PINS, Pins, TablePins
from csq_assets.dataconnect.tables import PROPERTY_DEFINITIONS, USER_MIGRATIONS
from csq_assets.warehouse.applied_state import identity_version, lake_identity, read_tables
from csq_assets.warehouse.column_facts import tables_without_facts
from csq_assets.warehouse.connection import open_warehouse
from csq_assets.warehouse.engine import first_row
from csq_assets.warehouse.meta import DumpRow, ReportRow
from csq_assets.warehouse.type_refresh import read_pins


@dataclass(frozen=True, slots=True)
class Applied:
    """What the file has: the content of each dump by table, the tables that have not followed the
    newest identity map, the rows of `csq_meta`, and the identity of the lake that it was filled from.

    `migrations` are the dump and the content that the identity map was made from, None without any.

    `dumps` says of each row whether it has an `applied_at`. `pins` are the types that somebody chose,
    by table; the tables of `without_types` were last refreshed by a version that knew no types. Without
    `has_meta`, the engine keeps no `csq_meta`, and what would be in it is not behind.
    """

    contents: Mapping[str, Mapping[int, str]]
    behind_identity: frozenset[str] = frozenset()
    dumps: frozenset[tuple[DumpRow, bool]] = frozenset()
    reports: frozenset[ReportRow] = frozenset()
    lake: str | None = None
    pins: TablePins = field(default_factory=dict[str, Pins])
    without_types: frozenset[str] = frozenset()
    migrations: tuple[int, str] | None = None
    has_meta: bool = True

    @property
    def dump_ids(self) -> frozenset[int]:
        """Every dump that is in some table."""
        return frozenset(dump_id for dumps in self.contents.values() for dump_id in dumps)

    def stale_tables(
        self, wanted: Mapping[str, Mapping[int, str]], pins: TablePins = NO_TABLE_PINS
    ) -> frozenset[str]:
        """The tables that a refresh would change; `wanted` gives the contents that count, `pins` the
        types that are chosen now."""
        changed = (
            table
            for table in {*wanted, *self.contents}
            if wanted.get(table, {}) != self.contents.get(table, {})
            and (self.has_meta or table != PROPERTY_DEFINITIONS)
        )
        otherwise_pinned = (
            table
            for table in self.contents
            if pins.get(table, NO_PINS) != self.pins.get(table, NO_PINS)
        )
        return frozenset((*changed, *otherwise_pinned)) | self.behind_identity | self.without_types

    def stale_dump_rows(self, rows: Iterable[DumpRow]) -> frozenset[str]:
        """The tables of which `csq_meta.dumps` does not say just this."""
        if not self.has_meta:
            return frozenset()
        wanted = {(row, row.dump_id in self.contents.get(row.table_name, ())) for row in rows}
        return frozenset(row.table_name for row, _ in wanted ^ self.dumps)

    def lacks_reports(self, reports: Iterable[ReportRow]) -> bool:
        """Whether `csq_meta.sync_reports` does not say just this."""
        return self.has_meta and self.reports != frozenset(reports)


def read_applied_file(path: Path, *, wait_seconds: float) -> Applied:
    """Read what is applied in a file, which need not exist.

    Raises BusyError where another process writes it for longer than `wait_seconds`.
    """
    if not path.exists():
        return Applied({})
    with open_warehouse(path, read_only=True, wait_seconds=wait_seconds) as connection:
        return read_applied(connection)


def read_applied(connection: DuckDBPyConnection) -> Applied:
    """Read what is applied; a file that was never written to has nothing."""
    try:
        version, lake = identity_version(connection), lake_identity(connection)
    except duckdb.CatalogException:
        return Applied({})
    contents: dict[str, dict[int, str]] = {}
    for table, dump_id, content in connection.execute(
        "SELECT table_name, dump_id, content FROM csq_ledger.dumps"
    ).fetchall():
        contents.setdefault(table, {})[dump_id] = content
    behind = connection.execute(  # the list that the map is made from does not follow it
        "SELECT table_name FROM csq_ledger.tables WHERE identity_version <> ? AND table_name <> ?",
        [version, USER_MIGRATIONS],
    ).fetchall()
    migrations = first_row(connection, "SELECT dump_id, content FROM csq_ledger.identity")
    dumps = connection.execute("FROM csq_meta.dumps").fetchall()
    reports = connection.execute("FROM csq_meta.sync_reports").fetchall()
    return Applied(
        contents,
        frozenset(table for (table,) in behind),
        frozenset((DumpRow(*row), applied_at is not None) for *row, applied_at in dumps),
        frozenset(ReportRow(*map(_in_utc, row)) for row in reports),
        lake,
        *_read_types(connection),
        (migrations[0], migrations[1]) if migrations and migrations[0] is not None else None,
    )


def _read_types(connection: DuckDBPyConnection) -> tuple[TablePins, frozenset[str]]:
    try:
        return read_pins(connection), tables_without_facts(connection)
    except duckdb.CatalogException:  # an earlier version wrote the file
        return {}, frozenset(read_tables(connection))


def _in_utc(value: Any) -> Any:
    """A TIMESTAMP, which names no zone, as the instant that it is."""
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value
