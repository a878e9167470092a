"""What was taken of an export, and what became of it: one record for each dump."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

from csq_assets.dataconnect.check_registry import Finding
from csq_assets.dataconnect.manifest import Manifest
from csq_assets.dataconnect.tables import PROPERTY_DEFINITIONS


@dataclass(frozen=True, slots=True)
class Content:
    """The partition in the lake. `manifest` is the SHA-256 of the manifest that it follows.

    `digest` is the SHA-256 of its file: it changes when a repaired file brings other rows.
    """

    manifest: str
    incremental: bool
    files: int
    rows: int
    digest: str
    forgotten: int = 0  # rows of users who were forgotten, beside `rows`


@dataclass(frozen=True, slots=True)
class Failure:
    """The newest attempt, where it failed. `file` is the file at fault, `file_state` its state then."""

    manifest: str
    error: str
    at: datetime
    file: str | None = None
    file_state: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one attempt to decode a table of a dump ended with: `content`, or `failure`.

    With neither, only the findings on the existing partition are new: `findings` are those that did
    not pass. `manifest` is the SHA-256 of the manifest that was followed. `erased` is the partition
    once rows of forgotten users were taken out of it, which is no attempt.
    """

    dump_id: int
    table: str
    manifest: str
    content: Content | None = None
    failure: Failure | None = None
    lost: bool = False  # it failed, and the earlier partition is gone from the lake
    findings: tuple[Finding, ...] = ()
    erased: Content | None = None

    @property
    def is_attempt(self) -> bool:
        return self.content is not None or self.failure is not None


@dataclass(frozen=True, slots=True)
class TableRecord:
    """One table of one dump: what the manifest says of it, and what became of it."""

    table: str
    incremental: bool
    files: int
    content: Content | None = None
    failure: Failure | None = None
    findings: tuple[Finding, ...] = ()  # on the content; only those that did not pass

    @property
    def is_tried(self) -> bool:
        return self.content is not None or self.failure is not None

    def follows(self, manifest: str) -> bool:
        """Whether the newest attempt is one at this manifest."""
        attempt = self.failure or self.content
        return attempt is not None and attempt.manifest == manifest

    def after(self, outcome: Outcome) -> "TableRecord":
        """The record once the outcome is known. A failed redelivery leaves the earlier content."""
        if outcome.failure is not None:
            kept = replace(self, content=None, findings=()) if outcome.lost else self
            return replace(kept, failure=outcome.failure)
        if outcome.erased is not None:
            return replace(self, content=outcome.erased)
        content = outcome.content or self.content
        failure = None if outcome.content else self.failure
        return replace(self, content=content, failure=failure, findings=outcome.findings)


@dataclass(frozen=True)  # without slots: it keeps an index
class DumpRecord:
    """One dump that was taken. `manifest` is the SHA-256 of its manifest.

    The file of property definitions is among the tables, under its reserved name.
    """

    dump_id: int
    manifest: str
    tables: tuple[TableRecord, ...] = ()

    def table(self, name: str) -> TableRecord | None:
        return self._by_name.get(name)

    @cached_property
    def _by_name(self) -> dict[str, TableRecord]:
        # Every pass looks up each table in each dump: without an index that takes seconds.
        return {record.table: record for record in self.tables}


def take_manifest(manifest: Manifest, content: str, known: DumpRecord | None) -> DumpRecord:
    """The record of the dump under this manifest. Content of an earlier delivery stays in effect for
    the tables that are still listed, until they are decoded again; other tables leave the dump.

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


def apply_outcomes(
    record: DumpRecord | None,
    outcomes: Iterable[Outcome],
    find_manifest: Callable[[], tuple[Manifest, str]],
) -> DumpRecord | None:
    """The record of a dump after these outcomes, oldest first.

    An outcome of another manifest than the record's takes the newest one, which `find_manifest`
    gives with its SHA-256: a person may decode a dump that was not taken yet. Outcomes of tables
    that the dump no longer lists are ignored.
    """
    for outcome in outcomes:
        if outcome.is_attempt and (record is None or outcome.manifest != record.manifest):
            record = take_manifest(*find_manifest(), record)
        if record is not None and (table := record.table(outcome.table)) is not None:
            after = table.after(outcome)
            tables = tuple(after if old is table else old for old in record.tables)
            record = replace(record, tables=tables)
    return record
