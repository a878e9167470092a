"""An export and a lake, for tests of what moves from one to the other."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from csq_assets.dataconnect.check_registry import Finding
from csq_assets.dataconnect.dump_records import TableRecord
from csq_assets.errors import CsqError
from csq_assets.lake.discovery import discover
from csq_assets.lake.export import Export
from csq_assets.lake.locations import Lake, open_export
from csq_assets.pipeline.ingest import Ingested, TableIngest
from csq_assets_tests.builders import Delivery, ExportBuilder
from csq_assets_tests.targets import S3Target

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
DEFINITIONS = "property_definitions"


@dataclass(frozen=True, slots=True, eq=False)
class Attempt:
    """What decoding one table of one dump ended with: an error, or a partition."""

    error: CsqError | None
    ingested: Ingested | None

    @property
    def findings(self) -> tuple[Finding, ...]:
        return self.ingested.findings if self.ingested else ()


@dataclass(slots=True)
class Passes:
    """An export and a lake. Every pass is a new one, and knows only what the lake knows."""

    builder: ExportBuilder
    lake: Lake
    now: datetime = NOON

    @property
    def export(self) -> Export:
        target = self.builder.target
        client = target.client if isinstance(target, S3Target) else None
        return open_export(self.builder.url, self.builder.manifest_prefix, lambda: client)

    def look(self) -> None:
        self.now += timedelta(minutes=1)
        discover(self.export, self.lake.documents)

    def take(self, dump_id: int) -> None:
        """Enter the newest manifest of the dump into the ledger."""
        self.lake.ledger.take([dump_id], self.lake.ledger.fold())

    def ingest(self, dump_id: int, table: str) -> TableIngest:
        manifest, content = self.lake.documents.manifest(dump_id)
        return TableIngest(manifest, content, table, self.export, self.lake, lambda: self.now)

    def attempt(self, dump_id: int, table: str) -> Attempt:
        """Decode a table as its step does, of a dump that was looked at."""
        try:
            publish = partial(self.lake.store.write, table, dump_id)
            return Attempt(None, self.ingest(dump_id, table).write(publish))
        except CsqError as error:
            return Attempt(error, None)

    def decode(self, dump_id: int, table: str) -> Attempt:
        """Look, take the dump, and decode one table of it."""
        self.look()
        self.take(dump_id)
        return self.attempt(dump_id, table)

    def deliver(self, dump_id: int, **tables: Any) -> Delivery:
        """Deliver, and decode all its tables in one pass."""
        delivery = self.builder.deliver(dump_id, **tables)
        self.decode_all(dump_id)
        return delivery

    def decode_all(self, dump_id: int) -> list[Attempt]:
        self.look()
        self.take(dump_id)
        manifest, _ = self.lake.documents.manifest(dump_id)
        listed = [dump.table for dump in manifest.tables]
        if manifest.property_definitions is not None:
            listed.append(DEFINITIONS)
        return [self.attempt(dump_id, table) for table in listed]

    def rows(self, table: str, dump_id: int) -> list[dict[str, Any]]:
        """The partition's rows as delivered, without our own columns."""
        frame = self.lake.store.scan(table, dump_id).collect()
        return frame.drop("_dump_id", "_source_file", "_source_row").to_dicts()

    def record(self, dump_id: int, table: str) -> TableRecord:
        record = self.lake.ledger.records()[dump_id].table(table)
        assert record is not None
        return record

    def findings(self, dump_id: int, table: str) -> dict[str, str]:
        """The checks that failed, as the ledger has them."""
        return {one.check: one.description for one in self.record(dump_id, table).findings}

    def partitions(self) -> set[tuple[str, int]]:
        return set(self.lake.store.partitions())


def only_path(delivery: Delivery, table: str = "users") -> str:
    (path,) = delivery.paths[table]
    return path
