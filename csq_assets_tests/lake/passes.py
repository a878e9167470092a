"""An export and a lake, for tests of what goes from the one to the other."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from csq_assets.dataconnect.ledger import TableRecord
from csq_assets.lake.decoding import Decoding, Outcome
from csq_assets.lake.discovery import discover
from csq_assets.lake.export import Export
from csq_assets.lake.locations import Lake, open_export
from csq_assets_tests.builders import Delivery, ExportBuilder
from csq_assets_tests.targets import S3Target

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
DEFINITIONS = "property_definitions"


@dataclass(slots=True)
class Passes:
    """An export and a lake. Every pass is one of its own, and knows what the lake knows alone."""

    builder: ExportBuilder
    lake: Lake
    now: datetime = NOON

    @property
    def export(self) -> Export:
        target = self.builder.target
        client = target.client if isinstance(target, S3Target) else None
        return open_export(self.builder.url, self.builder.manifest_prefix, lambda: client)

    def begin(self) -> Decoding:
        return Decoding(self.export, self.lake, lambda: self.now)

    def look(self) -> None:
        self.now += timedelta(minutes=1)
        discover(self.export, self.lake.documents)

    def decode(self, dump_id: int, table: str) -> Outcome:
        """Look, and decode one table of one dump."""
        self.look()
        outcome = self.begin().decode(dump_id, table)
        assert outcome is not None
        return outcome

    def deliver(self, dump_id: int, **tables: Any) -> Delivery:
        """Deliver, and decode all its tables in one pass."""
        delivery = self.builder.deliver(dump_id, **tables)
        self.take_all(dump_id)
        return delivery

    def take_all(self, dump_id: int) -> list[Outcome]:
        self.look()
        decoding = self.begin()
        manifest = decoding.take(dump_id)
        listed = [dump.table for dump in manifest.tables]
        if manifest.property_definitions is not None:
            listed.append(DEFINITIONS)
        outcomes = [decoding.decode(dump_id, table) for table in listed]
        return [outcome for outcome in outcomes if outcome is not None]

    def rows(self, table: str, dump_id: int) -> list[dict[str, Any]]:
        """The partition's rows as delivered, our own columns left out."""
        frame = self.lake.store.scan(table, dump_id).collect()
        return frame.drop("_dump_id", "_source_file", "_source_row").to_dicts()

    def record(self, dump_id: int, table: str) -> TableRecord:
        dump = self.lake.documents.record(dump_id)
        assert dump is not None
        record = dump.table(table)
        assert record is not None
        return record

    def findings(self, dump_id: int, table: str) -> dict[str, str]:
        """What does not pass, as the ledger has it."""
        return {one.check: one.description for one in self.record(dump_id, table).findings}

    def partitions(self) -> set[tuple[str, int]]:
        return set(self.lake.store.partitions())


def only_path(delivery: Delivery, table: str = "users") -> str:
    (path,) = delivery.paths[table]
    return path
