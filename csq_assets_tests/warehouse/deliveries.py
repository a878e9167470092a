"""Brings deliveries into a warehouse as a sync does, and reads what analysts see."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
from duckdb import DuckDBPyConnection

from csq_assets.dataconnect.audits import IdentityAudit, TableAudit
from csq_assets.dataconnect.dump_records import (
    Content,
    DumpRecord,
    Failure,
    Outcome,
    apply_outcomes,
    take_manifest,
)
from csq_assets.dataconnect.manifest import Manifest, TableDump
from csq_assets.dataconnect.plan import TablePlan, plans
from csq_assets.warehouse.engine import quote
from csq_assets.warehouse.identity_refresh import refresh_identity
from csq_assets.warehouse.meta import DumpRow
from csq_assets.warehouse.partition_files import DumpContent
from csq_assets.warehouse.table_refresh import refresh_table
from csq_assets.warehouse.views import complete_all_events
from csq_assets_tests.model import IDS, Delivered, Delivery, Relation, Row

NOW = datetime(2026, 3, 1, 6, 30, 15, 250_000, tzinfo=UTC)


def delivered(
    columns: Sequence[str] | str,
    *rows: Sequence[Any],
    full_resync: bool = False,
) -> Delivered:
    """A table, its rows as values in the order of the columns (a text of names is split)."""
    names = tuple(columns.split() if isinstance(columns, str) else columns)
    as_rows = tuple(dict(zip(names, row, strict=True)) for row in rows)
    return Delivered(names, as_rows, incremental=not full_resync)


def failed(columns: Sequence[str] | str, *, full_resync: bool = False) -> Delivered:
    """A table whose files cannot be decoded."""
    names = tuple(columns.split() if isinstance(columns, str) else columns)
    return Delivered(names, None, incremental=not full_resync)


def content(dump_id: int, table: Delivered) -> DumpContent:
    """The partition, as the lake gives it."""
    frame = partition(dump_id, table.columns, table.rows or ())
    fingerprint = hashlib.sha256(repr(table).encode()).hexdigest()
    return DumpContent(dump_id, fingerprint, lambda: table.columns, lambda: as_file(frame))


@contextmanager
def as_file(frame: pl.DataFrame) -> Iterator[Path]:
    """The frame as Parquet, written as the lake writes partitions."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "data.parquet")
        frame.write_parquet(path, compression="zstd", compression_level=1)
        yield path


def partition(dump_id: int, columns: Iterable[str], rows: Sequence[Row]) -> pl.DataFrame:
    """Rows with the columns of contract 4: the manifest's, others that rows have, our own."""
    names = list(dict.fromkeys((*columns, *(name for row in rows for name in row))))
    values: dict[str, list[Any]] = {name: [row.get(name) for row in rows] for name in names}
    values["_dump_id"] = [dump_id] * len(rows)
    values["_source_file"] = ["s3://customer/x.avro"] * len(rows)
    values["_source_row"] = list(range(len(rows)))
    numbers = (*IDS, "_dump_id", "_source_row")
    schema = {name: pl.Int64 if name in numbers else pl.String for name in values}
    return pl.DataFrame(values, schema=schema)


def refresh(
    connection: DuckDBPyConnection,
    table: str,
    dumps: Sequence[DumpContent],
    *,
    dump_rows: Sequence[DumpRow] = (),
    now: datetime = NOW,
    rebuild: bool = False,
) -> TableAudit:
    """Refresh one table, where it does not matter what `csq_meta.dumps` says."""
    try:
        return refresh_table(
            connection, table, dumps, dump_rows=dump_rows, now=now, rebuild=rebuild
        )
    finally:
        complete_all_events(connection)  # as the end of a writing connection


class Platform:
    """Deliveries on their way into one warehouse, as a sync takes them."""

    def __init__(self, connection: DuckDBPyConnection) -> None:
        self.connection = connection
        self.deliveries: list[Delivery] = []
        self._records: dict[int, DumpRecord] = {}
        self._partitions: dict[tuple[str, int], DumpContent] = {}
        self._tables: dict[str, None] = {}  # ever listed

    def deliver(
        self, dump_id: int, tables: dict[str, Delivered] | None = None, **more: Delivered
    ) -> "Platform":
        """Take a manifest, and decode what it lists."""
        listed = {**(tables or {}), **more}
        self.deliveries.append(Delivery(dump_id, listed))
        self._tables |= dict.fromkeys(listed)
        manifest = Manifest(
            dump_id,
            tuple(
                TableDump(dump_id, table, new.incremental, new.columns, files=())
                for table, new in listed.items()
            ),
        )
        outcomes: list[Outcome] = []
        for table, new in listed.items():
            if new.rows is None:
                failure = Failure("", "its files cannot be decoded", NOW)
                outcomes.append(Outcome(dump_id, table, "", failure=failure))
            else:
                partition = self._partitions[table, dump_id] = content(dump_id, new)
                written = Content("", new.incremental, 1, len(new.rows), partition.content)
                outcomes.append(Outcome(dump_id, table, "", content=written))
        taken = take_manifest(manifest, "", self._records.get(dump_id))
        record = apply_outcomes(taken, outcomes, lambda: (manifest, ""))
        assert record is not None
        self._records[dump_id] = record
        return self

    def in_force(self, table: str) -> list[DumpContent]:
        plan = plans(self._records.values()).get(table, TablePlan())
        return [self._partitions[table, dump_id] for dump_id in plan.apply]

    def sync(self, *, rebuild: bool = False) -> dict[str, TableAudit]:
        """Refresh the identity map, then every table that was ever listed."""
        self.sync_identity(rebuild=rebuild)
        return {table: self.sync_table(table, rebuild=rebuild) for table in self._tables}

    def sync_identity(self, *, rebuild: bool = False) -> IdentityAudit:
        migrations = self.in_force("user_migrations")
        newest = migrations[-1] if migrations else None
        return refresh_identity(self.connection, newest, rebuild=rebuild)

    def sync_table(self, table: str, *, rebuild: bool = False) -> TableAudit:
        return refresh(self.connection, table, self.in_force(table), rebuild=rebuild)

    def rows(self, table: str) -> list[Row]:
        """The table's rows, in the order of all their values."""
        found = relation(self.connection, table)
        ordered = sorted(found.rows.elements(), key=repr)
        return [dict(zip(found.columns, row, strict=True)) for row in ordered]


def relation(connection: DuckDBPyConnection, table: str, schema: str = "csq") -> Relation:
    """A table as analysts see it."""
    result = connection.execute(f"FROM {schema}.{quote(table)}")
    columns = tuple(name for name, *_ in result.description or ())
    return Relation(columns, Counter(result.fetchall()))


def relations(connection: DuckDBPyConnection) -> dict[str, Relation]:
    """Every relation of schema `csq`, without `all_events`."""
    names = connection.execute(
        "SELECT table_name FROM information_schema.tables "
        "WHERE table_schema = 'csq' AND table_name <> 'all_events'"
    ).fetchall()
    return {name: relation(connection, name) for (name,) in names}
