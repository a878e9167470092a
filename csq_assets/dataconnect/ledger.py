"""What was taken, and what came of it: one record for each dump."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

from csq_assets.dataconnect.findings import Finding
from csq_assets.dataconnect.manifest import Manifest
from csq_assets.dataconnect.plan import TableDumpState, TablePlan, plan_table
from csq_assets.dataconnect.tables import PROPERTY_DEFINITIONS, USER_MIGRATIONS


@dataclass(frozen=True, slots=True)
class Content:
    """The partition in the lake. `manifest` is the SHA-256 of the manifest that it follows, `digest`
    that of its file: it changes when a file that was repaired in place brings other rows."""

    manifest: str
    incremental: bool
    files: int
    rows: int
    digest: str


@dataclass(frozen=True, slots=True)
class Failure:
    """The newest try, where it failed. `file` is the one at fault, `file_state` what it was then."""

    manifest: str
    error: str
    at: datetime
    file: str | None = None
    file_state: str | None = None


@dataclass(frozen=True, slots=True)
class TableRecord:
    """One table of one dump: what the manifest says of it, and what came of it."""

    table: str
    incremental: bool
    files: int
    content: Content | None = None
    failure: Failure | None = None
    findings: tuple[Finding, ...] = ()  # on the content; only those that did not pass

    def state(self, dump_id: int) -> TableDumpState | None:
        """Its part in the table's plan; None while it was not tried.

        `user_migrations` is complete each time, whatever its manifest says (edge case 61).
        """
        if self.content is None and self.failure is None:
            return None
        incremental = self.content.incremental if self.content else self.incremental
        return TableDumpState(
            dump_id=dump_id,
            incremental=incremental and self.table != USER_MIGRATIONS,
            has_content=self.content is not None,
            failed=self.failure is not None,
        )


@dataclass(frozen=True)  # without slots: it keeps an index
class DumpRecord:
    """One dump that was taken. `manifest` is the SHA-256 of its manifest.

    The file of property definitions stands among the tables, under its reserved name.
    """

    dump_id: int
    manifest: str
    tables: tuple[TableRecord, ...] = ()

    def table(self, name: str) -> TableRecord | None:
        return self._by_name.get(name)

    @cached_property
    def _by_name(self) -> dict[str, TableRecord]:
        # Each table is looked up in each dump: without it, a pass over many takes seconds.
        return {record.table: record for record in self.tables}

    def with_table(self, record: TableRecord) -> "DumpRecord":
        """The dump with this record in the place of the table's earlier one."""
        tables = tuple(record if old.table == record.table else old for old in self.tables)
        return replace(self, tables=tables)


def take_manifest(manifest: Manifest, content: str, known: DumpRecord | None) -> DumpRecord:
    """The dump's record under this manifest. What an earlier delivery brought for the tables that
    are still listed stays in force until they are decoded again; other tables leave the dump.

    Source: contract.md, "Which dumps count"; export-format.md, edge cases 6 and 7.
    """
    listed = [(dump.table, dump.incremental, len(dump.files)) for dump in manifest.tables]
    if manifest.property_definitions is not None:
        listed = [entry for entry in listed if entry[0] != PROPERTY_DEFINITIONS]
        listed.append((PROPERTY_DEFINITIONS, False, 1))
    earlier = {record.table: record for record in known.tables} if known else {}
    tables = []
    for table, incremental, files in listed:
        record = earlier.get(table) or TableRecord(table, incremental, files)
        tables.append(replace(record, incremental=incremental, files=files))
    return DumpRecord(manifest.dump_id, content, tuple(tables))


def plans(records: Iterable[DumpRecord]) -> Mapping[str, TablePlan]:
    """The plan of each table, from every dump that was tried.

    Property definitions have none: those of one dump say nothing of another's.
    """
    states: dict[str, list[TableDumpState]] = {}
    for dump in records:
        for record in dump.tables:
            state = record.state(dump.dump_id)
            if state is not None and record.table != PROPERTY_DEFINITIONS:
                states.setdefault(record.table, []).append(state)
    return {table: plan_table(dumps) for table, dumps in states.items()}
