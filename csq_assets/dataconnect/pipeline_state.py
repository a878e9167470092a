"""The state of the pipeline: tables, dumps and checks, as the lake remembers them."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from csq_assets.dataconnect.catalog import Catalog
from csq_assets.dataconnect.check_registry import Finding
from csq_assets.dataconnect.dump_records import DumpRecord, TableRecord
from csq_assets.dataconnect.plan import TablePlan, plans
from csq_assets.dataconnect.tables import PROPERTY_DEFINITIONS


@dataclass(frozen=True, slots=True)
class StandingFinding:
    """A check that did not pass on a table's newest partition."""

    table: str
    dump_id: int
    finding: Finding


@dataclass(frozen=True, slots=True)
class PipelineState:
    """What was seen and what was taken, with the names and plans that follow.

    Tables that are skipped, or whose name is refused, are left out.
    """

    catalog: Catalog
    records: Mapping[int, DumpRecord]
    skips: Callable[[str], bool]

    def plans(self) -> dict[str, TablePlan]:
        """By table, in the order in which tables were first seen."""
        found = plans(self.records.values())
        return {
            table: found[table] for table in self.catalog.names(self.skips).kept if table in found
        }

    def standing_findings(self) -> Iterator[StandingFinding]:
        """The failing checks on the newest partition of each table: a later dump has the last word."""
        for table in self.plans():
            for dump_id, record in self._newest_first(table):
                if record.content is not None:
                    yield from (StandingFinding(table, dump_id, one) for one in record.findings)
                    break

    def failures(self) -> Iterator[tuple[int, TableRecord]]:
        """What must be retried, property definitions included."""
        found = self.plans()
        keeps_definitions = not self.skips(PROPERTY_DEFINITIONS)
        for dump_id, record in self.records.items():
            for table in record.tables:
                failed = table.table in found and dump_id in found[table.table].failed
                lost = table.table == PROPERTY_DEFINITIONS and table.failure is not None
                if failed or (lost and keeps_definitions):
                    yield dump_id, table

    def void_errors(self) -> Iterator[str]:
        """The errors of attempts whose dump has become void."""
        found = self.plans()
        for dump_id, record in self.records.items():
            for table in record.tables:
                is_void = table.table in found and dump_id in found[table.table].void
                if is_void and table.failure is not None:
                    yield table.failure.error

    def _newest_first(self, table: str) -> Iterator[tuple[int, TableRecord]]:
        for dump_id in sorted(self.records, reverse=True):
            record = self.records[dump_id].table(table)
            if record is not None:
                yield dump_id, record
