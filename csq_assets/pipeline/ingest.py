"""One table of one dump on its way into the lake: decoded while it is written, then checked."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

import polars as pl

from csq_assets.dataconnect.check_registry import Finding, failing
from csq_assets.dataconnect.column_rules import ColumnRules
from csq_assets.dataconnect.delivered_json import MAX_BYTES
from csq_assets.dataconnect.dump_records import Content, Failure, Outcome
from csq_assets.dataconnect.manifest import Manifest, TableDump
from csq_assets.dataconnect.property_definitions import read_property_definitions
from csq_assets.dataconnect.raw_table import RawPartition, write_partition
from csq_assets.dataconnect.redaction import Redaction
from csq_assets.dataconnect.tables import PROPERTY_DEFINITIONS
from csq_assets.errors import CsqError, StorageError
from csq_assets.interruption import raise_if_interrupted
from csq_assets.lake.export import Export
from csq_assets.lake.locations import Lake
from csq_assets.lake.partition_facts import Origin, PartitionFacts, evaluate_partition, footer_of
from csq_assets.lake.store import Rows, Written
from csq_assets.pipeline.progress import Progress

Publish = Callable[[Rows], Written]


@dataclass(frozen=True, slots=True, eq=False)
class Ingested:
    """A partition that was published, and what the checks found on it."""

    written: Written
    schema: pl.Schema
    rows: int
    files: int
    bytes_read: int
    facts: PartitionFacts | None = None  # None for property definitions, which have no checks
    findings: tuple[Finding, ...] = ()
    next_dump_id: int | None = None  # the table's next dump, where it was decoded before this one
    next_findings: tuple[Finding, ...] = ()
    not_evaluated: StorageError | None = None  # why a check could not be evaluated

    @property
    def avro_types(self) -> Mapping[str, tuple[str, ...]]:
        """The Avro types of each column of the files."""
        columns = self.facts.schema.file_columns if self.facts else None
        return {column.name: column.types for column in columns or ()}


@dataclass(slots=True, eq=False)
class TableIngest:
    """The streamed partition of a raw asset: the step yields it, and the IO manager writes it.

    `content` is the SHA-256 of the manifest, `rules` say which columns to drop or hash. `ingested` is
    set by `write`.
    """

    manifest: Manifest
    content: str
    table: str
    export: Export
    lake: Lake
    now: Callable[[], datetime]
    rules: ColumnRules = field(default_factory=ColumnRules)
    ingested: Ingested | None = field(default=None, init=False)
    _partition: RawPartition | None = field(default=None, init=False)

    @property
    def dump_id(self) -> int:
        return self.manifest.dump_id

    @property
    def table_dump(self) -> TableDump | None:
        """The table as the dump lists it; property definitions have no such entry."""
        return None if self.table == PROPERTY_DEFINITIONS else self.manifest.table(self.table)

    @property
    def is_listed(self) -> bool:
        """Whether the dump brings this table at all."""
        if self.table == PROPERTY_DEFINITIONS:
            return self.manifest.property_definitions is not None
        return self.table_dump is not None

    @property
    def progress(self) -> Progress | None:
        """How far `write`, in another thread, is; None where it has not begun to decode."""
        if (partition := self._partition) is None:
            return None
        files, totals = len(partition.dump.files), partition.totals
        return Progress(self.dump_id, self.table, totals.files, files, totals.rows)

    def write(self, publish: Publish) -> Ingested:
        """Decode the dump's files into `publish`, which writes all rows or none; evaluate the checks;
        add the outcome to the ledger.

        `publish` is called again where a later file brings a column that the first file lacks.
        Raises CsqError where the delivery or a storage is at fault. Then the partition is unchanged,
        and the ledger has the failure. Raises Interrupted where it was; then nothing has changed.
        """
        dump = self.table_dump
        try:
            ingested = self._decode(dump, publish) if dump else self._keep_definitions(publish)
        except Exception as error:
            raise_if_interrupted()  # whatever failed did so because of it
            self._add_failure(error)
            raise
        self.ingested = self._evaluate(ingested)
        origin, digest = self._origin, ingested.written.digest
        forgotten = ingested.facts.totals.forgotten if ingested.facts else 0
        content = Content(
            origin.manifest, origin.incremental, origin.files, ingested.rows, digest, forgotten
        )
        # The partition's own outcome is last: after a kill in between, all of it is done again.
        if self.ingested.next_dump_id is not None:
            self._add(self.ingested.next_dump_id, findings=failing(self.ingested.next_findings))
        self._add(self.dump_id, content=content, findings=failing(self.ingested.findings))
        return self.ingested

    @property
    def _origin(self) -> Origin:
        if (dump := self.table_dump) is None:
            return Origin(self.content, incremental=False, files=1)
        return Origin(self.content, dump.incremental, len(dump.files))

    def _decode(self, dump: TableDump, publish: Publish) -> Ingested:
        def write(partition: RawPartition) -> Ingested:
            self._partition = partition

            def footer() -> dict[str, str]:
                return footer_of(partition.raw_schema, partition.totals, self._origin)

            rows = Rows(partition.schema, partition.frames(), footer)
            written, totals = publish(rows), partition.totals
            return Ingested(
                written,
                partition.schema,
                rows=totals.rows,
                files=totals.files,
                bytes_read=totals.bytes_read,
                facts=PartitionFacts(partition.raw_schema, totals),
            )

        return write_partition(
            dump,
            self.export.open_file,
            write,
            # Read for each partition anew: what was forgotten a moment ago must not come in again.
            redaction=Redaction(self.lake.documents.tombstones(), self.rules),
            workers=os.cpu_count() or 1,
            ahead=self.export.objects.at_once,
        )

    def _keep_definitions(self, publish: Publish) -> Ingested:
        path = self.manifest.property_definitions or ""
        with self.export.open_file(path) as file:
            body = file.read(MAX_BYTES + 1)  # one more byte is refused
        frame = read_property_definitions(self.dump_id, path, body)
        written = publish(Rows(frame.schema, iter([frame]), lambda: footer_of(self._origin)))
        return Ingested(written, frame.schema, rows=1, files=1, bytes_read=len(body))

    def _evaluate(self, ingested: Ingested) -> Ingested:
        """Check the partition; and, if it arrived late, the drift of the dump that follows it."""
        if ingested.facts is None:
            return ingested
        store, known = self.lake.store, {self.dump_id: ingested.facts}
        try:
            dump_ids = store.dumps_of(self.table)
            findings = evaluate_partition(store, self.table, self.dump_id, dump_ids, known)
            ingested = replace(ingested, findings=findings)
            later = (one for one in dump_ids if one > self.dump_id)
            if (following := min(later, default=None)) is not None:
                findings = evaluate_partition(store, self.table, following, dump_ids, known)
                ingested = replace(ingested, next_dump_id=following, next_findings=findings)
        except StorageError as error:
            return replace(ingested, not_evaluated=error)
        return ingested

    def _add_failure(self, error: Exception) -> None:
        if not isinstance(error, CsqError):  # a fault of ours: the log of the run has its traceback
            error = CsqError(f"unexpected {type(error).__name__}: {error}")
        file = error.at(dump=self.dump_id, table=self.table).where.get("file")
        failure = Failure(
            manifest=self.content,
            error=str(error),
            at=self.now(),
            file=None if file is None else str(file),
            file_state=None if file is None else self._file_state(str(file)),
        )
        lost = self.dump_id not in self.lake.store.dumps_of(self.table)
        self._add(self.dump_id, failure=failure, lost=lost)

    def _file_state(self, path: str) -> str | None:
        try:
            return self.export.file_state(path)
        except CsqError:  # a path that is refused, or a place that cannot be reached
            return None

    def _add(
        self,
        dump_id: int,
        *,
        content: Content | None = None,
        failure: Failure | None = None,
        lost: bool = False,
        findings: tuple[Finding, ...] = (),
    ) -> None:
        outcome = Outcome(dump_id, self.table, self.content, content, failure, lost, findings)
        self.lake.ledger.add(outcome)


def reevaluate(lake: Lake, table: str, dump_id: int) -> tuple[Finding, ...]:
    """What the checks find on a partition that is in the lake; the ledger has it afterwards.

    Raises StorageError where the partition, or the one before it, cannot be read.
    """
    findings = evaluate_partition(lake.store, table, dump_id, lake.store.dumps_of(table))
    lake.ledger.add(Outcome(dump_id, table, "", findings=failing(findings)))
    return findings
